#include "trust/canon.h"

#include "base/hex.h"
#include "trust/internal.h"
#include "vectors.h"

static unsigned char memory[4 << 20];

static int canon_of(const char *text, size_t n, size_t size, struct str *out, struct err *e)
{
    struct trust_space space;
    space_init(&space, memory, size);
    yyjson_doc *doc = yyjson_read(text, n, 0);
    assert_non_null(doc);
    int rc = canon_write(yyjson_doc_get_root(doc), &space, out, e);
    yyjson_doc_free(doc);
    return rc;
}

/* securesystemslib's encode_canonical says the same of all of them. */
static void test_known_answers(void **state)
{
    (void)state;
    char *text = vector_text("tuf-canon.json");
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    yyjson_arr_iter it = yyjson_arr_iter_with(yyjson_doc_get_root(doc));
    yyjson_val *one;
    size_t n = 0;
    while ((one = yyjson_arr_iter_next(&it)) != NULL) {
        struct str json = trust_text_at(one, "json"), want = trust_text_at(one, "canonical"), got;
        struct err e = {0};
        int rc = canon_of(json.p, json.n, sizeof memory, &got, &e);
        if (want.p == NULL) {
            assert_int_equal(rc, ERR_INVALID);
            assert_non_null(strstr(e.text, "no integer"));
        } else {
            assert_int_equal(rc, 0);
            char *hex = malloc(2 * got.n + 1);
            hex_encode(got.p, got.n, hex);
            assert_string_equal(hex, want.p);
            assert_true(got.n <= json.n);
            free(hex);
        }
        n++;
    }
    assert_true(n > 200);
    yyjson_doc_free(doc);
    free(text);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *json, *words;
    } cases[] = {
        {"{\"a\":1,\"a\":1}", "member a is there twice"},
        {"{\"b\":1,\"a\":1,\"c\":2,\"a\":2}", "member a is there twice"},
        {"{\"a\":1,\"\\u0061\":1}", "member a is there twice"}, /* told by what they say, not how */
        {"[{\"x\":{\"\":1,\"\":2}}]", "is there twice"},
        {"[99999999999999999999]", "no integer"},
        {"{\"x\":[0.0]}", "no integer"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str out = {.p = "x", .n = 1};
        struct err e = {0};
        assert_int_equal(canon_of(cases[i].json, strlen(cases[i].json), sizeof memory, &out, &e),
                         ERR_INVALID);
        if (strstr(e.text, cases[i].words) == NULL)
            fail_msg("%s: %s", cases[i].json, e.text);
        assert_int_equal(out.n, 1);
    }
}

/* depth arrays, or objects, within each other. */
static char *nest(size_t depth, bool objects)
{
    const char *const open = objects ? "{\"a\":" : "[", *const close = objects ? "}" : "]";
    size_t a = strlen(open), at = 0;
    char *out = malloc(depth * (a + 1) + 2);
    for (size_t i = 0; i < depth; i++, at += a)
        memcpy(out + at, open, a);
    out[at++] = '1';
    for (size_t i = 0; i < depth; i++)
        out[at++] = close[0];
    out[at] = '\0';
    return out;
}

static void test_depth(void **state)
{
    (void)state;
    for (int objects = 0; objects < 2; objects++) {
        char *good = nest(CANON_DEPTH_MAX, objects != 0), *deep = nest(CANON_DEPTH_MAX + 1, objects != 0);
        char *abyss = nest(100000, objects != 0);
        struct str out;
        struct err e = {0};
        assert_int_equal(canon_of(good, strlen(good), sizeof memory, &out, &e), 0);
        assert_memory_equal(out.p, good, out.n);
        assert_int_equal(canon_of(deep, strlen(deep), sizeof memory, &out, &e), ERR_INVALID);
        assert_non_null(strstr(e.text, "deeper than 32"));
        assert_int_equal(canon_of(abyss, strlen(abyss), sizeof memory, &out, &e), ERR_INVALID);
        yyjson_doc *doc = yyjson_read(abyss, strlen(abyss), 0);
        struct trust_space space;
        space_init(&space, memory, sizeof memory);
        assert_int_equal(canon_check(yyjson_doc_get_root(doc), &space, &e), ERR_INVALID);
        yyjson_doc_free(doc);
        char *const edge[] = {good, deep};
        for (size_t i = 0; i < COUNT(edge); i++) {
            doc = yyjson_read(edge[i], strlen(edge[i]), 0);
            assert_int_equal(canon_check(yyjson_doc_get_root(doc), &space, &e), i == 0 ? 0 : ERR_INVALID);
            yyjson_doc_free(doc);
        }
        free(good);
        free(deep);
        free(abyss);
    }
}

static void test_memory(void **state)
{
    (void)state;
    const char text[] = "{\"b\":[{\"z\":1,\"y\":2,\"x\":3}],\"a\":\"text\"}";
    struct str out = {.p = "x", .n = 1};
    struct err e = {0};
    bool worked = false;
    for (size_t size = 0; size < 512; size++) {
        int rc = canon_of(text, sizeof text - 1, size, &out, &e);
        assert_true(rc == 0 || (rc == ERR_NOMEM && !worked && out.n == 1));
        worked = worked || rc == 0;
    }
    assert_true(worked);
    assert_int_equal(out.n, sizeof text - 1);
}

#define MANY 100000

static int by_random(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a * 2654435761u, y = *(const uint32_t *)b * 2654435761u;
    return (x > y) - (x < y);
}

/* Whatever order 100 000 members come in, and with one of them twice. A quadratic walk would need minutes. */
static void test_many_members(void **state)
{
    (void)state;
    uint32_t *order = malloc(MANY * sizeof *order);
    char *text = malloc(MANY * 12 + 64);
    for (int kind = 0; kind < 4; kind++) {
        for (uint32_t i = 0; i < MANY; i++)
            order[i] = kind == 1 ? MANY - 1 - i : i;
        if (kind >= 2)
            qsort(order, MANY, sizeof *order, by_random);
        size_t n = 1;
        text[0] = '{';
        for (uint32_t i = 0; i < MANY; i++)
            n += (size_t)snprintf(text + n, 12, "\"%05u\":1,", (unsigned)order[i]);
        n += (size_t)snprintf(text + n, 32, kind == 3 ? "\"04711\":2}" : "\"x\":2}");
        struct str out = {.p = NULL, .n = 0};
        struct err e = {0};
        int rc = canon_of(text, n, sizeof memory, &out, &e);
        assert_int_equal(rc, kind == 3 ? ERR_INVALID : 0);
        if (kind == 3) {
            assert_non_null(strstr(e.text, "04711 is there twice"));
            continue;
        }
        assert_int_equal(out.n, n);
        assert_memory_equal(out.p, "{\"00000\":1,\"00001\":1,", 20);
        for (size_t i = 1; i + 10 < out.n - 10; i += 10)
            assert_true(memcmp(out.p + i, out.p + i + 10, 7) < 0);
    }
    free(order);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_depth),         cmocka_unit_test(test_memory),
        cmocka_unit_test(test_many_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
