#include "shared/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct reply r;
static struct err e;

/* Begins anew and feeds the text in pieces of that size. */
static int feed(const char *text, size_t piece)
{
    int rc = 0;
    reply_begin(&r);
    for (size_t at = 0, n = strlen(text); at < n && rc == 0; at += piece)
        rc = reply_feed(&r, text + at, n - at < piece ? n - at : piece, &e);
    return rc;
}

static void with_a_length(void **state)
{
    (void)state;
    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        assert_int_equal(feed(text, piece), 0);
        assert_true(r.complete && r.keep_alive);
        assert_int_equal(r.status, 200);
        assert_int_equal(r.body, 5);
    }
}

static void in_chunks(void **state)
{
    (void)state;
    assert_int_equal(
        feed("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 7),
        0);
    assert_true(r.complete);
    assert_int_equal(r.status, 201);
    assert_int_equal(r.body, 5);
}

static void to_the_end(void **state)
{
    (void)state;
    assert_int_equal(feed("HTTP/1.1 200 OK\r\n\r\nhello", 100), 0);
    assert_false(r.complete);
    assert_int_equal(reply_end(&r, &e), 0);
    assert_true(r.complete);
    assert_false(r.keep_alive);
    assert_int_equal(r.body, 5);
}

static void told_to_close(void **state)
{
    (void)state;
    assert_int_equal(feed("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", 100), 0);
    assert_true(r.complete);
    assert_false(r.keep_alive);
}

static void cut_off(void **state)
{
    (void)state;
    assert_int_equal(feed("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", 100), 0);
    assert_false(r.complete);
    assert_int_equal(reply_end(&r, &e), ERR_IO);
    assert_int_equal(feed("HTTP/1.1 200 OK\r\nConte", 100), 0);
    assert_int_equal(reply_end(&r, &e), ERR_IO);
}

static void more_than_asked_for(void **state)
{
    (void)state;
    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello";
    assert_int_equal(feed(text, 100), ERR_INVALID);
    assert_non_null(strstr(e.text, "3 bytes"));
    assert_int_equal(feed(text, 1), ERR_INVALID);
}

static void no_http(void **state)
{
    (void)state;
    assert_int_equal(feed("SSH-2.0-OpenSSH_10.0\r\n", 100), ERR_INVALID);
    assert_int_equal(feed("HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n", 100), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_a_length), cmocka_unit_test(in_chunks), cmocka_unit_test(to_the_end),
        cmocka_unit_test(told_to_close), cmocka_unit_test(cut_off),   cmocka_unit_test(more_than_asked_for),
        cmocka_unit_test(no_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
