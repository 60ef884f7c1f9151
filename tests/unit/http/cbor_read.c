/* CBOR as JSON: what cbor2 makes, what RFC 8949 shows, and what a hostile sender makes. */
#include "cbor_rows.h"

#include "base/cleanup.h"

static int read_hex(const char *hex, struct arena *a, struct str *json, struct err *e)
{
    size_t n = 0;
    auto_free char *bytes = cbor_bytes(hex, &n);
    return cbor_to_json((struct str){.p = bytes, .n = n}, a, json, e);
}

static void check_rows(const struct cbor_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        auto_arena struct arena a;
        arena_init(&a, 1 << 20);
        struct str json = {.p = NULL, .n = 0};
        struct err e = {0};
        if (read_hex(rows[i].hex, &a, &json, &e) != 0)
            fail_msg("%s: %s", rows[i].hex, e.text);
        auto_json yyjson_doc *got = NULL, *want = NULL;
        assert_int_equal(json_parse(json, &got, &e), 0);
        assert_int_equal(json_parse(str_of(rows[i].json), &want, &e), 0);
        if (!yyjson_equals(yyjson_doc_get_root(got), yyjson_doc_get_root(want)))
            fail_msg("%s: " STR_FMT ", not %s", rows[i].hex, STR_ARG(json), rows[i].json);
    }
}

static void test_rows(void **state)
{
    (void)state;
    check_rows(cbor_both, COUNT(cbor_both));
    check_rows(cbor_floats, COUNT(cbor_floats));
}

/* RFC 8949 appendix A, and section 4.1: integers and lengths that could be shorter are taken. */
static const struct cbor_row indefinite[] = {
    {"7f657374726561646d696e67ff", "\"streaming\""},
    {"7fff", "\"\""},
    {"7f60ff", "\"\""},
    {"7f617861796060617aff", "\"xyz\""},
    {"9fff", "[]"},
    {"9f018202039f0405ffff", "[1,[2,3],[4,5]]"},
    {"9f01820203820405ff", "[1,[2,3],[4,5]]"},
    {"83018202039f0405ff", "[1,[2,3],[4,5]]"},
    {"83019f0203ff820405", "[1,[2,3],[4,5]]"},
    {"bfff", "{}"},
    {"bf61610161629f0203ffff", "{\"a\":1,\"b\":[2,3]}"},
    {"826161bf61626163ff", "[\"a\",{\"b\":\"c\"}]"},
    {"bf6346756ef563416d7421ff", "{\"Fun\":true,\"Amt\":-2}"},
    {"bf7f6161ff7f6162ffff", "{\"a\":\"b\"}"},
    {"1800", "0"},
    {"1b0000000000000001", "1"},
    {"3900ff", "-256"},
    {"7b000000000000000161", "\"a\""},
    {"9b000000000000000101", "[1]"},
    {"bb0000000000000000", "{}"},
};

static void test_indefinite(void **state)
{
    (void)state;
    check_rows(indefinite, COUNT(indefinite));
}

static const struct {
    const char *hex, *why;
} wrong[] = {
    {"", "the body is empty"},
    /* not taken */
    {"c074323031332d30332d32315432303a30343a30305a", "byte 1: a tag"},
    {"82d9d9f700", "byte 2: a tag"},
    {"c249010000000000000000", "byte 1: a tag"},
    {"40", "byte 1: a byte string"},
    {"8101a0", "byte 3: more bytes stand behind"},
    {"824401020304", "byte 2: a byte string"},
    {"5f42010243030405ff", "byte 1: a byte string"},
    {"a1414101", "byte 2: a byte string"},
    {"f7", "byte 1: undefined"},
    {"a16161f7", "byte 4: undefined"},
    {"f0", "byte 1: not well-formed"},
    {"f818", "byte 1: not well-formed"},
    {"f8ff", "byte 1: not well-formed"},
    {"f820", "byte 1: not well-formed"},
    {"3b8000000000000000", "below -2^63"},
    {"3bffffffffffffffff", "below -2^63"},
    {"f97c00", "infinite"},
    {"f97e00", "not a number"},
    {"fa7f800000", "infinite"},
    {"fbfff0000000000000", "infinite"},
    {"fb7ff8000000000000", "not a number"},
    /* keys */
    {"a10102", "byte 2: a map's key that is not text"},
    {"a1f502", "key that is not text"},
    {"a1800102", "key that is not text"},
    {"a1a00102", "key that is not text"},
    {"bf01ff", "key that is not text"},
    {"a2616101616102", "names \"a\" twice"},
    {"bf616101616102ff", "names \"a\" twice"},
    {"a26161017f6161ff02", "names \"a\" twice"},
    {"a16178a2616101616102", "names \"a\" twice"},
    /* UTF-8 */
    {"61ff", "byte 1: a text that is not UTF-8"},
    {"62c328", "not UTF-8"},
    {"63eda080", "not UTF-8"},
    {"62c080", "not UTF-8"},
    {"a161ff01", "byte 2: a text that is not UTF-8"},
    {"7f61c361bcff", "byte 2: a text that is not UTF-8"},
    /* cut off */
    {"18", "byte 1: the item goes on"},
    {"19ff", "goes on past the end"},
    {"1affffff", "goes on past the end"},
    {"1bffffffffffffff", "goes on past the end"},
    {"f9", "goes on past the end"},
    {"fb00000000000000", "goes on past the end"},
    {"61", "goes on past the end"},
    {"6361", "goes on past the end"},
    {"81", "more items are declared"},
    {"8201", "more items are declared"},
    {"828101", "goes on past the end"},
    {"a1", "more items are declared"},
    {"a16161", "goes on past the end"},
    {"9f", "byte 2: the item goes on"},
    {"9f01", "goes on past the end"},
    {"bf", "goes on past the end"},
    {"bf6161", "goes on past the end"},
    {"bf616101", "goes on past the end"},
    {"7f", "goes on past the end"},
    {"7f6161", "goes on past the end"},
    /* lengths that are lies */
    {"7bffffffffffffffff", "goes on past the end"},
    {"7b7fffffffffffffff61", "goes on past the end"},
    {"7bfffffffffffffff76161", "goes on past the end"},
    {"7affffffff61", "goes on past the end"},
    {"9bffffffffffffffff01", "more items are declared"},
    {"9b7fffffffffffffff01", "more items are declared"},
    {"9affffffff01", "more items are declared"},
    {"bbffffffffffffffff616101", "more items are declared"},
    {"bb8000000000000000616101", "more items are declared"},
    {"bb8000000000000001616101", "more items are declared"},
    {"a2616101", "more items are declared"},
    {"5bffffffffffffffff00", "byte 1: the item goes on"},
    /* breaks */
    {"ff", "byte 1: a break where nothing"},
    {"81ff", "byte 2: a break where nothing"},
    {"8201ff", "a break where nothing"},
    {"a1ff01", "a break where nothing"},
    {"a16161ff", "a break where nothing"},
    {"bf6161ff", "byte 4: a map ends behind a key"},
    {"9fffff", "more bytes stand behind"},
    {"9f8001ff00", "byte 5: more bytes stand behind"},
    {"9f81ff", "a break where nothing"},
    /* pieces of text */
    {"7f01ff", "byte 2: a text of indefinite length has pieces"},
    {"7f4161ff", "has pieces of text only"},
    {"7f7f6161ffff", "has pieces of text only"},
    {"7f80ff", "has pieces of text only"},
    {"7ff6ff", "has pieces of text only"},
    {"7fc06161ff", "has pieces of text only"},
    /* reserved (RFC 8949 section 3, additional information 28 to 30) */
    {"1c", "not well-formed"},
    {"1d", "not well-formed"},
    {"1e", "not well-formed"},
    {"1f", "not well-formed"},
    {"3c", "not well-formed"},
    {"3f", "not well-formed"},
    {"5c", "not well-formed"},
    {"7c", "not well-formed"},
    {"9c", "not well-formed"},
    {"bc", "not well-formed"},
    {"dc", "not well-formed"},
    {"df", "not well-formed"},
    {"fc", "not well-formed"},
    /* more than one item */
    {"0000", "byte 2: more bytes stand behind"},
    {"a0a0", "more bytes stand behind"},
    {"f600", "more bytes stand behind"},
};

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        auto_arena struct arena a;
        arena_init(&a, 1 << 20);
        struct str json = {.p = NULL, .n = 99};
        struct err e = {0};
        int rc = read_hex(wrong[i].hex, &a, &json, &e);
        if (rc != ERR_INVALID || json.n != 99 || strstr(e.text, wrong[i].why) == NULL)
            fail_msg("%s: %d, \"%s\", not \"%s\"", wrong[i].hex, rc, e.text, wrong[i].why);
    }
}

/* Every item cut off everywhere is refused; so is any that goes on. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cbor_both); i++) {
        size_t n = 0;
        auto_free char *bytes = cbor_bytes(cbor_both[i].hex, &n);
        for (size_t cut = 0; cut < n; cut++) {
            auto_arena struct arena a;
            arena_init(&a, 1 << 20);
            struct str json;
            char *copy = arena_dup(&a, bytes, cut);
            if (cbor_to_json((struct str){.p = copy, .n = cut}, &a, &json, NULL) != ERR_INVALID)
                fail_msg("%s cut to %zu bytes was taken", cbor_both[i].hex, cut);
        }
    }
}

/* n bytes of `open`, a 0 within, n of `close`. */
static int read_nest(const char *open, size_t width, size_t n, char close, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    size_t total = n * width + 1 + (close != '\0' ? n : 0);
    char *bytes = arena_alloc(&a, total);
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++)
        memcpy(bytes + i * width, open, width);
    bytes[n * width] = 0;
    memset(bytes + n * width + 1, close, total - n * width - 1);
    struct str json;
    return cbor_to_json((struct str){.p = bytes, .n = total}, &a, &json, e);
}

static void test_depth(void **state)
{
    (void)state;
    static const struct {
        const char *open;
        size_t width;
        char close;
    } kinds[] = {{"\x81", 1, '\0'}, {"\x9f", 1, '\xff'}, {"\xa1\x61x", 3, '\0'}, {"\xbf\x61x", 3, '\xff'}};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct err e = {0};
        assert_int_equal(read_nest(kinds[i].open, kinds[i].width, 32, kinds[i].close, &e), 0);
        assert_int_equal(read_nest(kinds[i].open, kinds[i].width, 33, kinds[i].close, &e), ERR_INVALID);
        assert_non_null(strstr(e.text, "nested deeper than 32"));
        assert_int_equal(read_nest(kinds[i].open, kinds[i].width, 16000, kinds[i].close, &e), ERR_INVALID);
    }
    /* Arrays beside one another are no nesting. */
    struct err e = {0};
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    char flat[1003];
    memset(flat, '\x80', sizeof flat);
    memcpy(flat, "\x99\x03\xe8", 3);
    struct str json;
    assert_int_equal(cbor_to_json((struct str){.p = flat, .n = sizeof flat}, &a, &json, &e), 0);
}

static void test_bounds(void **state)
{
    (void)state;
    auto_free char *big = malloc(CBOR_IN_MAX + 1);
    assert_non_null(big);
    struct err e = {0};
    struct str json;
    for (size_t n = CBOR_IN_MAX; n <= CBOR_IN_MAX + 1; n++) {
        auto_arena struct arena a;
        arena_init(&a, 1 << 20);
        /* a text of all that is left */
        memset(big, 'x', n);
        memcpy(big, "\x7a\0\0", 3);
        big[3] = (char)((n - 5) >> 8);
        big[4] = (char)(n - 5);
        assert_int_equal(cbor_to_json((struct str){.p = big, .n = n}, &a, &json, &e),
                         n == CBOR_IN_MAX ? 0 : ERR_TOO_LARGE);
    }
    assert_int_equal(json.n, CBOR_IN_MAX - 5 + 2);
    /* Many texts in pieces, each nothing: neither time nor memory out of proportion. */
    auto_arena struct arena a;
    arena_init(&a, 4 << 20);
    big[0] = '\x9f';
    for (size_t i = 1; i < CBOR_IN_MAX - 1; i++)
        big[i] = i % 2 == 1 ? '\x7f' : '\xff';
    big[CBOR_IN_MAX - 1] = '\xff';
    assert_int_equal(cbor_to_json((struct str){.p = big, .n = CBOR_IN_MAX}, &a, &json, &e), 0);
    assert_true(a.used < 3 << 20);
    for (size_t max = 0; max < 64; max += 16) {
        auto_arena struct arena small;
        arena_init(&small, max);
        assert_int_equal(cbor_to_json(STR("\x7f\x61x\xff"), &small, &json, &e), ERR_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), cmocka_unit_test(test_indefinite), cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_cut),  cmocka_unit_test(test_depth),      cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
