/* The reader of manifests, on the vectors that other code made. PQOTA_FLIPS=all turns every bit over. */
#include "trust/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "base/hex.h"
#include "vectors.h"

static struct vector_keys keys;

static int set_up(void **state)
{
    (void)state;
    vector_keys_read(&keys);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vector_fini();
    return 0;
}

/* In memory of exactly their size, so that the sanitizer sees a byte read past the end. */
static int check(const unsigned char *bytes, size_t n, const struct pqota_manifest_trust *trust,
                 const struct pqota_manifest_standing *standing, const struct pqota_manifest_crypto *crypto,
                 uint32_t now_s, struct pqota_manifest *out)
{
    unsigned char *copy = malloc(n + 1), *scratch = malloc(PQOTA_MANIFEST_TBS);
    assert_non_null(copy);
    assert_non_null(scratch);
    if (n > 0)
        memcpy(copy + 1, bytes, n);
    memset(out, 0xA5, sizeof *out);
    int rc = pqota_manifest_check(copy + 1, n, trust, standing, crypto, now_s, scratch, out);
    for (size_t i = 0; rc != PQOTA_MANIFEST_OK && i < sizeof *out; i++)
        assert_int_equal(((unsigned char *)out)[i], 0xA5);
    free(scratch);
    free(copy);
    return rc;
}

/* --- the cases ------------------------------------------------------------------------------------------ */

static int result_of(const char *word)
{
    static const char *const words[] = {"OK",      "MALFORMED", "DIRECTOR", "VENDOR", "DEVICE", "MODEL",
                                        "EXPIRED", "OLD",       "COUNTER",  "STEP",   "INVALID"};
    for (size_t i = 0; i < COUNT(words); i++)
        if (strcmp(words[i], word) == 0)
            return -(int)i;
    fail_msg("no such answer: %s", word);
    return 1;
}

static uint32_t number(yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    assert_true(yyjson_is_uint(v));
    return (uint32_t)yyjson_get_uint(v);
}

static const char *word(yyjson_val *obj, const char *key)
{
    const char *s = yyjson_get_str(yyjson_obj_get(obj, key));
    assert_non_null(s);
    return s;
}

static void take_keys(yyjson_val *list, unsigned char holder[2][PQOTA_MANIFEST_KEY],
                      const unsigned char *out[PQOTA_MANIFEST_KEYS])
{
    for (size_t i = 0; i < yyjson_arr_size(list); i++)
        out[i] = holder[yyjson_get_uint(yyjson_arr_get(list, i)) - 1];
}

/* "*" is a signature of zeros. */
static size_t take_bytes(const char *text, unsigned char *out, size_t size)
{
    size_t n = 0;
    while (*text != '\0') {
        bool sig = *text == '*';
        size_t more = sig ? PQOTA_MANIFEST_SIG : 1;
        assert_true(n + more <= size);
        if (sig)
            memset(out + n, 0, more);
        else
            assert_int_equal(hex_decode((struct str){.p = text, .n = 2}, out + n, 1), 0);
        text += sig ? 1 : 2;
        n += more;
    }
    return n;
}

static void compare(yyjson_val *gives, const struct pqota_manifest *m)
{
    char sha256[SHA256_HEX_SIZE];
    assert_int_equal(m->version, number(gives, "version"));
    assert_int_equal(m->expires_s, number(gives, "expires"));
    assert_int_equal(m->update, yyjson_get_bool(yyjson_obj_get(gives, "update")));
    if (!m->update) {
        assert_int_equal(m->sequence + m->size + m->counter, 0);
        return;
    }
    hex_encode(m->sha256, sizeof m->sha256, sha256);
    assert_string_equal(m->name, word(gives, "name"));
    assert_string_equal(m->release, word(gives, "release"));
    assert_string_equal(sha256, word(gives, "sha256"));
    assert_int_equal(m->sequence, number(gives, "sequence"));
    assert_int_equal(m->upgrade_from, number(gives, "upgrade_from"));
    assert_int_equal(m->counter, number(gives, "counter"));
    assert_int_equal(m->size, number(gives, "size"));
}

static void run_case(yyjson_val *c)
{
    const char *name = word(c, "name"), *file = yyjson_get_str(yyjson_obj_get(c, "file"));
    yyjson_val *t = yyjson_obj_get(c, "trust"), *s = yyjson_obj_get(c, "standing");
    unsigned char bytes[2 * PQOTA_MANIFEST_MAX];
    struct pqota_manifest_trust trust = {.device = word(t, "device"), .model = word(t, "model")};
    take_keys(yyjson_obj_get(t, "vendor"), keys.vendor, trust.vendor);
    take_keys(yyjson_obj_get(t, "director"), keys.director, trust.director);
    const struct pqota_manifest_standing standing = {number(s, "version"), number(s, "sequence"),
                                                     number(s, "counter")};
    struct pqota_manifest out;
    char path[64];
    snprintf(path, sizeof path, "manifest-%s", file != NULL ? file : "");
    size_t n = file != NULL ? vector_read(path, bytes, sizeof bytes)
                            : take_bytes(word(c, "bytes"), bytes, sizeof bytes);
    int rc = check(bytes, n, &trust, &standing, file != NULL ? &vector_crypto : &vector_believes,
                   number(c, "now"), &out);
    if (rc != result_of(word(c, "answer")))
        fail_msg("%s: %d (%s), not %s", name, rc, pqota_manifest_text(rc), word(c, "answer"));
    if (rc == PQOTA_MANIFEST_OK)
        compare(yyjson_obj_get(c, "gives"), &out);
}

static void test_cases(void **state)
{
    (void)state;
    bool seen[-PQOTA_MANIFEST_INVALID + 1] = {false};
    char *text = vector_text("manifest.json");
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    yyjson_val *cases = yyjson_obj_get(yyjson_doc_get_root(doc), "cases"), *c;
    size_t i, most;
    assert_true(yyjson_arr_size(cases) > 150);
    yyjson_arr_foreach(cases, i, most, c)
    {
        run_case(c);
        seen[-result_of(word(c, "answer"))] = true;
    }
    for (int r = 0; r > PQOTA_MANIFEST_INVALID; r--)
        assert_true(seen[-r]);
    yyjson_doc_free(doc);
    free(text);
}

/* --- sizes, flips, cuts --------------------------------------------------------------------------------- */

static struct pqota_manifest_trust usual_trust(void)
{
    return (struct pqota_manifest_trust){.device = "gw-0001",
                                         .model = "gateway",
                                         .vendor = {keys.vendor[0], NULL},
                                         .director = {keys.director[0], NULL}};
}

static void test_size(void **state)
{
    (void)state;
    unsigned char bytes[PQOTA_MANIFEST_MAX];
    size_t n = vector_read("manifest-good", bytes, sizeof bytes);
    print_message("a manifest of gateway gw-0001: %zu bytes\n", n);
    assert_true(n < 5000);
}

static void test_flips(void **state)
{
    (void)state;
    const struct pqota_manifest_trust trust = usual_trust();
    const struct pqota_manifest_standing standing = {0};
    const char *how = getenv("PQOTA_FLIPS");
    bool all = how != NULL && strcmp(how, "all") == 0;
    unsigned char bytes[PQOTA_MANIFEST_MAX];
    struct pqota_manifest out;
    size_t n = vector_read("manifest-good", bytes, sizeof bytes), flips = 0;
    assert_int_equal(check(bytes, n, &trust, &standing, &vector_crypto, 0, &out), PQOTA_MANIFEST_OK);
    for (size_t bit = 0; bit < 8 * n; bit += all ? 1 : 8) {
        unsigned char turned = (unsigned char)(1u << (all ? bit % 8 : bit / 8 % 8));
        bytes[bit / 8] ^= turned;
        int rc = check(bytes, n, &trust, &standing, &vector_crypto, 0, &out);
        if (rc != PQOTA_MANIFEST_MALFORMED && rc != PQOTA_MANIFEST_DIRECTOR)
            fail_msg("bit %zu turned over: %d", bit, rc);
        bytes[bit / 8] ^= turned;
        flips++;
    }
    print_message("%zu bits turned over, one at a time\n", flips);
    assert_int_equal(check(bytes, n, &trust, &standing, &vector_crypto, 0, &out), PQOTA_MANIFEST_OK);
}

/* The director may be in an attacker's hand: then the vendor's signature alone stands. */
static void test_flips_within(void **state)
{
    (void)state;
    const struct pqota_manifest_trust trust = usual_trust();
    const char *how = getenv("PQOTA_FLIPS");
    bool all = how != NULL && strcmp(how, "all") == 0;
    unsigned char entry[PQOTA_MANIFEST_MAX];
    struct manifest_bytes cose = {entry, vector_read("manifest-entry-alone", entry, sizeof entry)};
    struct manifest_signed s;
    struct manifest_image image;
    unsigned char tbs[PQOTA_MANIFEST_TBS];
    for (size_t bit = 0; bit < 8 * cose.n; bit += all ? 1 : 8) {
        unsigned char turned = (unsigned char)(1u << (all ? bit % 8 : bit / 8 % 8));
        entry[bit / 8] ^= turned;
        if (manifest_open(cose, &s)) {
            size_t n = manifest_to_be_signed(MANIFEST_VENDOR, s.payload, tbs);
            assert_int_not_equal(vector_crypto.verify(NULL, trust.vendor[0], tbs, n, s.sig), 0);
        }
        entry[bit / 8] ^= turned;
    }
    assert_true(manifest_open(cose, &s));
    assert_true(manifest_read_image(s.payload, &image));
}

static void test_cuts(void **state)
{
    (void)state;
    const struct pqota_manifest_trust trust = usual_trust();
    const struct pqota_manifest_standing standing = {0};
    unsigned char bytes[PQOTA_MANIFEST_MAX + 1] = {0};
    struct pqota_manifest out;
    size_t n = vector_read("manifest-good", bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut++)
        assert_int_equal(check(bytes, cut, &trust, &standing, &vector_believes, 0, &out),
                         cut == n ? PQOTA_MANIFEST_OK : PQOTA_MANIFEST_MALFORMED);
}

/* --- arguments ------------------------------------------------------------------------------------------ */

static void test_arguments(void **state)
{
    (void)state;
    const struct pqota_manifest_trust good = usual_trust();
    const struct pqota_manifest_standing standing = {0};
    const struct pqota_manifest_crypto none = {NULL, NULL};
    unsigned char bytes[PQOTA_MANIFEST_MAX], scratch[PQOTA_MANIFEST_TBS];
    struct pqota_manifest out;
    size_t n = vector_read("manifest-good", bytes, sizeof bytes);
    struct pqota_manifest_trust t[4] = {good, good, good, good};
    t[0].device = NULL;
    t[1].model = NULL;
    t[2].vendor[0] = NULL;
    t[3].director[0] = NULL;
    for (size_t i = 0; i < COUNT(t); i++)
        assert_int_equal(pqota_manifest_check(bytes, n, &t[i], &standing, &vector_crypto, 0, scratch, &out),
                         PQOTA_MANIFEST_INVALID);
#define CHECK(...) assert_int_equal(pqota_manifest_check(__VA_ARGS__), PQOTA_MANIFEST_INVALID)
    CHECK(NULL, n, &good, &standing, &vector_crypto, 0, scratch, &out);
    CHECK(bytes, n, NULL, &standing, &vector_crypto, 0, scratch, &out);
    CHECK(bytes, n, &good, NULL, &vector_crypto, 0, scratch, &out);
    CHECK(bytes, n, &good, &standing, NULL, 0, scratch, &out);
    CHECK(bytes, n, &good, &standing, &none, 0, scratch, &out);
    CHECK(bytes, n, &good, &standing, &vector_crypto, 0, NULL, &out);
    CHECK(bytes, n, &good, &standing, &vector_crypto, 0, scratch, NULL);
#undef CHECK
    /* The second key alone will do, and so will a manifest that is checked where it lies. */
    struct pqota_manifest_trust second = good;
    second.vendor[0] = second.director[0] = NULL;
    second.vendor[1] = keys.vendor[0];
    second.director[1] = keys.director[0];
    assert_int_equal(pqota_manifest_check(bytes, n, &second, &standing, &vector_crypto, 0, scratch, &out),
                     PQOTA_MANIFEST_OK);
}

static void test_texts(void **state)
{
    (void)state;
    for (int i = PQOTA_MANIFEST_OK; i >= PQOTA_MANIFEST_INVALID; i--)
        for (int k = i - 1; k >= PQOTA_MANIFEST_INVALID; k--)
            assert_string_not_equal(pqota_manifest_text(i), pqota_manifest_text(k));
    assert_string_equal(pqota_manifest_text(1), "an unknown result");
    assert_string_equal(pqota_manifest_text(PQOTA_MANIFEST_INVALID - 1), "an unknown result");
    assert_string_equal(pqota_manifest_text(INT32_MIN), "an unknown result");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),        cmocka_unit_test(test_size), cmocka_unit_test(test_flips),
        cmocka_unit_test(test_flips_within), cmocka_unit_test(test_cuts), cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
