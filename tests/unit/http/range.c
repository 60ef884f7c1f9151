#include "http/range.h"

#include "check.h"

/* want: "WHOLE", "NONE", or the ranges that came out. */
static const struct {
    const char *value;
    uint64_t size;
    const char *want;
} rows[] = {
    {"bytes=0-0", 10, "0-0"},
    {"bytes=0-9", 10, "0-9"},
    {"bytes=2-5", 10, "2-5"},
    {"BYTES=2-5", 10, "2-5"},
    {"bytes=5-", 10, "5-9"},
    {"bytes=0-", 10, "0-9"},
    {"bytes=9-100", 10, "9-9"},
    {"bytes=-3", 10, "7-9"},
    {"bytes=-10", 10, "0-9"},
    {"bytes=-11", 10, "0-9"},
    {"bytes=0-99999999999999999999999999", 10, "0-9"},
    {"bytes=-99999999999999999999999999", 10, "0-9"},
    {"bytes=18446744073709551614-", UINT64_MAX, "18446744073709551614-18446744073709551614"},
    {"bytes=0-18446744073709551615", UINT64_MAX, "0-18446744073709551614"},
    /* several */
    {"bytes=0-1,4-5", 10, "0-1 4-5"},
    {"bytes= 0-1 , 4-5 ", 10, "0-1 4-5"},
    {"bytes=,0-1,,4-5,", 10, "0-1 4-5"},
    {"bytes=4-5,0-1", 10, "0-1 4-5"},
    {"bytes=0-1,2-3", 10, "0-3"},
    {"bytes=0-5,2-3", 10, "0-5"},
    {"bytes=2-3,0-5", 10, "0-5"},
    {"bytes=0-5,3-8", 10, "0-8"},
    {"bytes=0-0,-1", 10, "0-0 9-9"},
    {"bytes=0-,-1", 10, "0-9"},
    {"bytes=0-1,20-30", 10, "0-1"},
    {"bytes=20-30,-0,3-3", 10, "3-3"},
    {"bytes=0-18446744073709551614,18446744073709551613-", UINT64_MAX, "0-18446744073709551614"},
    /* nothing there */
    {"bytes=10-", 10, "NONE"},
    {"bytes=10-12", 10, "NONE"},
    {"bytes=-0", 10, "NONE"},
    {"bytes=99999999999999999999999-", 10, "NONE"},
    {"bytes=10-11,12-13", 10, "NONE"},
    {"bytes=0-", 0, "NONE"},
    {"bytes=0-0", 0, "NONE"},
    {"bytes=-0", 0, "NONE"},
    {"bytes=-5", 0, "WHOLE"},
    /* malformed or not ours */
    {"", 10, "WHOLE"},
    {"bytes", 10, "WHOLE"},
    {"bytes=", 10, "WHOLE"},
    {"bytes=,", 10, "WHOLE"},
    {"bytes=-", 10, "WHOLE"},
    {"bytes=5", 10, "WHOLE"},
    {"bytes=5-2", 10, "WHOLE"},
    {"bytes=20-12", 10, "WHOLE"},
    {"bytes=a-b", 10, "WHOLE"},
    {"bytes=0x1-2", 10, "WHOLE"},
    {"bytes=1 -2", 10, "WHOLE"},
    {"bytes=1- 2", 10, "WHOLE"},
    {"bytes=--1", 10, "WHOLE"},
    {"bytes=1--2", 10, "WHOLE"},
    {"bytes=1-2-3", 10, "WHOLE"},
    {"bytes=+1-2", 10, "WHOLE"},
    {"bytes=0-1;2-3", 10, "WHOLE"},
    {"bytes=0-1,x", 10, "WHOLE"},
    {"bytes =0-1", 10, "WHOLE"},
    {" bytes=0-1", 10, "WHOLE"},
    {"lines=0-1", 10, "WHOLE"},
    {"0-1", 10, "WHOLE"},
};

static void describe(const char *value, uint64_t size, char out[4096])
{
    struct http_range r[HTTP_RANGES_MAX];
    size_t count = 99, n = 0;
    enum http_range_result result = http_range_parse(str_of(value), size, r, &count);
    if (result != HTTP_RANGE_SOME) {
        assert_int_equal(count, 99);
        snprintf(out, 4096, "%s", result == HTTP_RANGE_NONE ? "NONE" : "WHOLE");
        return;
    }
    for (size_t i = 0; i < count; i++)
        n += (size_t)snprintf(out + n, 4096 - n, "%s%llu-%llu", i > 0 ? " " : "",
                              (unsigned long long)r[i].first, (unsigned long long)r[i].last);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char got[4096];
        describe(rows[i].value, rows[i].size, got);
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s of %llu: %s, not %s", rows[i].value, (unsigned long long)rows[i].size, got,
                     rows[i].want);
    }
}

static void test_as_many_as_allowed(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        char value[2048] = "bytes=", got[4096];
        size_t n = strlen(value);
        for (int i = 0; i < HTTP_RANGES_MAX + extra; i++)
            n += (size_t)snprintf(value + n, sizeof value - n, "%d-%d,", 3 * i, 3 * i);
        describe(value, 1000, got);
        if (extra == 1)
            assert_string_equal(got, "WHOLE");
        else
            assert_memory_equal(got, "0-0 3-3 6-6 ", 12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_as_many_as_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
