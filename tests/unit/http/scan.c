/* Whole lines are skipped over as if each byte had been looked at alone. */
#include "http/scan.h"

#include "check.h"

static const char *const texts[] = {
    "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: something rather long/1.0 (x)\r\n\r\nbody",
    "GET /a/long/target?with=a&query=of&several=words HTTP/1.1\r\nA: b\r\n\r\n",
    "POST  /two  spaces HTTP/1.1\r\n\r\n",
    "GET /a\tb HTTP/1.1\r\nTabs:\tin\tvalues are\tfine\r\n\r\n",
    "GET / HTTP/1.1\r\nBare: line feed here\nA: b\r\n\r\n",
    "GET / HTTP/1.1\r\nReturn: within\rthe line\r\n\r\n",
    "GET / HTTP/1.1\r\nNul: 1234567\0",
    "GET / HTTP/1.1\r\nControl: 12345678\x1f"
    "90\r\n\r\n",
    "GET / HTTP/1.1\r\nDelete: 1234567890123456\x7f\r\n\r\n",
    "GET / HTTP/1.1\r\nHigh: \x80\x9f\xff\xa0 12345678 \xfe\r\n\r\n",
    "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\n\r\n",
    "GET /\x01 HTTP/1.1\r\n\r\n",
    "1a; extension=something\r\nrest",
};
static const size_t maxima[] = {1, 7, 16, 17, 40, 64, 1000}, targets[] = {1, 5, 8, 20, 1000};

struct outcome {
    enum http_scan_result result;
    size_t used;
    int status;
    struct http_scan scan;
};

static struct outcome feed(struct http_scan scan, struct str text, size_t piece)
{
    struct outcome o = {.result = HTTP_SCAN_MORE, .scan = scan};
    while (o.result == HTTP_SCAN_MORE && o.used < text.n) {
        size_t n = text.n - o.used < piece ? text.n - o.used : piece, used = 0;
        struct err e;
        o.result = http_scan(&o.scan, text.p + o.used, n, &used, &o.status, &e);
        o.used += used;
    }
    return o;
}

static void compare(struct http_scan scan, struct str text)
{
    static const size_t pieces[] = {2, 3, 7, 8, 9, 16, 31, 1000};
    struct outcome one = feed(scan, text, 1);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct outcome o = feed(scan, text, pieces[i]);
        if (o.result != one.result || o.used != one.used || o.status != one.status ||
            o.scan.total != one.scan.total || o.scan.lines != one.scan.lines ||
            o.scan.line != one.scan.line || o.scan.target != one.scan.target ||
            o.scan.spaces != one.scan.spaces || o.scan.cr != one.scan.cr)
            fail_msg("kind %d max %zu target %zu in pieces of %zu: %d after %zu, else %d after %zu: %s",
                     (int)scan.kind, scan.max, scan.target_max, pieces[i], (int)o.result, o.used,
                     (int)one.result, one.used, text.p);
    }
}

static void test_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        for (int kind = HTTP_SCAN_HEAD; kind <= HTTP_SCAN_TRAILER; kind++)
            for (size_t m = 0; m < COUNT(maxima); m++)
                for (size_t t = 0; t < COUNT(targets); t++)
                    compare((struct http_scan){.kind = (enum http_scan_kind)kind,
                                               .max = maxima[m],
                                               .target_max = targets[t]},
                            (struct str){.p = texts[i], .n = strlen(texts[i]) + 1});
}

/* What it is to find, wherever in a run it stands. */
static void test_each_place(void **state)
{
    (void)state;
    static const char bad[] = {'\0', '\x01', '\x1f', '\x7f', '\r', '\n'};
    for (size_t at = 1; at < 40; at++)
        for (size_t i = 0; i < sizeof bad; i++) {
            char text[64];
            memset(text, 'a', sizeof text);
            memcpy(text + 42, "\r\n", 2);
            text[at] = bad[i];
            struct http_scan scan = {.kind = HTTP_SCAN_TRAILER, .max = 1000};
            struct outcome o = feed(scan, (struct str){.p = text, .n = 44}, 1000);
            assert_int_equal(o.result, HTTP_SCAN_BAD);
            assert_int_equal(o.status, 400);
            assert_int_equal(o.used, bad[i] == '\r' ? at + 2 : at + 1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_each_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
