#include "repo.h"
#include "trust/internal.h"

static unsigned char memory[4 << 20];
static struct trust_space space;

static int read_body(const char *kind, enum tuf_type type, const char *members, struct tuf_doc *doc,
                     struct err *e)
{
    char *text =
        text_of("{\"signatures\":[],\"signed\":{\"_type\":\"%s\",\"spec_version\":\"1.0.34\",\"version\":1,"
                "\"expires\":\"" FAR "\"%s}}",
                kind, members);
    space_init(&space, memory, sizeof memory);
    *e = (struct err){.code = 0};
    int rc = tuf_doc_read(str_of(text), type, &space, doc, e);
    free(text);
    return rc;
}

#define Z64 "0000000000000000000000000000000000000000000000000000000000000000"

struct wrong {
    const char *members, *words; /* words NULL: it is good */
};

static void check(const char *kind, enum tuf_type type, const struct wrong *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct tuf_doc d;
        struct err e;
        int rc = read_body(kind, type, cases[i].members, &d, &e);
        if (rc != (cases[i].words == NULL ? 0 : ERR_INVALID) ||
            (rc != 0 && strstr(e.text, cases[i].words) == NULL))
            fail_msg("%s: %s", cases[i].members, e.text);
    }
}

#define META(entry) ",\"meta\":{\"snapshot.json\":" entry "}"

static void test_timestamps(void **state)
{
    (void)state;
    static const struct wrong cases[] = {
        {META("{\"version\":1}"), NULL},
        {META("{\"version\":1,\"length\":0,\"hashes\":{\"sha256\":\"x\"},\"more\":null}"), NULL},
        {",\"meta\":{\"snapshot.json\":{\"version\":1},\"other.json\":7}", NULL},
        {"", "\"meta\" is missing"},
        {",\"meta\":[]", "\"meta\" is missing"},
        {",\"meta\":{}", "snapshot.json: \"version\""},
        {META("1"), "snapshot.json: \"version\""},
        {META("{}"), "\"version\" is missing"},
        {META("{\"version\":0}"), "\"version\" is missing"},
        {META("{\"version\":\"1\"}"), "\"version\" is missing"},
        {META("{\"version\":1,\"length\":-1}"), "\"length\""},
        {META("{\"version\":1,\"length\":null}"), "\"length\""},
        {META("{\"version\":1,\"length\":\"1\"}"), "\"length\""},
        {META("{\"version\":1,\"hashes\":{}}"), "\"hashes\""},
        {META("{\"version\":1,\"hashes\":[]}"), "\"hashes\""},
        {META("{\"version\":1,\"hashes\":null}"), "\"hashes\""},
        {META("{\"version\":1,\"hashes\":{\"sha256\":1}}"), "a hash that is no text"},
    };
    check("timestamp", TUF_TIMESTAMP, cases, COUNT(cases));
}

static void test_snapshots(void **state)
{
    (void)state;
    static const struct wrong cases[] = {
        {",\"meta\":{}", NULL},
        {",\"meta\":{\"targets.json\":{\"version\":1},\"a.json\":{\"version\":2}}", NULL},
        {",\"meta\":{\"targets.json\":{\"version\":1},\"a.json\":{\"version\":-2}}", "a.json: \"version\""},
        {",\"meta\":{\"targets.json\":{\"version\":1},\"a.json\":7}", "a.json: \"version\""},
        {"", "\"meta\" is missing"},
    };
    check("snapshot", TUF_SNAPSHOT, cases, COUNT(cases));
}

#define TARGET(entry) ",\"targets\":{\"a\":" entry "}"

static void test_targets(void **state)
{
    (void)state;
    static const struct wrong cases[] = {
        {",\"targets\":{}", NULL},
        {TARGET("{\"length\":0,\"hashes\":{\"x\":\"y\"}}"), NULL},
        {TARGET("{\"length\":1,\"hashes\":{\"x\":\"y\"},\"custom\":{},\"more\":1}"), NULL},
        {TARGET("{\"length\":1,\"hashes\":{\"x\":\"y\"},\"custom\":null}"), NULL},
        {"", "\"targets\" is missing"},
        {",\"targets\":[]", "\"targets\" is missing"},
        {TARGET("7"), "a: \"length\""},
        {TARGET("{\"hashes\":{\"x\":\"y\"}}"), "a: \"length\""},
        {TARGET("{\"length\":-1,\"hashes\":{\"x\":\"y\"}}"), "a: \"length\""},
        {TARGET("{\"length\":1}"), "a: \"hashes\""},
        {TARGET("{\"length\":1,\"hashes\":{}}"), "a: \"hashes\""},
        {TARGET("{\"length\":1,\"hashes\":{\"x\":null}}"), "a hash that is no text"},
        {TARGET("{\"length\":1,\"hashes\":{\"x\":\"y\"},\"custom\":[]}"), "a: \"custom\""},
        {TARGET("{\"length\":1,\"hashes\":{\"x\":\"y\"}},\"a\":1"), "a is there twice"},
    };
    check("targets", TUF_TARGETS, cases, COUNT(cases));
}

static void test_meta_find(void **state)
{
    (void)state;
    struct tuf_doc d;
    struct tuf_meta m = {.version = 42};
    struct err e;
    assert_int_equal(read_body("snapshot", TUF_SNAPSHOT,
                               ",\"meta\":{\"a\":{\"version\":9223372036854775807},"
                               "\"b\":{\"version\":2,\"length\":3,\"hashes\":{\"sha256\":\"FF" Z64 "\"}},"
                               "\"c\":{\"version\":2,\"hashes\":{\"md5\":\"00\"}},"
                               "\"d\":{\"version\":2,\"hashes\":{\"md5\":\"00\",\"sha512\":\"" Z64
                               "0000000000000000"
                               "000000000000000000000000000000000000000000000001\"}}}",
                               &d, &e),
                     0);
    assert_int_equal(tuf_meta_find(&d, STR("x"), &m, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "the snapshot does not name x"));
    assert_int_equal(tuf_meta_find(&d, STR("b"), &m, &e), ERR_INVALID); /* 66 digits */
    assert_int_equal(tuf_meta_find(&d, STR("c"), &m, &e), ERR_UNSUPPORTED);
    assert_true(m.version == 42);
    assert_int_equal(tuf_meta_find(&d, STR("a"), &m, &e), 0);
    assert_true(m.version == INT64_MAX && m.length == -1 && !m.has_sha256 && !m.has_sha512);
    assert_int_equal(tuf_meta_find(&d, STR("d"), &m, &e), 0);
    assert_true(m.version == 2 && m.length == -1 && !m.has_sha256 && m.has_sha512 && m.sha512[63] == 1);
}

static int cannot_hash(void *ctx, enum trust_hash which, const void *data, size_t n, unsigned char *out)
{
    (void)ctx, (void)which, (void)data, (void)n, (void)out;
    return ERR_CRYPTO;
}

static void test_meta_check(void **state)
{
    (void)state;
    struct tuf_meta m = {.length = 3, .has_sha256 = true, .has_sha512 = true};
    struct err e;
    struct trust_crypto broken = keys_crypto;
    keys_crypto.hash(NULL, TRUST_SHA256, "foo", 3, m.sha256);
    keys_crypto.hash(NULL, TRUST_SHA512, "foo", 3, m.sha512);
    assert_int_equal(tuf_meta_check(&m, STR("foo"), &keys_crypto, &e), 0);
    assert_int_equal(tuf_meta_check(&m, STR("fooo"), &keys_crypto, &e), ERR_MISMATCH);
    assert_string_equal(e.text, "it has 4 bytes, not 3");
    assert_int_equal(tuf_meta_check(&m, STR("fop"), &keys_crypto, &e), ERR_MISMATCH);
    m.sha256[31] ^= 1; /* each of them counts */
    assert_int_equal(tuf_meta_check(&m, STR("foo"), &keys_crypto, &e), ERR_MISMATCH);
    m.sha256[31] ^= 1;
    m.sha512[63] ^= 1;
    assert_int_equal(tuf_meta_check(&m, STR("foo"), &keys_crypto, &e), ERR_MISMATCH);
    m = (struct tuf_meta){.length = -1};
    assert_int_equal(tuf_meta_check(&m, STR("anything"), &keys_crypto, &e), 0);
    m.length = 0;
    assert_int_equal(tuf_meta_check(&m, STR("x"), &keys_crypto, &e), ERR_MISMATCH);
    m.length = -1;
    m.has_sha256 = true;
    broken.hash = cannot_hash;
    assert_int_equal(tuf_meta_check(&m, STR("foo"), &broken, &e), ERR_CRYPTO);
}

static void test_target_questions(void **state)
{
    (void)state;
    struct tuf_doc d;
    struct tuf_target t = {.length = 42};
    struct tuf_target_iter it;
    struct err e;
    assert_int_equal(read_body("targets", TUF_TARGETS,
                               ",\"targets\":{\"a\":{\"length\":1,\"hashes\":{\"sha256\":\"" Z64 "\"}},"
                               "\"b/c\":{\"length\":2,\"hashes\":{\"sha256\":\"" Z64
                               "\"},\"custom\":{\"x\":1}},"
                               "\"d\":{\"length\":3,\"hashes\":{\"md5\":\"\"}}}",
                               &d, &e),
                     0);
    assert_int_equal(tuf_target_count(&d), 3);
    assert_int_equal(tuf_target_find(&d, STR("b"), &t, &e), ERR_NOT_FOUND);
    assert_int_equal(tuf_target_find(&d, STR("d"), &t, &e), ERR_UNSUPPORTED);
    assert_true(t.length == 42);
    assert_int_equal(tuf_target_find(&d, STR("a"), &t, &e), 0);
    assert_true(t.length == 1 && t.custom == NULL);
    tuf_target_iter_begin(&d, &it);
    assert_int_equal(tuf_target_iter_next(&it, &t, &e), 0);
    assert_int_equal(tuf_target_iter_next(&it, &t, &e), 0);
    assert_true(t.length == 2 && str_is(t.name, "b/c") && t.custom != NULL);
    assert_int_equal(tuf_target_iter_next(&it, &t, &e), ERR_UNSUPPORTED);
    assert_int_equal(tuf_target_iter_next(&it, &t, &e), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timestamps), cmocka_unit_test(test_snapshots),
        cmocka_unit_test(test_targets),    cmocka_unit_test(test_meta_find),
        cmocka_unit_test(test_meta_check), cmocka_unit_test(test_target_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
