#include "repo.h"
#include "trust/canon.h"
#include "trust/internal.h"

static unsigned char memory[8 << 20];
static struct trust_space space;

static int read_text(const char *text, enum tuf_type type, struct tuf_doc *doc, struct err *e)
{
    space_init(&space, memory, sizeof memory);
    *e = (struct err){.code = 0};
    return tuf_doc_read(str_of(text), type, &space, doc, e);
}

#define HEAD(type) "\"_type\":\"" type "\",\"spec_version\":\"1.0.34\",\"version\":7,\"expires\":\"" FAR "\""
#define STAMP HEAD("timestamp") ",\"meta\":{\"snapshot.json\":{\"version\":1}}"
#define ENVELOPE(body) "{\"signatures\":[],\"signed\":{" body "}}"

static void test_reads(void **state)
{
    (void)state;
    struct tuf_doc d;
    struct err e;
    const char text[] = "{\"signatures\": [{\"keyid\": \"k\", \"sig\": \"00\"}], \"more\": [1.5], "
                        "\"signed\": {" STAMP "}} \n";
    assert_int_equal(read_text(text, TUF_TIMESTAMP, &d, &e), 0);
    assert_true(d.type == TUF_TIMESTAMP && d.version == 7 && d.expires_s == 1893456000);
    assert_true(str_is(d.text, text)); /* as it was given */
    assert_true(d.text.p != text);
    assert_memory_equal(d.canon.p, "{\"_type\":\"timestamp\",\"expires\":", 31);
    assert_int_equal(yyjson_arr_size(d.signatures), 1);
}

/* What is wrong in the envelope and in what all bodies have. */
static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "no JSON"},
        {"{", "no JSON"},
        {"null", "no JSON object"},
        {"7", "no JSON object"},
        {"[]", "no JSON object"},
        {ENVELOPE(STAMP) " x", "no JSON"},
        {ENVELOPE(STAMP) "{}", "no JSON"},
        {"\xEF\xBB\xBF" ENVELOPE(STAMP), "no JSON"},
        {"{\"signatures\":[],\"signed\":{" STAMP ",\"x\":\"\xFF\"}}", "no JSON"},
        {"{\"signatures\":[],\"signed\":{" STAMP ",\"x\":\"\\ud800\"}}", "no JSON"},
        {"{\"signed\":{" STAMP "}}", "\"signatures\" is missing"},
        {"{\"signatures\":{},\"signed\":{" STAMP "}}", "\"signatures\" is missing"},
        {"{\"signatures\":[1],\"signed\":{" STAMP "}}", "a signature without"},
        {"{\"signatures\":[{\"keyid\":\"a\"}],\"signed\":{" STAMP "}}", "a signature without"},
        {"{\"signatures\":[{\"sig\":\"a\"}],\"signed\":{" STAMP "}}", "a signature without"},
        {"{\"signatures\":[{\"keyid\":\"a\",\"sig\":1}],\"signed\":{" STAMP "}}", "a signature without"},
        {"{\"signatures\":[{\"keyid\":\"a\",\"sig\":\"\"},{\"keyid\":\"b\",\"sig\":\"\"},"
         "{\"keyid\":\"\\u0061\",\"sig\":\"\"}],\"signed\":{" STAMP "}}",
         "two signatures with the same \"keyid\""},
        {"{\"signatures\":[{\"keyid\":\"a\",\"sig\":\"\",\"sig\":\"\"}],\"signed\":{" STAMP "}}",
         "sig is there twice"},
        {"{\"signatures\":[]}", "\"signed\" is missing"},
        {"{\"signatures\":[],\"signed\":[]}", "\"signed\" is missing"},
        {"{\"signatures\":[],\"signed\":{" STAMP "},\"signed\":{}}", "signed is there twice"},
        {"{\"signatures\":[],\"signatures\":[],\"signed\":{" STAMP "}}", "signatures is there twice"},
        {"{\"signatures\":[],\"sign\\u0065d\":{},\"signed\":{" STAMP "}}", "signed is there twice"},
        {ENVELOPE(STAMP ",\"version\":8"), "version is there twice"},
        {ENVELOPE(STAMP ",\"x\":{\"y\":1,\"y\":1}"), "y is there twice"},
        {ENVELOPE(STAMP ",\"x\":1.5"), "no integer"},
        {ENVELOPE("\"spec_version\":\"1.0\",\"version\":1,\"expires\":\"" FAR "\""), "\"_type\" is missing"},
        {ENVELOPE(HEAD("snapshot") ",\"meta\":{}"), "\"_type\" is snapshot, not timestamp"},
        {ENVELOPE(HEAD("Timestamp") ",\"meta\":{}"), "\"_type\" is Timestamp"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tuf_doc d = {.version = 42};
        struct err e;
        if (read_text(cases[i].text, TUF_TIMESTAMP, &d, &e) != ERR_INVALID ||
            strstr(e.text, cases[i].words) == NULL)
            fail_msg("%s: %s", cases[i].text, e.text);
        assert_true(d.version == 42 && space_mark(&space) == 0);
    }
}

/* A body's member replaced by a wrong one. */
static void test_common_members(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *version, *expires, *words;
    } cases[] = {
        {"\"1.0.34\"", "1", "\"" FAR "\"", NULL},
        {"\"1.0\"", "1", "\"" FAR "\"", NULL},
        {"\"1.99.99\"", "9223372036854775807", "\"" FAR "\"", NULL},
        {"\"2.0.0\"", "1", "\"" FAR "\"", "\"spec_version\" is 2.0.0; versions 1.x are read"},
        {"\"1\"", "1", "\"" FAR "\"", "\"spec_version\""},
        {"\"1.\"", "1", "\"" FAR "\"", "\"spec_version\""},
        {"\"1.0.x\"", "1", "\"" FAR "\"", "\"spec_version\""},
        {"\"1.0.0.0\"", "1", "\"" FAR "\"", "\"spec_version\""},
        {"\"11.0.0\"", "1", "\"" FAR "\"", "\"spec_version\""},
        {"\"\"", "1", "\"" FAR "\"", "\"spec_version\""},
        {"1.0", "1", "\"" FAR "\"", "\"spec_version\" is missing"},
        {"null", "1", "\"" FAR "\"", "\"spec_version\" is missing"},
        {"\"1.0\"", "0", "\"" FAR "\"", "\"version\""},
        {"\"1.0\"", "-1", "\"" FAR "\"", "\"version\""},
        {"\"1.0\"", "1.0", "\"" FAR "\"", "\"version\""},
        {"\"1.0\"", "\"1\"", "\"" FAR "\"", "\"version\""},
        {"\"1.0\"", "true", "\"" FAR "\"", "\"version\""},
        {"\"1.0\"", "null", "\"" FAR "\"", "\"version\""},
        {"\"1.0\"", "9223372036854775808", "\"" FAR "\"", "\"version\""},
        {"\"1.0\"", "1", "\"2030-01-01\"", "\"expires\""},
        {"\"1.0\"", "1", "\"2030-02-30T00:00:00Z\"", "\"expires\""},
        {"\"1.0\"", "1", "1893456000", "\"expires\""},
        {"\"1.0\"", "1", "null", "\"expires\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tuf_doc d;
        struct err e;
        char *text = text_of("{\"signatures\":[],\"signed\":{\"_type\":\"timestamp\",\"spec_version\":%s,"
                             "\"version\":%s,\"expires\":%s,\"meta\":{\"snapshot.json\":{\"version\":1}}}}",
                             cases[i].spec, cases[i].version, cases[i].expires);
        int rc = read_text(text, TUF_TIMESTAMP, &d, &e);
        if (rc != (cases[i].words == NULL ? 0 : ERR_INVALID) ||
            (rc != 0 && strstr(e.text, cases[i].words) == NULL))
            fail_msg("%s: %s", text, e.text);
        free(text);
    }
}

static void test_signature_limit(void **state)
{
    (void)state;
    for (int n = TUF_SIGNATURES_MAX; n <= TUF_SIGNATURES_MAX + 1; n++) {
        char *out = NULL;
        size_t size;
        struct tuf_doc d;
        struct err e;
        FILE *f = open_memstream(&out, &size);
        fputs("{\"signatures\":[", f);
        for (int i = 0; i < n; i++)
            fprintf(f, "%s{\"keyid\":\"%d\",\"sig\":\"\"}", i > 0 ? "," : "", i);
        fputs("],\"signed\":{" STAMP "}}", f);
        fclose(f);
        assert_int_equal(read_text(out, TUF_TIMESTAMP, &d, &e), n == TUF_SIGNATURES_MAX ? 0 : ERR_INVALID);
        free(out);
    }
}

static void test_depth(void **state)
{
    (void)state;
    char *deep = malloc(400000);
    struct tuf_doc d;
    struct err e;
    /* In the body and beside it; yyjson reads any depth without recursion, we refuse it before ours. */
    static const char *const forms[] = {"{\"signatures\":[],\"signed\":{" STAMP ",\"x\":%s}}",
                                        "{\"signatures\":[],\"x\":%s,\"signed\":{" STAMP "}}"};
    for (size_t i = 0; i < COUNT(forms); i++) {
        memset(deep, '[', 150000);
        memset(deep + 150000, ']', 150000);
        deep[300000] = '\0';
        size_t size = strlen(forms[i]) + 300001;
        char *text = malloc(size);
        const char *at = strstr(forms[i], "%s");
        snprintf(text, size, "%.*s%s%s", (int)(at - forms[i]), forms[i], deep, at + 2);
        assert_int_equal(read_text(text, TUF_TIMESTAMP, &d, &e), ERR_INVALID);
        assert_non_null(strstr(e.text, "deeper than 32"));
        free(text);
    }
    free(deep);
}

/* 100 000 members, here and there: an answer at once. */
static void test_many_members(void **state)
{
    (void)state;
    struct err e;
    struct tuf_doc d;
    static const char *const forms[][2] = {
        {"{\"signatures\":[],\"signed\":{" STAMP, "}}"},
        {"{\"signatures\":[],\"signed\":{" STAMP "}", "}"},
        {"{\"signatures\":[{\"keyid\":\"\",\"sig\":\"\"", "}],\"signed\":{" STAMP "}}"},
    };
    for (size_t form = 0; form < COUNT(forms); form++) {
        char *out = NULL;
        size_t size;
        FILE *f = open_memstream(&out, &size);
        fputs(forms[form][0], f);
        for (int i = 0; i < 100000; i++)
            fprintf(f, ",\"%d\":0", i * 7919 % 100000);
        fputs(forms[form][1], f);
        fclose(f);
        assert_int_equal(read_text(out, TUF_TIMESTAMP, &d, &e), 0);
        free(out);
    }
}

static void test_memory(void **state)
{
    (void)state;
    struct tuf_doc d = {.version = 42};
    struct err e;
    bool worked = false;
    const char text[] = ENVELOPE(STAMP);
    for (size_t size = 0; size < 8192; size += 16) {
        space_init(&space, memory, size);
        int rc = tuf_doc_read(str_of(text), TUF_TIMESTAMP, &space, &d, &e);
        if (rc != 0) {
            assert_int_equal(rc, ERR_NOMEM);
            assert_non_null(strstr(e.text, "the memory given is too small"));
            assert_true(!worked && d.version == 42 && space_mark(&space) == 0);
        }
        worked = worked || rc == 0;
    }
    assert_true(worked);
    /* What it keeps: twice the text, its values, its canonical form. */
    space_init(&space, memory, sizeof memory);
    assert_int_equal(tuf_doc_read(str_of(text), TUF_TIMESTAMP, &space, &d, &e), 0);
    assert_true(space_mark(&space) < 3 * sizeof text + 16 * 40 + 128);
}

/* The same for a file with delegations, whose names are sorted in the space, and one that is no JSON. */
static void test_memory_of_delegations(void **state)
{
    (void)state;
    char *out = NULL;
    size_t n;
    struct err e;
    struct tuf_doc d;
    FILE *f = open_memstream(&out, &n);
    fputs("{\"signatures\":[],\"signed\":{" HEAD(
              "targets") ",\"targets\":{},\"delegations\":{\"keys\":{},\"roles\":[",
          f);
    for (int i = 0; i < 200; i++)
        fprintf(f, "%s{\"name\":\"%d\",\"keyids\":[],\"threshold\":1,\"paths\":[]}", i > 0 ? "," : "",
                i * 7 % 200);
    fputs("]}}}", f);
    fclose(f);
    bool worked = false;
    for (size_t size = 0; size < 8 * n; size += 16) {
        space_init(&space, memory, size);
        int rc = tuf_doc_read(str_of(out), TUF_TARGETS, &space, &d, &e);
        assert_true(rc == ERR_NOMEM ? !worked : rc == 0);
        worked = worked || rc == 0;
        space_init(&space, memory, size);
        rc = tuf_doc_read((struct str){.p = out, .n = n - 1}, TUF_TARGETS, &space, &d, &e);
        assert_true(rc == ERR_NOMEM || rc == ERR_INVALID);
    }
    assert_true(worked);
    free(out);
}

/* A role is asked of a root alone. */
static void test_no_root(void **state)
{
    (void)state;
    struct tuf_doc d;
    struct tuf_role r;
    struct err e;
    assert_int_equal(read_text(ENVELOPE(STAMP ",\"roles\":{\"root\":{\"keyids\":[],\"threshold\":1}}"),
                               TUF_TIMESTAMP, &d, &e),
                     0);
    assert_int_equal(tuf_root_role(&d, TUF_ROOT, &r, &e), ERR_INVALID);
}

static void test_read_again(void **state)
{
    (void)state;
    struct tuf_doc d, again;
    struct err e;
    char text[512];
    assert_int_equal(read_text(ENVELOPE(STAMP), TUF_TIMESTAMP, &d, &e), 0);
    space_init(&space, memory, sizeof memory);
    memcpy(text, ENVELOPE(STAMP), sizeof ENVELOPE(STAMP));
    assert_int_equal(doc_read_again(text, sizeof ENVELOPE(STAMP) - 1, TUF_TIMESTAMP, &space, &again, &e), 0);
    assert_true(again.version == d.version && again.expires_s == d.expires_s && again.text.p == NULL &&
                again.canon.p == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_common_members),
        cmocka_unit_test(test_signature_limit),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_read_again),
        cmocka_unit_test(test_memory_of_delegations),
        cmocka_unit_test(test_no_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
