#include "check.h"

#define NOW 784111777000
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static const struct http_request keep11 = {.method = HTTP_GET, .minor = 1, .keep_alive = true};
static const struct http_request close11 = {.method = HTTP_GET, .minor = 1};
static const struct http_request keep10 = {.method = HTTP_GET, .minor = 0, .keep_alive = true};
static const struct http_request close10 = {.method = HTTP_GET, .minor = 0};
static const struct http_request head11 = {.method = HTTP_HEAD, .minor = 1, .keep_alive = true};

static void check(const struct http_request *req, int status, const char *body, bool close_after,
                  const char *want)
{
    struct http_response r;
    http_response_init(&r);
    http_reply_empty(&r, status);
    if (body != NULL)
        http_reply(&r, status, "text/plain", str_of(body));
    r.close = close_after;
    auto_buf struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(buf_add(&out, "before", 6), 0);
    assert_int_equal(http_write_head(req, &r, NOW, &out), 0);
    assert_memory_equal(out.p, "before", 6);
    assert_string_equal(out.p + 6, want);
    http_response_fini(&r);
}

static void test_heads(void **state)
{
    (void)state;
    check(&keep11, 200, "hello", false,
          "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
    check(&head11, 200, "hello", false,
          "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
    check(&keep11, 201, NULL, false, "HTTP/1.1 201 Created\r\n" DATE "Content-Length: 0\r\n\r\n");
    check(&keep11, 204, NULL, false, "HTTP/1.1 204 No Content\r\n" DATE "\r\n");
    check(&keep11, 304, NULL, false, "HTTP/1.1 304 Not Modified\r\n" DATE "\r\n");
    check(&keep11, 100, NULL, false, "HTTP/1.1 100 Continue\r\n\r\n");
    check(NULL, 100, NULL, false, "HTTP/1.1 100 Continue\r\n\r\n");
    check(&keep11, 204, NULL, true, "HTTP/1.1 204 No Content\r\n" DATE "Connection: close\r\n\r\n");
    check(&close11, 204, NULL, false, "HTTP/1.1 204 No Content\r\n" DATE "Connection: close\r\n\r\n");
    check(&close10, 204, NULL, false, "HTTP/1.1 204 No Content\r\n" DATE "Connection: close\r\n\r\n");
    check(&keep10, 204, NULL, false, "HTTP/1.1 204 No Content\r\n" DATE "Connection: keep-alive\r\n\r\n");
    check(&keep10, 204, NULL, true, "HTTP/1.1 204 No Content\r\n" DATE "Connection: close\r\n\r\n");
    check(NULL, 431, NULL, false,
          "HTTP/1.1 431 Request Header Fields Too Large\r\n" DATE
          "Content-Length: 0\r\nConnection: close\r\n\r\n");
}

static void test_nothing_can_be_slipped_in(void **state)
{
    (void)state;
    static const struct {
        struct str name, value;
    } evil[] = {
        {{"X", 1}, {"a\r\nSet-Cookie: x", 16}},
        {{"X", 1}, {"a\nb", 3}},
        {{"X", 1}, {"a\rb", 3}},
        {{"X", 1}, {"a\0b", 3}},
        {{"X", 1}, {"a\x7f", 2}},
        {{"X\r\nY", 4}, {"a", 1}},
        {{"X Y", 3}, {"a", 1}},
        {{"X:", 2}, {"a", 1}},
        {{"", 0}, {"a", 1}},
        {{"Content-Length", 14}, {"7", 1}},
        {{"transfer-encoding", 17}, {"chunked", 7}},
        {{"Connection", 10}, {"upgrade", 7}},
        {{"Date", 4}, {"now", 3}},
    };
    for (size_t i = 0; i < COUNT(evil); i++) {
        struct http_response r;
        http_response_init(&r);
        http_reply_empty(&r, 204);
        r.headers[r.header_count++] = (struct http_header){.name = evil[i].name, .value = evil[i].value};
        http_set(&r, "X-Good", "a\tb \xC3\xA4");
        auto_buf struct buf out;
        buf_init(&out, 4096);
        assert_int_equal(http_write_head(&keep11, &r, NOW, &out), 0);
        assert_string_equal(out.p, "HTTP/1.1 204 No Content\r\n" DATE "X-Good: a\tb \xC3\xA4\r\n\r\n");
        http_response_fini(&r);
    }
}

static void test_too_small_a_buffer(void **state)
{
    (void)state;
    struct http_response r;
    http_response_init(&r);
    http_reply(&r, 200, "text/plain", STR("hello"));
    struct buf full;
    buf_init(&full, 4096);
    assert_int_equal(http_write_head(&keep11, &r, NOW, &full), 0);
    for (size_t max = 0; max <= full.n; max++) {
        auto_buf struct buf out;
        buf_init(&out, max);
        assert_int_equal(http_write_head(&keep11, &r, NOW, &out), max < full.n ? ERR_TOO_LARGE : 0);
        assert_int_equal(out.n, max < full.n ? 0 : full.n);
    }
    buf_fini(&full);
    http_response_fini(&r);
}

static void test_status_text(void **state)
{
    (void)state;
    assert_string_equal(http_status_text(416), "Range Not Satisfiable");
    assert_string_equal(http_status_text(423), "Locked");
    assert_string_equal(http_status_text(299), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_nothing_can_be_slipped_in),
        cmocka_unit_test(test_too_small_a_buffer),
        cmocka_unit_test(test_status_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
