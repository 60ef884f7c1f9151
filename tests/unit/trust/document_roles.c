#include "repo.h"
#include "trust/internal.h"

static unsigned char memory[16 << 20];
static struct trust_space space;

static int read_body(enum tuf_type type, const char *members, struct tuf_doc *doc, struct err *e)
{
    char *text =
        text_of("{\"signatures\":[],\"signed\":{\"_type\":\"%s\",\"spec_version\":\"1.0.34\",\"version\":1,"
                "\"expires\":\"" FAR "\"%s}}",
                tuf_type_word(type), members);
    space_init(&space, memory, sizeof memory);
    *e = (struct err){.code = 0};
    int rc = tuf_doc_read(str_of(text), type, &space, doc, e);
    free(text);
    return rc;
}

#define KEY "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":\"00\"}}"
#define GOOD "{\"keyids\":[\"k\"],\"threshold\":1}"

/* keys, root role, the other roles, and what else */
static int read_root(const char *keys, const char *role, const char *others, const char *more,
                     struct tuf_doc *doc, struct err *e)
{
    char *members = text_of(",\"keys\":%s,\"roles\":{\"root\":%s%s}%s", keys, role, others, more);
    int rc = read_body(TUF_ROOT, members, doc, e);
    free(members);
    return rc;
}

#define OTHERS ",\"timestamp\":" GOOD ",\"snapshot\":" GOOD ",\"targets\":" GOOD

static void test_roots(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *role, *others, *more, *words;
    } cases[] = {
        {"{\"k\":" KEY "}", GOOD, OTHERS, "", NULL},
        {"{}", GOOD, OTHERS, "", NULL}, /* an id of no key */
        {"{\"k\":" KEY "}", "{\"keyids\":[],\"threshold\":1}", OTHERS, "", NULL},
        {"{\"k\":" KEY "}", GOOD, OTHERS ",\"mirrors\":7", ",\"x\":1", NULL},
        {"{\"k\":" KEY "}", GOOD, OTHERS, ",\"consistent_snapshot\":true", NULL},
        {"{\"k\":{\"keytype\":\"new\",\"scheme\":\"newer\",\"keyval\":{\"identity\":\"x\"},\"more\":1}}",
         GOOD, OTHERS, "", NULL},
        {"{\"k\":" KEY "}", GOOD, OTHERS, ",\"consistent_snapshot\":1", "\"consistent_snapshot\""},
        {"[]", GOOD, OTHERS, "", "\"keys\" is missing"},
        {"{\"k\":7}", GOOD, OTHERS, "", "the key k has no"},
        {"{\"k\":{\"scheme\":\"x\",\"keyval\":{}}}", GOOD, OTHERS, "", "the key k has no"},
        {"{\"k\":{\"keytype\":\"x\",\"scheme\":1,\"keyval\":{}}}", GOOD, OTHERS, "", "the key k has no"},
        {"{\"k\":{\"keytype\":\"x\",\"scheme\":\"x\",\"keyval\":\"00\"}}", GOOD, OTHERS, "",
         "the key k has no"},
        {"{\"k\":" KEY "}", "7", OTHERS, "", "the role root is missing"},
        {"{\"k\":" KEY "}", GOOD, ",\"timestamp\":" GOOD ",\"targets\":" GOOD, "",
         "the role snapshot is missing"},
        {"{\"k\":" KEY "}", "{\"threshold\":1}", OTHERS, "", "\"keyids\""},
        {"{\"k\":" KEY "}", "{\"keyids\":\"k\",\"threshold\":1}", OTHERS, "", "\"keyids\""},
        {"{\"k\":" KEY "}", "{\"keyids\":[1],\"threshold\":1}", OTHERS, "", "no text"},
        {"{\"k\":" KEY "}", "{\"keyids\":[\"k\",\"l\",\"\\u006b\"],\"threshold\":1}", OTHERS, "",
         "names a key id twice"},
        {"{\"k\":" KEY "}", "{\"keyids\":[\"k\"]}", OTHERS, "", "\"threshold\""},
        {"{\"k\":" KEY "}", "{\"keyids\":[\"k\"],\"threshold\":0}", OTHERS, "", "\"threshold\""},
        {"{\"k\":" KEY "}", "{\"keyids\":[\"k\"],\"threshold\":-1}", OTHERS, "", "\"threshold\""},
        {"{\"k\":" KEY "}", "{\"keyids\":[\"k\"],\"threshold\":\"1\"}", OTHERS, "", "\"threshold\""},
        {"{\"k\":" KEY "}", "{\"keyids\":[\"k\"],\"threshold\":true}", OTHERS, "", "\"threshold\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tuf_doc d;
        struct err e;
        int rc = read_root(cases[i].keys, cases[i].role, cases[i].others, cases[i].more, &d, &e);
        if (rc != (cases[i].words == NULL ? 0 : ERR_INVALID) ||
            (rc != 0 && strstr(e.text, cases[i].words) == NULL))
            fail_msg("%zu: %s", i, e.text);
    }
}

/* One more than may be, and as many as may be. */
static char *repeat(const char *form, int n)
{
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    for (int i = 0; i < n; i++) {
        const char *at = strchr(form, '#');
        fprintf(f, "%s%.*s%d%s", i > 0 ? "," : "", (int)(at - form), form, i, at + 1);
    }
    fclose(f);
    return out;
}

static void test_root_limits(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        struct tuf_doc d;
        struct err e;
        char *list = repeat("\"k#\":" KEY, TUF_KEYS_MAX + more), *keys = text_of("{%s}", list);
        assert_int_equal(read_root(keys, GOOD, OTHERS, "", &d, &e), more == 0 ? 0 : ERR_INVALID);
        free(list);
        free(keys);
        list = repeat("\"k#\"", TUF_ROLE_KEYS_MAX + more);
        char *role = text_of("{\"keyids\":[%s],\"threshold\":1}", list);
        assert_int_equal(read_root("{}", role, OTHERS, "", &d, &e), more == 0 ? 0 : ERR_INVALID);
        free(list);
        free(role);
    }
}

static void test_root_questions(void **state)
{
    (void)state;
    struct tuf_doc d;
    struct tuf_role r;
    struct err e;
    assert_int_equal(
        read_root("{\"k\":" KEY "}",
                  "{\"keyids\":[\"k\",\"l\"],\"threshold\":2,\"pqota\":{\"ml-dsa\":2,\"classical\":1}}",
                  OTHERS, ",\"consistent_snapshot\":true,\"pqota\":{\"repository\":\"image\"}", &d, &e),
        0);
    assert_int_equal(tuf_root_role(&d, TUF_ROOT, &r, &e), 0);
    assert_true(r.threshold == 2 && tuf_role_key_count(&r) == 2 && str_is(r.name, "root"));
    assert_true(r.counts.given && r.counts.need[TRUST_POST_QUANTUM] == 2 &&
                r.counts.need[TRUST_CLASSICAL] == 1);
    assert_int_equal(tuf_root_role(&d, TUF_TARGETS, &r, &e), 0);
    assert_true(r.threshold == 1 && !r.counts.given);
    assert_true(tuf_root_consistent(&d) && str_is(tuf_root_repository(&d), "image"));
    /* A member of that name that means nothing to us is no reason to refuse others' repositories. */
    static const char *const odd[] = {"7", "{}", "{\"ml-dsa\":1}", "{\"ml-dsa\":1,\"classical\":\"1\"}",
                                      "{\"ml-dsa\":-1,\"classical\":1}"};
    for (size_t i = 0; i < COUNT(odd); i++) {
        char *role = text_of("{\"keyids\":[\"k\"],\"threshold\":1,\"pqota\":%s}", odd[i]);
        assert_int_equal(read_root("{\"k\":" KEY "}", role, OTHERS, ",\"pqota\":[]", &d, &e), 0);
        assert_int_equal(tuf_root_role(&d, TUF_ROOT, &r, &e), 0);
        assert_false(r.counts.given);
        assert_true(tuf_root_repository(&d).p == NULL && !tuf_root_consistent(&d));
        free(role);
    }
}

/* --- delegations ---------------------------------------------------------------------------------------- */

static int read_delegations(const char *delegations, struct tuf_doc *d, struct err *e)
{
    char *members = text_of(",\"targets\":{},\"delegations\":%s", delegations);
    int rc = read_body(TUF_TARGETS, members, d, e);
    free(members);
    return rc;
}

#define ROLE(name, more) "{\"name\":" name ",\"keyids\":[\"k\"],\"threshold\":1" more "}"
#define ROLES(list) "{\"keys\":{\"k\":" KEY "},\"roles\":[" list "]}"
#define PATHS ",\"terminating\":false,\"paths\":[\"*\"]"

static void test_delegations(void **state)
{
    (void)state;
    static const struct {
        const char *delegations, *words;
    } cases[] = {
        {ROLES(""), NULL},
        {ROLES(ROLE("\"A\"", PATHS)), NULL},
        {ROLES(ROLE("\"A\"", PATHS) "," ROLE("\"B\"", ",\"path_hash_prefixes\":[\"00\"],\"x\":1")), NULL},
        {"null", "\"delegations\" is no object"},
        {"[]", "\"delegations\" is no object"},
        {"{}", "\"keys\" is missing"},
        {"{\"keys\":{}}", "\"roles\" of the delegations"},
        {"{\"keys\":{},\"roles\":{}}", "\"roles\" of the delegations"},
        {"{\"keys\":{\"k\":1},\"roles\":[]}", "the key k"},
        {ROLES("7"), "a delegated role has no name"},
        {ROLES(ROLE("7", PATHS)), "has no name"},
        {ROLES(ROLE("\"\"", PATHS)), "has no name"},
        {ROLES(ROLE("\"root\"", PATHS)), "a top-level role's"},
        {ROLES(ROLE("\"targets\"", PATHS)), "a top-level role's"},
        {ROLES(ROLE("\"timestamp\"", PATHS)), "a top-level role's"},
        {ROLES(ROLE("\"snapshot\"", PATHS)), "a top-level role's"},
        {ROLES("{\"name\":\"A\",\"threshold\":1" PATHS "}"), "the role A: \"keyids\""},
        {ROLES("{\"name\":\"A\",\"keyids\":[\"k\",\"k\"],\"threshold\":1" PATHS "}"), "a key id twice"},
        {ROLES("{\"name\":\"A\",\"keyids\":[\"k\"],\"threshold\":0" PATHS "}"), "\"threshold\""},
        {ROLES(ROLE("\"A\"", ",\"terminating\":1,\"paths\":[]")), "\"terminating\""},
        {ROLES(ROLE("\"A\"", ",\"terminating\":true")), "there must be one of"},
        {ROLES(ROLE("\"A\"", ",\"paths\":[],\"path_hash_prefixes\":[]")), "there must be one of"},
        {ROLES(ROLE("\"A\"", ",\"paths\":\"*\"")), "its paths are no list"},
        {ROLES(ROLE("\"A\"", ",\"paths\":[1]")), "a path that is no text"},
        {ROLES(ROLE("\"A\"", ",\"path_hash_prefixes\":[1]")), "a path that is no text"},
        {ROLES(ROLE("\"A\"", PATHS) "," ROLE("\"B\"", PATHS) "," ROLE("\"\\u0041\"", PATHS)),
         "delegated to twice"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tuf_doc d;
        struct err e;
        int rc = read_delegations(cases[i].delegations, &d, &e);
        if (rc != (cases[i].words == NULL ? 0 : ERR_INVALID) ||
            (rc != 0 && strstr(e.text, cases[i].words) == NULL))
            fail_msg("%s: %s", cases[i].delegations, e.text);
    }
    struct tuf_doc d;
    struct err e;
    assert_int_equal(read_delegations("{\"keys\":{},\"succinct_roles\":{}}", &d, &e), ERR_UNSUPPORTED);
    assert_non_null(strstr(e.text, "TAP 15"));
}

static void test_delegation_limits(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        struct tuf_doc d;
        struct err e;
        int want = more == 0 ? 0 : ERR_INVALID;
        char *list = repeat(ROLE("\"r#\"", PATHS), TUF_DELEGATIONS_MAX + more),
             *text = text_of(ROLES("%s"), list);
        assert_int_equal(read_delegations(text, &d, &e), want);
        free(list);
        free(text);
        list = repeat("\"p#\"", TUF_PATHS_MAX + more);
        text = text_of(ROLES(ROLE("\"A\"", ",\"paths\":[%s]")), list);
        assert_int_equal(read_delegations(text, &d, &e), want);
        free(list);
        free(text);
        text = text_of(ROLES(ROLE("\"A\"", ",\"paths\":[\"%0*d\"]")), TUF_PATTERN_MAX + more, 0);
        assert_int_equal(read_delegations(text, &d, &e), want);
        free(text);
        text = text_of(ROLES(ROLE("\"%0*d\"", PATHS)), TUF_ROLE_NAME_MAX + more, 0);
        assert_int_equal(read_delegations(text, &d, &e), want);
        free(text);
    }
}

static void test_delegation_questions(void **state)
{
    (void)state;
    struct tuf_doc d;
    struct tuf_delegation g = {.terminating = true};
    struct err e;
    bool fits = false;
    assert_int_equal(
        read_delegations(ROLES(ROLE("\"A\"", ",\"terminating\":true,\"paths\":[\"x/*\",\"y\"]") "," ROLE(
                             "\"B\"", ",\"path_hash_prefixes\":[\"2c26b4\"],"
                                      "\"pqota\":{\"ml-dsa\":1,\"classical\":1}")),
                         &d, &e),
        0);
    assert_int_equal(tuf_delegation_count(&d), 2);
    assert_int_equal(tuf_delegation_at(&d, 2, &g, &e), ERR_NOT_FOUND);
    assert_int_equal(tuf_delegation_find(&d, STR("C"), &g, &e), ERR_NOT_FOUND);
    assert_int_equal(tuf_delegation_find(&d, STR("B"), &g, &e), 0);
    assert_true(!g.terminating && g.paths == NULL && g.prefixes != NULL && g.role.counts.given);
    assert_int_equal(tuf_delegation_fits(&g, STR("foo"), &keys_crypto, &fits, &e), 0);
    assert_true(fits);
    assert_int_equal(tuf_delegation_fits(&g, STR("fop"), &keys_crypto, &fits, &e), 0);
    assert_false(fits);
    assert_int_equal(tuf_delegation_at(&d, 0, &g, &e), 0);
    assert_true(g.terminating && g.prefixes == NULL && str_is(g.role.name, "A") && !g.role.counts.given);
    assert_int_equal(tuf_delegation_fits(&g, STR("y"), &keys_crypto, &fits, &e), 0);
    assert_true(fits);
    assert_int_equal(tuf_delegation_fits(&g, STR("x/y/z"), &keys_crypto, &fits, &e), 0);
    assert_false(fits);
    assert_int_equal(read_body(TUF_TARGETS, ",\"targets\":{}", &d, &e), 0);
    assert_int_equal(tuf_delegation_count(&d), 0);
    assert_int_equal(tuf_delegation_at(&d, 0, &g, &e), ERR_NOT_FOUND);
}

/* --- the same keys -------------------------------------------------------------------------------------- */

#define KEY_OF(public)                                                                                       \
    "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":\"" public "\"}}"
#define OTHER_KIND(public) "{\"keytype\":\"x\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":\"" public "\"}}"
#define NO_PUBLIC "{\"keytype\":\"x\",\"scheme\":\"y\",\"keyval\":{}}"

static void test_same_keys(void **state)
{
    (void)state;
    static const struct {
        const char *keys[2], *ids[2];
        bool same;
    } cases[] = {
        {{"\"a\":" KEY_OF("1"), "\"a\":" KEY_OF("1")}, {"\"a\"", "\"a\""}, true},
        {{"\"a\":" KEY_OF("1"), "\"b\":" KEY_OF("1")}, {"\"a\"", "\"b\""}, true},  /* only another id */
        {{"\"a\":" KEY_OF("1"), "\"a\":" KEY_OF("2")}, {"\"a\"", "\"a\""}, false}, /* only the same id */
        {{"\"a\":" KEY_OF("1"), "\"a\":" OTHER_KIND("1")}, {"\"a\"", "\"a\""}, false},
        {{"\"a\":" KEY_OF("1") ",\"b\":" KEY_OF("2"), "\"a\":" KEY_OF("1") ",\"b\":" KEY_OF("2")},
         {"\"a\",\"b\"", "\"b\",\"a\""},
         true},
        {{"\"a\":" KEY_OF("1") ",\"b\":" KEY_OF("2"), "\"a\":" KEY_OF("1") ",\"b\":" KEY_OF("2")},
         {"\"a\",\"b\"", "\"a\""},
         false},
        {{"\"a\":" KEY_OF("1") ",\"b\":" KEY_OF("2"), "\"a\":" KEY_OF("1") ",\"b\":" KEY_OF("2")},
         {"\"b\"", "\"a\",\"b\""},
         false},
        {{"\"a\":" KEY_OF("1"), "\"a\":" KEY_OF("1")}, {"\"a\"", "\"a\",\"gone\""}, true},
        {{"\"a\":" NO_PUBLIC, "\"a\":" NO_PUBLIC}, {"\"a\"", "\"a\""}, true},
        {{"\"a\":" NO_PUBLIC, "\"b\":" NO_PUBLIC}, {"\"a\"", "\"b\""}, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        static unsigned char other[1 << 20];
        struct tuf_doc d[2];
        struct tuf_role r[2];
        struct err e;
        for (size_t j = 0; j < 2; j++) {
            char *keys = text_of("{%s}", cases[i].keys[j]);
            char *role = text_of("{\"keyids\":[%s],\"threshold\":1}", cases[i].ids[j]);
            if (read_root(keys, role, OTHERS, "", &d[j], &e) != 0)
                fail_msg("%s", e.text);
            if (j == 0) { /* the next one is read into the same memory */
                struct trust_space s;
                struct str text = d[0].text;
                space_init(&s, other, sizeof other);
                assert_int_equal(tuf_doc_read(text, TUF_ROOT, &s, &d[0], &e), 0);
            }
            free(keys);
            free(role);
        }
        assert_int_equal(tuf_root_role(&d[0], TUF_ROOT, &r[0], &e), 0);
        assert_int_equal(tuf_root_role(&d[1], TUF_ROOT, &r[1], &e), 0);
        if (tuf_same_keys(&r[0], &r[1]) != cases[i].same || tuf_same_keys(&r[1], &r[0]) != cases[i].same)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_root_limits),
        cmocka_unit_test(test_root_questions),
        cmocka_unit_test(test_delegations),
        cmocka_unit_test(test_delegation_limits),
        cmocka_unit_test(test_delegation_questions),
        cmocka_unit_test(test_same_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
