/* Keys in the specification's members and in pqota's own: which count by which rules. */
#include "repo.h"
#include "trust/internal.h"

static unsigned char memory[4 << 20];
static struct trust_space space;

#define BODY                                                                                                 \
    "{\"_type\":\"timestamp\",\"spec_version\":\"1.0.34\",\"version\":1,\"expires\":\"" FAR                  \
    "\",\"meta\":{\"snapshot.json\":{\"version\":1}}}"

/* Key objects by what stands for them in the tables: "@ED" and so on. */
static const struct {
    const char *word;
    int key;
    const char *scheme; /* NULL: its own */
} words[] = {{"@ED0", ED, NULL},     {"@ED1", ED + 1, NULL}, {"@ML0", ML, NULL},
             {"@ML1", ML + 1, NULL}, {"@EC0", EC, NULL},     {"@M87", ML, "ml-dsa-87/1"}};

static void put_object(FILE *f, int key, const char *scheme)
{
    const struct repo_key *k = &repo_keys[key];
    fprintf(f, "{\"keytype\":\"%s\",\"scheme\":\"%s\",\"keyval\":{\"public\":\"", k->row->keytype,
            scheme != NULL ? scheme : k->row->name);
    for (const char *c = k->text; *c != '\0'; c++)
        fprintf(f, *c == '\n' ? "\\n" : "%c", *c);
    fputs("\"}}", f);
}

/* Single quotes are double ones. */
static void put_json(FILE *f, const char *s)
{
    for (; *s != '\0'; s++) {
        size_t w = 0;
        while (w < COUNT(words) && strncmp(s, words[w].word, 4) != 0)
            w++;
        if (w < COUNT(words)) {
            put_object(f, words[w].key, words[w].scheme);
            s += 3;
        } else {
            fputc(*s == '\'' ? '"' : *s, f);
        }
    }
}

/* A root whose four roles are all the same. */
static char *root_of(const char *keys, const char *own, const char *role)
{
    static const char *const roles[] = {"root", "snapshot", "targets", "timestamp"};
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    put_json(f, "{'signatures':[],'signed':{'_type':'root','spec_version':'1.0','version':1,'expires':'" FAR
                "','pqota':");
    put_json(f, own);
    put_json(f, ",'keys':");
    put_json(f, keys);
    for (size_t r = 0; r < COUNT(roles); r++) {
        fprintf(f, r > 0 ? ",\"%s\":" : ",\"roles\":{\"%s\":", roles[r]);
        put_json(f, role);
    }
    fputs("}}}", f);
    fclose(f);
    return out;
}

static struct tuf_role role_in(const char *text, struct tuf_doc *root)
{
    struct tuf_role role;
    struct err e = {0};
    if (tuf_doc_read(str_of(text), TUF_ROOT, &space, root, &e) != 0 ||
        tuf_root_role(root, TUF_TIMESTAMP, &role, &e) != 0)
        fail_msg("%s", e.text);
    return role;
}

/* BODY signed by those keys under these ids. */
struct signature {
    const char *id;
    int key;
};

static struct tuf_doc sign(const struct signature *by, size_t n)
{
    struct tuf_doc doc;
    struct err e = {0};
    char *text = text_of("{\"signatures\":[],\"signed\":" BODY "}"), *out = NULL;
    size_t size;
    assert_int_equal(tuf_doc_read(str_of(text), TUF_TIMESTAMP, &space, &doc, &e), 0);
    FILE *f = open_memstream(&out, &size);
    for (size_t i = 0; i < n; i++) {
        char *sig = repo_sign_bytes(by[i].key, doc.canon);
        fprintf(f, "%s{\"keyid\":\"%s\",\"sig\":\"%s\"}", i > 0 ? "," : "{\"signatures\":[", by[i].id, sig);
        free(sig);
    }
    fputs("],\"signed\":" BODY "}", f);
    fclose(f);
    assert_int_equal(tuf_doc_read(str_of(out), TUF_TIMESTAMP, &space, &doc, &e), 0);
    free(text);
    free(out);
    return doc;
}

/* --- what counts ---------------------------------------------------------------------------------------- */

#define COUNTS(m, c) "'ml-dsa':" #m ",'classical':" #c
#define ROLE(ids, n, own) "{'keyids':" ids ",'threshold':" #n ",'pqota':" own "}"
#define USUAL ROLE("['a']", 1, "{'keyids':['m']," COUNTS(1, 1) "}")
#define TWO ROLE("['a','b']", 2, "{'keyids':['m','n']," COUNTS(2, 2) "}")
#define INVALID ERR_INVALID
#define FEW ERR_MISMATCH
/* 65 ids. */
#define EIGHT(x) "'" x "0','" x "1','" x "2','" x "3','" x "4','" x "5','" x "6','" x "7'"
#define MANY                                                                                                 \
    "['x'," EIGHT("a") "," EIGHT("b") "," EIGHT("c") "," EIGHT("d") "," EIGHT("e") "," EIGHT("f") "," EIGHT( \
        "g") "," EIGHT("h") "]"

static const struct {
    const char *name, *keys, *own, *role;
    const char *signers; /* ids; the keys are those of the table below */
    int both, ordinary;  /* what comes of it by pqota's and by ordinary rules */
    const char *words;   /* by pqota's */
} cases[] = {
    {"as pqota has it", "{'a':@ED0}", "{'keys':{'m':@ML0}}", USUAL, "am", 0, 0, ""},
    {"as TAP 21 has it", "{'a':@ED0,'m':@ML0}", "{}", ROLE("['a','m']", 1, "{" COUNTS(1, 1) "}"), "am", 0, 0,
     ""},
    {"TAP 21, the threshold is of all", "{'a':@ED0,'m':@ML0}", "{}",
     ROLE("['a','m']", 2, "{" COUNTS(1, 1) "}"), "am", 0, 0, ""},
    {"a place each", "{'a':@ED0,'m':@ML0}", "{'keys':{'n':@ML1}}",
     ROLE("['a','m']", 2, "{'keyids':['n']," COUNTS(2, 1) "}"), "amn", 0, 0, ""},
    {"two holders", "{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}", TWO, "abmn", 0, 0, ""},
    {"one holder of two", "{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}", TWO, "am", FEW, FEW,
     "signed by 1 of the 2 keys that the role timestamp needs (ML-DSA: 1 of 2, classical: 1 of 2)"},
    {"ML-DSA does not fill the threshold", "{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}",
     ROLE("['a','b']", 2, "{'keyids':['m','n']," COUNTS(2, 1) "}"), "amn", FEW, FEW,
     "signed by 1 of the 2 keys that the role timestamp needs (ML-DSA: 2 of 2, classical: 1 of 1)"},
    {"every Ed25519 key forged", "{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}", TWO, "ab", FEW, 0,
     "(ML-DSA: 0 of 2, classical: 2 of 2)"},
    {"ML-DSA alone", "{'a':@ED0}", "{'keys':{'m':@ML0}}", USUAL, "m", FEW, FEW,
     "signed by 0 of the 1 keys that the role timestamp needs (ML-DSA: 1 of 1, classical: 0 of 1)"},
    {"the keys stripped", "{'a':@ED0}", "{}", USUAL, "am", FEW, 0, "(ML-DSA: 0 of 1, classical: 1 of 1)"},
    {"the key ids stripped", "{'a':@ED0}", "{'keys':{'m':@ML0}}", ROLE("['a']", 1, "{" COUNTS(1, 1) "}"),
     "am", FEW, 0, "(ML-DSA: 0 of 1, classical: 1 of 1)"},
    {"the role's member stripped", "{'a':@ED0}", "{'keys':{'m':@ML0}}", "{'keyids':['a'],'threshold':1}",
     "am", FEW, 0, "(member \"pqota\")"},
    {"the counts stripped", "{'a':@ED0}", "{'keys':{'m':@ML0}}", ROLE("['a']", 1, "{'keyids':['m']}"), "am",
     FEW, 0, "(member \"pqota\")"},
    {"another key", "{'a':@ED0}", "{'keys':{'m':@ML1}}", USUAL, "am", FEW, 0, "ML-DSA: 0 of 1"},
    {"a swapped parameter set", "{'a':@ED0}", "{'keys':{'m':@M87}}", USUAL, "am", FEW, 0, "ML-DSA: 0 of 1"},
    {"a classical key in its place", "{'a':@ED0}", "{'keys':{'b':@ED1}}",
     ROLE("['a']", 1, "{'keyids':['b']," COUNTS(1, 1) "}"), "ab", FEW, 0,
     "(ML-DSA: 0 of 1, classical: 2 of 1)"},
    {"swapped places", "{'m':@ML0}", "{'keys':{'a':@ED0}}",
     ROLE("['m']", 1, "{'keyids':['a']," COUNTS(1, 1) "}"), "am", 0, 0, ""},
    {"its key is in the other place", "{'a':@ED0,'m':@ML0}", "{'keys':{}}", USUAL, "am", FEW, 0,
     "ML-DSA: 0 of 1"},
    {"its key is in the other place, too", "{'a':@ED0}", "{'keys':{'m':@ML0}}",
     ROLE("['a','m']", 2, "{" COUNTS(1, 1) "}"), "am", FEW, FEW, "ML-DSA: 0 of 1"},
    {"the same key in both places", "{'a':@ED0,'m':@ML0}", "{'keys':{'o':@ML0}}",
     ROLE("['a','m']", 1, "{'keyids':['o']," COUNTS(2, 1) "}"), "amo", FEW, 0,
     "signed by 2 of the 1 keys that the role timestamp needs (ML-DSA: 1 of 2, classical: 1 of 1)"},
    {"the same id in both places", "{'a':@ED0,'m':@ML0}", "{'keys':{'m':@ML0}}",
     ROLE("['a','m']", 1, "{'keyids':['m']," COUNTS(1, 1) "}"), "am", INVALID, 0,
     "member \"pqota\": the role timestamp names a key id twice"},
    {"an id twice", "{'a':@ED0}", "{'keys':{'m':@ML0}}",
     ROLE("['a']", 1, "{'keyids':['m','m']," COUNTS(1, 1) "}"), "am", INVALID, 0, "twice"},
    {"keys that are a list", "{'a':@ED0}", "{'keys':[]}", USUAL, "am", INVALID, 0, "\"keys\""},
    {"a key without a value", "{'a':@ED0}", "{'keys':{'m':{'keytype':'ml-dsa','scheme':'ml-dsa-65/1'}}}",
     USUAL, "am", INVALID, 0, "\"keyval\""},
    {"key ids that are a text", "{'a':@ED0}", "{'keys':{'m':@ML0}}",
     ROLE("['a']", 1, "{'keyids':'m'," COUNTS(1, 1) "}"), "am", INVALID, 0, "\"keyids\""},
    {"a key id that is a number", "{'a':@ED0}", "{'keys':{'m':@ML0}}",
     ROLE("['a']", 1, "{'keyids':['m',1]," COUNTS(1, 1) "}"), "am", INVALID, 0, "no text"},
    {"too many key ids", "{'a':@ED0}", "{'keys':{'m':@ML0}}",
     ROLE("['a']", 1, "{'keyids':" MANY "," COUNTS(1, 1) "}"), "am", INVALID, 0, "at most 64"},
    {"the file's member is a number", "{'a':@ED0}", "5", USUAL, "am", FEW, 0, "ML-DSA: 0 of 1"},
    {"the role's member is a number", "{'a':@ED0}", "{'keys':{'m':@ML0}}", ROLE("['a']", 1, "5"), "am", FEW,
     0, "(member \"pqota\")"},
};

static const struct signature known[] = {{"a", ED},     {"b", ED + 1}, {"m", ML},
                                         {"n", ML + 1}, {"o", ML},     {"c", EC}};

static struct tuf_doc sign_as(const char *signers)
{
    struct signature by[COUNT(known)];
    size_t n = 0;
    for (size_t i = 0; i < COUNT(known); i++)
        if (strchr(signers, known[i].id[0]) != NULL)
            by[n++] = known[i];
    return sign(by, n);
}

static void test_places(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tuf_doc root;
        space_init(&space, memory, sizeof memory);
        char *text = root_of(cases[i].keys, cases[i].own, cases[i].role);
        struct tuf_role role = role_in(text, &root);
        struct tuf_doc doc = sign_as(cases[i].signers);
        for (int both = 0; both < 2; both++) {
            struct tuf_rules rules = {.both_families = both != 0};
            struct err e = {0};
            int rc = tuf_verify(&doc, &role, &rules, &keys_crypto, &space, &e);
            if (rc != (both != 0 ? cases[i].both : cases[i].ordinary) ||
                (both != 0 && strstr(e.text, cases[i].words) == NULL))
                fail_msg("%s, %s rules: %s (%s)", cases[i].name, both != 0 ? "pqota's" : "ordinary",
                         err_word(rc), e.text);
        }
        struct tuf_signer signers[TUF_ROLE_KEYS_MAX];
        size_t n = 0;
        int rc = tuf_signers(&doc, &role, &keys_crypto, &space, signers, COUNT(signers), &n, NULL);
        assert_int_equal(rc, cases[i].both == INVALID ? INVALID : 0);
        assert_int_equal(n, rc == 0 ? tuf_role_key_count(&role) : 0);
        free(text);
    }
}

static void test_asked(void **state)
{
    (void)state;
    struct tuf_doc root;
    struct tuf_key key;
    unsigned char raw[TRUST_SPKI_MAX];
    struct err e;
    space_init(&space, memory, sizeof memory);
    char *text = root_of("{'a':@ED0,'old':@ML1}",
                         "{'keys':{'m':@ML0},'manifest':{'vendor':'m','director':'old','x':'none'}}",
                         ROLE("['a','gone']", 1, "{'keyids':['m']," COUNTS(1, 1) "}"));
    struct tuf_role role = role_in(text, &root);
    assert_int_equal(tuf_role_key_count(&role), 3);
    assert_true(tuf_role_key_at(&role, 0, &key) && str_is(key.id, "a"));
    assert_true(key.scheme == repo_keys[ED].row && str_is(key.public_text, repo_keys[ED].text));
    assert_false(tuf_role_key_at(&role, 1, &key));
    assert_true(str_is(key.id, "gone") && key.scheme == NULL && key.object == NULL);
    assert_true(tuf_role_key_at(&role, 2, &key) && str_is(key.id, "m") && key.scheme == repo_keys[ML].row);
    assert_false(tuf_role_key_at(&role, 3, &key));
    assert_true(tuf_role_key_find(&role, STR("m"), &key) && str_is(key.public_text, repo_keys[ML].text));
    assert_false(tuf_role_key_find(&role, STR("gone"), &key));
    assert_false(tuf_role_key_find(&role, STR("old"), &key));
    /* Of manifests: in either place, here of another kind. */
    assert_true(tuf_manifest_key(&root, "vendor", &key) && str_is(key.id, "m"));
    assert_true(tuf_manifest_key(&root, "director", &key) && str_is(key.id, "old"));
    assert_int_equal(tuf_manifest_key_raw(&root, "vendor", raw, &e), ERR_UNSUPPORTED);
    assert_int_equal(tuf_manifest_key_raw(&root, "x", raw, &e), ERR_NOT_FOUND);
    assert_int_equal(tuf_manifest_key_raw(&root, "y", raw, &e), ERR_NOT_FOUND);
    assert_true(str_is(tuf_manifest_keyid(&root, "x"), "none") && tuf_manifest_keyid(&root, "y").p == NULL);
    free(text);
}

/* --- what need not be checked twice --------------------------------------------------------------------- */

static const struct {
    const char *name, *keys, *own, *role;
    bool both, ordinary;
} nexts[] = {
    {"the same", "{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}", TWO, true, true},
    {"others beside them", "{'b':@ED1,'a':@ED0,'c':@EC0}", "{'keys':{'n':@ML1,'m':@ML0}}", TWO, true, true},
    {"higher", "{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}",
     ROLE("['a','b']", 3, "{'keyids':['m','n']," COUNTS(3, 4) "}"), true, true},
    {"a lower threshold", "{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}",
     ROLE("['a','b']", 1, "{'keyids':['m','n']," COUNTS(2, 2) "}"), false, false},
    {"a lower count of ML-DSA", "{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}",
     ROLE("['a','b']", 2, "{'keyids':['m','n']," COUNTS(1, 2) "}"), false, true},
    {"a lower classical count", "{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}",
     ROLE("['a','b']", 2, "{'keyids':['m','n']," COUNTS(2, 1) "}"), false, true},
    {"no counts", "{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}",
     ROLE("['a','b']", 2, "{'keyids':['m','n']}"), false, true},
    {"one more key", "{'a':@ED0,'b':@ED1,'c':@EC0}", "{'keys':{'m':@ML0,'n':@ML1}}",
     ROLE("['a','b','c']", 2, "{'keyids':['m','n']," COUNTS(2, 2) "}"), false, false},
    {"one less", "{'a':@ED0}", "{'keys':{'m':@ML0,'n':@ML1}}",
     ROLE("['a']", 2, "{'keyids':['m','n']," COUNTS(2, 2) "}"), false, false},
    {"one less of ML-DSA", "{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}",
     ROLE("['a','b']", 2, "{'keyids':['m']," COUNTS(2, 2) "}"), false, true},
    {"one is not there", "{'a':@ED0}", "{'keys':{'m':@ML0,'n':@ML1}}", TWO, false, false},
    {"another key under an id", "{'a':@ED0,'b':@EC0}", "{'keys':{'m':@ML0,'n':@ML1}}", TWO, false, false},
    {"exchanged ids", "{'a':@ED1,'b':@ED0}", "{'keys':{'m':@ML0,'n':@ML1}}", TWO, false, false},
    {"exchanged ids of ML-DSA", "{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML1,'n':@ML0}}", TWO, false, true},
    {"the same keys under other ids", "{'x':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}",
     ROLE("['x','b']", 2, "{'keyids':['m','n']," COUNTS(2, 2) "}"), false, false},
    {"a key in the other place", "{'a':@ED0,'b':@ED1,'m':@ML0}", "{'keys':{'n':@ML1}}",
     ROLE("['a','b','m']", 2, "{'keyids':['n']," COUNTS(2, 2) "}"), false, false},
};

static void test_implied(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(nexts); i++) {
        struct tuf_doc was_doc, is_doc;
        space_init(&space, memory, sizeof memory);
        char *before = root_of("{'a':@ED0,'b':@ED1}", "{'keys':{'m':@ML0,'n':@ML1}}", TWO);
        char *after = root_of(nexts[i].keys, nexts[i].own, nexts[i].role);
        struct tuf_role was = role_in(before, &was_doc), is = role_in(after, &is_doc);
        struct tuf_rules both = {.both_families = true}, ordinary = {.both_families = false};
        if (trust_role_implies(&is, &was, &both) != nexts[i].both ||
            trust_role_implies(&is, &was, &ordinary) != nexts[i].ordinary)
            fail_msg("%s", nexts[i].name);
        free(before);
        free(after);
    }
}

/* --- whose file it is ----------------------------------------------------------------------------------- */

/* Roles share keys: a file that says whose it is stands for no other role, by pqota's rules. */
static void test_whose_file(void **state)
{
    struct world *w = *state;
    struct repo_role *t = &w->repo.timestamp;
    struct err e;
    t->keys[0] = ED;
    t->keys[1] = ML;
    t->n = 2;
    t->ml_dsa = t->classical = 1;
    w->repo.extra = ", \"pqota\": {\"role\": \"timestamp\"}";
    assert_int_equal(repo_verify(&w->repo, true, &e), 0);
    w->repo.extra = ", \"pqota\": {\"role\": \"snapshot\"}";
    assert_int_equal(repo_verify(&w->repo, true, &e), ERR_MISMATCH);
    assert_non_null(strstr(e.text, "of the role snapshot, not of timestamp"));
    assert_int_equal(repo_verify(&w->repo, false, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_implied),
        WORLD_TEST(test_whose_file),
    };
    return cmocka_run_group_tests(tests, repo_group_up, repo_group_down);
}
