#include <openssl/evp.h>

#include "repo.h"
#include "trust/internal.h"
#include "vectors.h"

static unsigned char memory[4 << 20];
static struct trust_space space;

struct given {
    const char *name;
    int keys[6], signers[7];
    int threshold, ml_dsa, classical;
    bool both, good;
    const char *words;
};

static const struct given cases[] = {
    {"one", {ED, -1}, {ED, -1}, 1, 0, 0, false, true, ""},
    {"none",
     {ED, -1},
     {-1},
     1,
     0,
     0,
     false,
     false,
     "signed by 0 of the 1 keys that the role timestamp needs"},
    {"another", {ED, -1}, {ED + 1, -1}, 1, 0, 0, false, false, "signed by 0 of the 1"},
    {"two of two", {ED, ED + 1, -1}, {ED + 1, ED, -1}, 2, 0, 0, false, true, ""},
    {"one of two",
     {ED, ED + 1, -1},
     {ED + 1, -1},
     2,
     0,
     0,
     false,
     false,
     "signed by 1 of the 2 keys that the role timestamp needs (ML-DSA: 0, classical: 1)"},
    {"others are no harm", {ED, -1}, {ED + 1, ED, ED + 2, -1}, 1, 0, 0, false, true, ""},
    {"more than there are keys", {ED, -1}, {ED, -1}, 2, 0, 0, false, false, "signed by 1 of the 2"},
    {"each scheme", {ED, ML, EC, RSA_PSS, -1}, {ED, ML, EC, RSA_PSS, -1}, 4, 0, 0, false, true, ""},
    {"PKCS #1 1.5, others' rules", {RSA_1, -1}, {RSA_1, -1}, 1, 0, 0, false, true, ""},
    {"the same RSA key twice",
     {RSA_1, RSA_PSS, -1},
     {RSA_1, RSA_PSS, -1},
     2,
     0,
     0,
     false,
     false,
     "signed by 1 of the 2"},
    {"both families", {ED, ML, -1}, {ED, ML, -1}, 1, 1, 1, true, true, ""},
    {"ML-DSA stripped", {ED, ML, -1}, {ED, -1}, 1, 1, 1, true, false, "(ML-DSA: 0 of 1, classical: 1 of 1)"},
    {"classical stripped",
     {ED, ML, -1},
     {ML, -1},
     1,
     1,
     1,
     true,
     false,
     "(ML-DSA: 1 of 1, classical: 0 of 1)"},
    {"stripped, others' rules", {ED, ML, -1}, {ED, -1}, 1, 1, 1, false, true, ""},
    {"every Ed25519 key forged",
     {ED, ED + 1, ML, ML + 1, -1},
     {ED, ED + 1, -1},
     2,
     2,
     2,
     true,
     false,
     "(ML-DSA: 0 of 2, classical: 2 of 2)"},
    {"one holder of two",
     {ED, ED + 1, ML, ML + 1, -1},
     {ED, ML, -1},
     2,
     2,
     2,
     true,
     false,
     "(ML-DSA: 1 of 2, classical: 1 of 2)"},
    {"halves of two holders",
     {ED, ED + 1, ML, ML + 1, -1},
     {ED, ED + 1, ML, -1},
     2,
     2,
     2,
     true,
     false,
     "(ML-DSA: 1 of 2, classical: 2 of 2)"},
    {"two holders", {ED, ED + 1, ML, ML + 1, -1}, {ED, ED + 1, ML, ML + 1, -1}, 2, 2, 2, true, true, ""},
    {"counts met, threshold not",
     {ED, ML, ED + 1, -1},
     {ED, ML, -1},
     3,
     1,
     1,
     true,
     false,
     "signed by 2 of the 3"},
    {"no counts", {ED, ML, -1}, {ED, ML, -1}, 1, 0, 0, true, false, "(member \"pqota\")"},
    {"no ML-DSA demanded", {ED, ML, -1}, {ED, ML, -1}, 1, 0, 1, true, false, "at least one ML-DSA"},
    {"no classical demanded", {ED, ML, -1}, {ED, ML, -1}, 1, 1, 0, true, false, "one classical"},
    {"PKCS #1 1.5 is none of ours",
     {RSA_1, ML, -1},
     {RSA_1, ML, -1},
     1,
     1,
     1,
     true,
     false,
     "signed by 1 of the 1 keys that the role timestamp needs (ML-DSA: 1 of 1, classical: 0 of 1)"},
    {"PSS is", {RSA_PSS, ML, -1}, {RSA_PSS, ML, -1}, 1, 1, 1, true, true, ""},
    {"ECDSA is", {EC, ML, -1}, {EC, ML, -1}, 1, 1, 1, true, true, ""},
};

static size_t copy(int *to, const int *from, size_t most)
{
    size_t n = 0;
    for (; n < most && from[n] >= 0; n++)
        to[n] = from[n];
    return n;
}

static void test_counting(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct given *g = &cases[i];
        struct repo_role *t = &w->repo.timestamp;
        struct err e;
        t->n = copy(t->keys, g->keys, COUNT(g->keys));
        t->signers_n = copy(t->signers, g->signers, COUNT(g->signers));
        if (t->signers_n == 0) {
            t->signers_n = 1;
            t->signers[0] = ED + 11;
        }
        t->threshold = g->threshold;
        t->ml_dsa = g->ml_dsa;
        t->classical = g->classical;
        int rc = repo_verify(&w->repo, g->both, &e);
        if (rc != (g->good ? 0 : ERR_MISMATCH) || strstr(e.text, g->words) == NULL)
            fail_msg("%s: %s (%s)", g->name, err_word(rc), e.text);
    }
}

/* --- documents by hand ---------------------------------------------------------------------------------- */

#define BODY                                                                                                 \
    "{\"_type\":\"timestamp\",\"spec_version\":\"1.0.34\",\"version\":1,\"expires\":\"" FAR                  \
    "\",\"meta\":{\"snapshot.json\":{\"version\":1}}}"

/* A key of a role: its id there, its material, and the strings for its kind. */
struct hand_key {
    const char *id;
    int key;
    const char *keytype, *scheme;
    const char *text; /* NULL: the key's */
};

static char *root_by_hand(const struct hand_key *keys, size_t n, int threshold)
{
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    fputs("{\"signatures\":[],\"signed\":{\"_type\":\"root\",\"spec_version\":\"1.0\",\"version\":1,"
          "\"expires\":\"" FAR "\",\"keys\":{",
          f);
    for (size_t i = 0; i < n; i++) {
        const char *text = keys[i].text != NULL ? keys[i].text : repo_keys[keys[i].key].text;
        fprintf(f, "%s\"%s\":{\"keytype\":\"%s\",\"scheme\":\"%s\",\"keyval\":{\"public\":\"",
                i > 0 ? "," : "", keys[i].id, keys[i].keytype, keys[i].scheme);
        for (; *text != '\0'; text++)
            fprintf(f, *text == '\n' ? "\\n" : "%c", *text);
        fputs("\"}}", f);
    }
    fputs("},\"roles\":{", f);
    static const char *const roles[] = {"root", "snapshot", "targets", "timestamp"};
    for (size_t r = 0; r < COUNT(roles); r++) {
        fprintf(f, "%s\"%s\":{\"threshold\":%d,\"keyids\":[", r > 0 ? "," : "", roles[r], threshold);
        for (size_t i = 0; i < n; i++)
            fprintf(f, "%s\"%s\"", i > 0 ? "," : "", keys[i].id);
        fputs("]}", f);
    }
    fputs("}}}", f);
    fclose(f);
    return out;
}

/* sigs: JSON list of signatures. */
static int verify_by_hand(const char *root_text, const char *sigs, const struct trust_crypto *crypto,
                          struct tuf_signer *signers, size_t *count, struct err *e)
{
    struct tuf_doc root, doc;
    struct tuf_role role;
    struct tuf_rules rules = {.both_families = false};
    char *text = text_of("{\"signatures\":%s,\"signed\":" BODY "}", sigs);
    space_init(&space, memory, sizeof memory);
    *e = (struct err){.code = 0};
    if (tuf_doc_read(str_of(root_text), TUF_ROOT, &space, &root, e) != 0 ||
        tuf_doc_read(str_of(text), TUF_TIMESTAMP, &space, &doc, e) != 0)
        fail_msg("%s", e->text);
    free(text);
    assert_int_equal(tuf_root_role(&root, TUF_TIMESTAMP, &role, e), 0);
    if (signers != NULL)
        assert_int_equal(tuf_signers(&doc, &role, crypto, &space, signers, 8, count, e), 0);
    return tuf_verify(&doc, &role, &rules, crypto, &space, e);
}

static char *canon_body(void)
{
    struct tuf_doc doc;
    struct err e;
    char *text = text_of("{\"signatures\":[],\"signed\":" BODY "}");
    space_init(&space, memory, sizeof memory);
    assert_int_equal(tuf_doc_read(str_of(text), TUF_TIMESTAMP, &space, &doc, &e), 0);
    char *out = text_of("%.*s", (int)doc.canon.n, doc.canon.p);
    free(text);
    return out;
}

static char *sig_of(int key)
{
    char *canon = canon_body(), *sig = repo_sign_bytes(key, str_of(canon));
    free(canon);
    return sig;
}

#define ONE(id) "{\"keyid\":\"" id "\",\"sig\":\"%s\"}"

static void test_same_key_under_many_ids(void **state)
{
    (void)state;
    char *upper = strdup(repo_keys[ED].text), *sig = sig_of(ED);
    for (char *p = upper; *p != '\0'; p++)
        *p = (char)(*p >= 'a' && *p <= 'f' ? *p - 32 : *p);
    const struct hand_key keys[] = {
        {"a", ED, "ed25519", "ed25519", NULL},
        {"b", ED, "ed25519", "ed25519", NULL},
        {"c", ED, "ed25519", "ed25519", upper},
    };
    char *root1 = root_by_hand(keys, 3, 1), *root2 = root_by_hand(keys, 3, 2);
    char *sigs = text_of("[" ONE("a") "," ONE("b") "," ONE("c") "]", sig, sig, sig);
    struct tuf_signer signers[8];
    size_t n = 0;
    struct err e;
    assert_int_equal(verify_by_hand(root1, sigs, &keys_crypto, signers, &n, &e), 0);
    assert_int_equal(n, 3);
    assert_true(signers[0].signed_it && signers[1].signed_it && signers[2].signed_it);
    assert_int_equal(verify_by_hand(root2, sigs, &keys_crypto, NULL, NULL, &e), ERR_MISMATCH);
    assert_non_null(strstr(e.text, "signed by 1 of the 2"));
    struct tuf_doc doc;
    struct tuf_role role;
    struct tuf_signer *one = calloc(1, sizeof *one);
    space_init(&space, memory, sizeof memory);
    assert_int_equal(tuf_doc_read(str_of(root1), TUF_ROOT, &space, &doc, &e), 0);
    assert_int_equal(tuf_root_role(&doc, TUF_ROOT, &role, &e), 0);
    assert_int_equal(tuf_signers(&doc, &role, &keys_crypto, &space, one, 1, &n, &e), 0);
    assert_true(n == 1 && str_is(one->keyid, "a") && !one->signed_it);
    free(one);
    free(upper);
    free(sig);
    free(sigs);
    free(root1);
    free(root2);
}

/* What is broken or not known counts for nothing, and what is good beside it still counts. */
static void test_what_counts_for_nothing(void **state)
{
    (void)state;
    const struct hand_key keys[] = {
        {"good", ED, "ed25519", "ed25519", NULL},
        {"kind", ED + 1, "sphincs", "sphincs-shake-256s", NULL},
        {"scheme", ML, "ml-dsa", "ml-dsa-65/2", NULL},
        {"swapped", ML + 1, "ml-dsa", "ml-dsa-87/1", NULL}, /* the set is not the key's */
        {"broken", ED + 2, "ed25519", "ed25519", "00"},
        {"empty", ED + 2, "ed25519", "ed25519", ""},
    };
    char *good = sig_of(ED), *other = sig_of(ED + 1), *ml = sig_of(ML), *ml1 = sig_of(ML + 1);
    char *sigs =
        text_of("[" ONE("good") "," ONE("kind") "," ONE("scheme") "," ONE("swapped") "," ONE(
                    "broken") ","
                              "{\"keyid\":\"empty\",\"sig\":\"\"},{\"keyid\":\"nobody\",\"sig\":\"zz\"}]",
                good, other, ml, ml1, other);
    char *root1 = root_by_hand(keys, COUNT(keys), 1), *root2 = root_by_hand(keys, COUNT(keys), 2);
    struct tuf_signer signers[8];
    size_t n = 0;
    struct err e;
    assert_int_equal(verify_by_hand(root1, sigs, &keys_crypto, signers, &n, &e), 0);
    assert_int_equal(n, COUNT(keys));
    for (size_t i = 0; i < n; i++) {
        assert_true(str_is(signers[i].keyid, keys[i].id));
        assert_int_equal(signers[i].signed_it, i == 0);
    }
    assert_true(signers[1].scheme == NULL && signers[2].scheme == NULL && signers[3].scheme != NULL);
    assert_int_equal(verify_by_hand(root2, sigs, &keys_crypto, NULL, NULL, &e), ERR_MISMATCH);
    assert_non_null(strstr(e.text, "signed by 1 of the 2"));
    free(good);
    free(other);
    free(ml);
    free(ml1);
    free(sigs);
    free(root1);
    free(root2);
}

static void test_signatures_bent(void **state)
{
    (void)state;
    static const int each[] = {ED, ML, EC, RSA_PSS, RSA_1};
    for (size_t i = 0; i < COUNT(each); i++) {
        const struct repo_key *k = &repo_keys[each[i]];
        const struct hand_key key = {"k", each[i], k->row->keytype, k->row->name, NULL};
        char *root = root_by_hand(&key, 1, 1), *sig = sig_of(each[i]), *sigs;
        size_t len = strlen(sig);
        struct err e;
        char *const forms[] = {text_of("%s", sig),
                               text_of("%.*s", (int)len - 2, sig),
                               text_of("%.*s", (int)len - 1, sig),
                               text_of("%s00", sig),
                               text_of("%sg0", sig),
                               text_of(" %s", sig),
                               text_of("%020000d", 0)};
        for (size_t f = 0; f < COUNT(forms); f++) {
            sigs = text_of("[" ONE("k") "]", forms[f]);
            assert_int_equal(verify_by_hand(root, sigs, &keys_crypto, NULL, NULL, &e),
                             f == 0 ? 0 : ERR_MISMATCH);
            free(sigs);
            free(forms[f]);
        }
        for (size_t at = 0; at < len; at += len / 37 + 1) {
            char was = sig[at];
            sig[at] = was == '0' ? '1' : '0';
            sigs = text_of("[" ONE("k") "]", sig);
            assert_int_equal(verify_by_hand(root, sigs, &keys_crypto, NULL, NULL, &e), ERR_MISMATCH);
            free(sigs);
            sig[at] = was;
        }
        free(root);
        free(sig);
    }
}

/* An ML-DSA signature over the bytes themselves, not over TAP 21's prefix and hash; and the reverse for
   Ed25519. */
static void test_tbs(void **state)
{
    (void)state;
    const struct hand_key ml = {"k", ML, "ml-dsa", "ml-dsa-65/1", NULL};
    char *root = root_by_hand(&ml, 1, 1), *canon = canon_body();
    unsigned char sig[8192];
    char hex[2 * sizeof sig + 1];
    size_t n = sizeof sig;
    struct err e;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, repo_keys[ML].pkey), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (unsigned char *)canon, strlen(canon)), 1);
    EVP_MD_CTX_free(ctx);
    hex_encode(sig, n, hex);
    char *sigs = text_of("[" ONE("k") "]", hex);
    assert_int_equal(verify_by_hand(root, sigs, &keys_crypto, NULL, NULL, &e), ERR_MISMATCH);
    free(sigs);
    char *good = sig_of(ML);
    sigs = text_of("[" ONE("k") "]", good);
    assert_int_equal(verify_by_hand(root, sigs, &keys_crypto, NULL, NULL, &e), 0);
    free(sigs);
    free(good);
    free(canon);
    free(root);
}

/* --- crypto that fails ---------------------------------------------------------------------------------- */

static int cannot_verify(void *ctx, enum trust_scheme scheme, const void *key, size_t key_n, const void *msg,
                         size_t msg_n, const void *sig, size_t sig_n)
{
    (void)ctx, (void)scheme, (void)key, (void)key_n, (void)msg, (void)msg_n, (void)sig, (void)sig_n;
    return ERR_NOMEM;
}

static int cannot_hash(void *ctx, enum trust_hash which, const void *data, size_t n, unsigned char *out)
{
    (void)ctx, (void)which, (void)data, (void)n, (void)out;
    return ERR_CRYPTO;
}

static void test_crypto_fails(void **state)
{
    (void)state;
    const struct hand_key ed = {"k", ED, "ed25519", "ed25519", NULL},
                          ml = {"k", ML, "ml-dsa", "ml-dsa-65/1", NULL};
    struct trust_crypto broken = keys_crypto;
    struct err e;
    const struct hand_key *const each[] = {&ed, &ml};
    for (size_t i = 0; i < COUNT(each); i++) {
        char *root = root_by_hand(each[i], 1, 1), *sig = sig_of(each[i]->key);
        char *sigs = text_of("[" ONE("k") "]", sig);
        broken = keys_crypto;
        broken.verify = cannot_verify;
        assert_int_equal(verify_by_hand(root, sigs, &broken, NULL, NULL, &e), ERR_CRYPTO);
        assert_non_null(strstr(e.text, "could not be checked"));
        broken = keys_crypto;
        broken.hash = cannot_hash;
        assert_int_equal(verify_by_hand(root, sigs, &broken, NULL, NULL, &e), ERR_CRYPTO);
        free(root);
        free(sig);
        free(sigs);
    }
}

static void test_memory(void **state)
{
    (void)state;
    const struct hand_key key = {"k", ED, "ed25519", "ed25519", NULL};
    char *root_text = root_by_hand(&key, 1, 1);
    struct tuf_doc root;
    struct tuf_role role;
    struct tuf_rules rules = {.both_families = false};
    struct tuf_signer out[1] = {{.signed_it = true}};
    size_t n = 9;
    struct err e;
    space_init(&space, memory, sizeof memory);
    assert_int_equal(tuf_doc_read(str_of(root_text), TUF_ROOT, &space, &root, &e), 0);
    assert_int_equal(tuf_root_role(&root, TUF_ROOT, &role, &e), 0);
    for (size_t room = 0; room < 12000; room += 1000) {
        space.size = space.used + room;
        int rc = tuf_verify(&root, &role, &rules, &keys_crypto, &space, &e);
        assert_int_equal(rc, room < TRUST_SPKI_MAX + TRUST_SIG_MAX + 65 * 32 ? ERR_NOMEM : ERR_MISMATCH);
    }
    space.size = space.used + 100;
    assert_int_equal(tuf_signers(&root, &role, &keys_crypto, &space, out, 1, &n, &e), ERR_NOMEM);
    assert_int_equal(n, 9);
    free(root_text);
}

static void test_known_answers(void **state)
{
    (void)state;
    char *text = vector_text("tuf-signed.json");
    yyjson_doc *json = yyjson_read(text, strlen(text), 0);
    yyjson_arr_iter it = yyjson_arr_iter_with(yyjson_doc_get_root(json));
    yyjson_val *one;
    struct tuf_doc root, doc;
    struct tuf_rules rules = {.both_families = false};
    int n = 0;
    space_init(&space, memory, sizeof memory);
    while ((one = yyjson_arr_iter_next(&it)) != NULL) {
        static const enum tuf_type types[] = {TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS};
        struct tuf_role role;
        struct err e = {0};
        assert_true(str_is(trust_text_at(one, "type"), tuf_type_word(types[n])));
        if (tuf_doc_read(trust_text_at(one, "text"), types[n], &space, n == 0 ? &root : &doc, &e) != 0)
            fail_msg("%s", e.text);
        assert_int_equal(tuf_root_role(&root, types[n], &role, &e), 0);
        assert_true(role.threshold == 4);
        if (tuf_verify(n == 0 ? &root : &doc, &role, &rules, &keys_crypto, &space, &e) != 0)
            fail_msg("%s", e.text);
        n++;
    }
    assert_int_equal(n, 4);
    yyjson_doc_free(json);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_counting),
        cmocka_unit_test(test_same_key_under_many_ids),
        cmocka_unit_test(test_what_counts_for_nothing),
        cmocka_unit_test(test_signatures_bent),
        cmocka_unit_test(test_tbs),
        cmocka_unit_test(test_crypto_fails),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_known_answers),
    };
    return cmocka_run_group_tests(tests, repo_group_up, repo_group_down);
}
