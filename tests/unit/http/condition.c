#include "http/condition.h"

#include "check.h"

#define TAG "\"abc\""
#define MODIFIED 784111777
#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"
#define EARLIER "Sun, 06 Nov 1994 08:49:36 GMT"

enum { GO = HTTP_COND_PROCEED, NOT_MOD = HTTP_COND_NOT_MODIFIED, FAILED = HTTP_COND_FAILED };

static const struct {
    enum http_method method;
    const char *header[6]; /* name, value, ... */
    int want;
} rows[] = {
    {HTTP_GET, {NULL}, GO},
    /* If-Match: strong */
    {HTTP_GET, {"If-Match", TAG}, GO},
    {HTTP_GET, {"If-Match", "*"}, GO},
    {HTTP_GET, {"If-Match", "\"x\", " TAG}, GO},
    {HTTP_GET, {"If-Match", "\"x\""}, FAILED},
    {HTTP_GET, {"If-Match", "W/" TAG}, FAILED},
    {HTTP_GET, {"If-Match", "abc"}, FAILED},
    {HTTP_GET, {"If-Match", ""}, FAILED},
    {HTTP_GET, {"If-Match", "\"x\"", "If-Match", TAG}, GO},
    {HTTP_GET, {"If-Match", "\"x\"" TAG}, FAILED},
    {HTTP_GET, {"If-Match", "\"abc"}, FAILED},
    {HTTP_GET, {"If-Match", "\"a, " TAG}, FAILED},
    /* If-Unmodified-Since, which If-Match overrides */
    {HTTP_GET, {"If-Unmodified-Since", SAME}, GO},
    {HTTP_GET, {"If-Unmodified-Since", LATER}, GO},
    {HTTP_GET, {"If-Unmodified-Since", EARLIER}, FAILED},
    {HTTP_GET, {"If-Unmodified-Since", "yesterday"}, GO},
    {HTTP_GET, {"If-Match", TAG, "If-Unmodified-Since", EARLIER}, GO},
    /* If-None-Match: weak comparison */
    {HTTP_GET, {"If-None-Match", TAG}, NOT_MOD},
    {HTTP_HEAD, {"If-None-Match", TAG}, NOT_MOD},
    {HTTP_PUT, {"If-None-Match", TAG}, FAILED},
    {HTTP_GET, {"If-None-Match", "W/" TAG}, NOT_MOD},
    {HTTP_GET, {"If-None-Match", "*"}, NOT_MOD},
    {HTTP_PUT, {"If-None-Match", "*"}, FAILED},
    {HTTP_GET, {"if-none-match", "\"a,b\" ,, " TAG " "}, NOT_MOD},
    {HTTP_GET, {"If-None-Match", "\"x\""}, GO},
    {HTTP_GET, {"If-None-Match", "abc"}, GO},
    {HTTP_GET, {"If-None-Match", "\"\""}, GO},
    /* If-Modified-Since, which If-None-Match overrides */
    {HTTP_GET, {"If-Modified-Since", SAME}, NOT_MOD},
    {HTTP_GET, {"If-Modified-Since", LATER}, NOT_MOD},
    {HTTP_GET, {"If-Modified-Since", EARLIER}, GO},
    {HTTP_GET, {"If-Modified-Since", "never"}, GO},
    {HTTP_GET, {"If-Modified-Since", SAME, "If-Modified-Since", SAME}, GO},
    {HTTP_PUT, {"If-Modified-Since", SAME}, GO},
    {HTTP_GET, {"If-None-Match", "\"x\"", "If-Modified-Since", LATER}, GO},
    /* the first steps come first */
    {HTTP_GET, {"If-Match", "\"x\"", "If-None-Match", TAG}, FAILED},
    {HTTP_GET, {"If-Match", TAG, "If-None-Match", TAG}, NOT_MOD},
    {HTTP_GET, {"If-Unmodified-Since", EARLIER, "If-Modified-Since", LATER}, FAILED},
};

static const struct {
    const char *header[4];
    bool want;
} range_rows[] = {
    {{NULL}, true},
    {{"If-Range", TAG}, true},
    {{"If-Range", "W/" TAG}, false},
    {{"If-Range", "\"x\""}, false},
    {{"If-Range", "*"}, false},
    {{"If-Range", SAME}, true},
    {{"If-Range", LATER}, false},
    {{"If-Range", EARLIER}, false},
    {{"If-Range", "Sunday, 06-Nov-94 08:49:37 GMT"}, true},
    {{"If-Range", "junk"}, false},
    {{"If-Range", ""}, false},
    {{"If-Range", TAG, "If-Range", TAG}, false},
};

static struct http_request request(enum http_method m, const char *const *header, size_t max)
{
    struct http_request r = {.method = m};
    for (size_t i = 0; i + 1 < max && header[i] != NULL; i += 2)
        request_header(&r, header[i], header[i + 1]);
    return r;
}

static void test_preconditions(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_request r = request(rows[i].method, rows[i].header, COUNT(rows[i].header));
        int got = (int)http_condition_check(&r, STR(TAG), MODIFIED);
        if (got != rows[i].want)
            fail_msg("row %zu (%s: %s): %d", i, rows[i].header[0], rows[i].header[1], got);
    }
}

static void test_if_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(range_rows); i++) {
        struct http_request r = request(HTTP_GET, range_rows[i].header, COUNT(range_rows[i].header));
        if (http_condition_range(&r, STR(TAG), MODIFIED) != range_rows[i].want)
            fail_msg("row %zu (%s)", i, range_rows[i].header[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preconditions),
        cmocka_unit_test(test_if_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
