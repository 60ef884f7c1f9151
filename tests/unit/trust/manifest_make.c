/* Making manifests: the same bytes as the vectors', and what cannot be in one. */
#include "trust/manifest_make.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "trust/manifest.h"
#include "vectors.h"

#define NOW 1795400000

static struct vector_keys keys;

static struct manifest_entry gateway(void)
{
    struct manifest_entry x = {.model = STR("gateway"),
                               .name = STR("gateway-os"),
                               .version = STR("2.4.1"),
                               .sequence = 42,
                               .size = 1835008,
                               .upgrade_from = 40,
                               .counter = 3};
    for (size_t i = 0; i < sizeof x.sha256; i++)
        x.sha256[i] = (unsigned char)i;
    return x;
}

static struct str tail(const unsigned char *bytes, size_t n)
{
    return (struct str){.p = (const char *)bytes + n - PQOTA_MANIFEST_SIG, .n = PQOTA_MANIFEST_SIG};
}

static int verify(void *ctx, enum trust_scheme scheme, const void *key, size_t key_n, const void *msg,
                  size_t msg_n, const void *sig, size_t sig_n)
{
    (void)ctx;
    assert_int_equal(scheme, TRUST_ML_DSA_44);
    assert_int_equal(key_n, PQOTA_MANIFEST_KEY);
    assert_int_equal(sig_n, PQOTA_MANIFEST_SIG);
    return vector_crypto.verify(NULL, key, msg, msg_n, sig) == 0 ? 0 : ERR_MISMATCH;
}
static const struct trust_crypto crypto = {.verify = verify};

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

/* The vectors' signatures fit what is made here: what is signed is the same, to the byte. */
static void test_as_the_vectors(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    unsigned char entry[PQOTA_MANIFEST_MAX], good[PQOTA_MANIFEST_MAX], nothing[PQOTA_MANIFEST_MAX];
    size_t entry_n = vector_read("manifest-entry-alone", entry, sizeof entry);
    size_t good_n = vector_read("manifest-good", good, sizeof good);
    size_t nothing_n = vector_read("manifest-nothing", nothing, sizeof nothing);
    const struct manifest_entry x = gateway();
    struct manifest_draft d;
    struct str made, whole;
    assert_int_equal(manifest_draft_entry(&x, &a, &d, NULL), 0);
    assert_int_equal(vector_crypto.verify(NULL, keys.vendor[0], d.to_be_signed.p, d.to_be_signed.n,
                                          entry + entry_n - PQOTA_MANIFEST_SIG),
                     0);
    assert_int_equal(manifest_seal(&d, tail(entry, entry_n), &a, &made, NULL), 0);
    assert_int_equal(made.n, entry_n);
    assert_memory_equal(made.p, entry, entry_n);

    struct manifest_decision y = {
        .device = STR("gw-0001"), .version = NOW, .expires_s = NOW + 604800, .entry = made};
    assert_int_equal(manifest_draft_decision(&y, &a, &d, NULL), 0);
    assert_int_equal(vector_crypto.verify(NULL, keys.director[0], d.to_be_signed.p, d.to_be_signed.n,
                                          good + good_n - PQOTA_MANIFEST_SIG),
                     0);
    assert_int_equal(manifest_seal(&d, tail(good, good_n), &a, &whole, NULL), 0);
    assert_int_equal(whole.n, good_n);
    assert_memory_equal(whole.p, good, good_n);

    y.entry = (struct str){0};
    assert_int_equal(manifest_draft_decision(&y, &a, &d, NULL), 0);
    assert_int_equal(manifest_seal(&d, tail(nothing, nothing_n), &a, &whole, NULL), 0);
    assert_int_equal(whole.n, nothing_n);
    assert_memory_equal(whole.p, nothing, nothing_n);
}

static void test_read(void **state)
{
    (void)state;
    unsigned char bytes[PQOTA_MANIFEST_MAX];
    struct str cose = {.p = (const char *)bytes};
    struct manifest_entry x = gateway(), got = {0};
    struct err e = {0};
    cose.n = vector_read("manifest-entry-alone", bytes, sizeof bytes);
    assert_int_equal(manifest_entry_read(cose, NULL, NULL, &got, NULL), 0);
    assert_true(manifest_entry_same(&x, &got));
    got = (struct manifest_entry){0};
    assert_int_equal(manifest_entry_read(cose, &crypto, keys.vendor[0], &got, NULL), 0);
    assert_true(manifest_entry_same(&x, &got));
    assert_int_equal(manifest_entry_read(cose, &crypto, keys.vendor[1], &got, &e), ERR_MISMATCH);
    assert_non_null(strstr(e.text, "gateway-os 2.4.1 is not signed"));
    cose.n--;
    assert_int_equal(manifest_entry_read(cose, NULL, NULL, &got, &e), ERR_INVALID);
    cose.n = vector_read("manifest-good", bytes, sizeof bytes); /* no entry, and too large for one */
    assert_int_equal(manifest_entry_read(cose, NULL, NULL, &got, &e), ERR_INVALID);
    got = x;
    cose.n = vector_read("manifest-nothing", bytes, sizeof bytes);
    assert_int_equal(manifest_entry_read(cose, NULL, NULL, &got, &e), ERR_INVALID);
    assert_true(manifest_entry_same(&x, &got));
}

static void test_same(void **state)
{
    (void)state;
    const struct manifest_entry x = gateway();
    struct manifest_entry y[8];
    for (size_t i = 0; i < COUNT(y); i++)
        y[i] = gateway();
    assert_true(manifest_entry_same(&x, &y[0]));
    y[0].model = STR("gatewax");
    y[1].name = STR("gateway");
    y[2].version = STR("2.4.10");
    y[3].sequence++;
    y[4].size--;
    y[5].upgrade_from = 0;
    y[6].counter++;
    y[7].sha256[31] ^= 1;
    for (size_t i = 0; i < COUNT(y); i++)
        assert_false(manifest_entry_same(&x, &y[i]));
}

/* --- what cannot be ---------------------------------------------------------------------------------- */

static void test_refused_entries(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    static char long_name[129];
    memset(long_name, 'x', 128);
    struct manifest_entry x[16];
    int rc[COUNT(x)];
    for (size_t i = 0; i < COUNT(x); i++) {
        x[i] = gateway();
        rc[i] = ERR_INVALID;
    }
    x[0].model = STR("");
    x[1].name = STR("a/b");
    x[2].version = STR("1 0");
    x[3].sequence = 0;
    x[4].size = 0;
    x[5].upgrade_from = -1;
    x[6].counter = -1;
    x[7].sequence = INT64_MIN;
    for (size_t i = 8; i < COUNT(x); i++)
        rc[i] = ERR_UNSUPPORTED;
    x[8].sequence = (int64_t)UINT32_MAX + 1;
    x[9].size = (int64_t)UINT32_MAX + 1;
    x[10].upgrade_from = (int64_t)UINT32_MAX + 1;
    x[11].counter = INT64_MAX;
    x[12].name = str_of(long_name);
    x[13].version = str_of(long_name);
    x[14].model = str_of(long_name);
    x[15].size = INT64_MAX;
    for (size_t i = 0; i < COUNT(x); i++) {
        struct manifest_draft d = {.payload = STR("untouched")};
        struct err e = {0};
        assert_int_equal(manifest_draft_entry(&x[i], &a, &d, &e), rc[i]);
        assert_true(str_is(d.payload, "untouched"));
        assert_true(e.text[0] != '\0');
    }
}

/* The largest entry goes into every device's manifest; one byte more is refused when it is made. */
static void test_largest(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    char text[128];
    memset(text, 'n', sizeof text);
    struct manifest_entry x = gateway();
    struct manifest_draft d;
    struct str sig = {.p = (const char[PQOTA_MANIFEST_SIG]){0}, .n = PQOTA_MANIFEST_SIG}, entry, whole;
    struct err e = {0};
    x.sequence = x.size = x.upgrade_from = x.counter = UINT32_MAX;
    x.model = STR("0123456789");
    x.version = (struct str){text, 50};
    x.name = (struct str){text, 52};
    assert_int_equal(manifest_draft_entry(&x, &a, &d, &e), ERR_UNSUPPORTED);
    assert_non_null(strstr(e.text, "112 bytes together: 111 fit"));
    x.name.n = 51;
    assert_int_equal(manifest_draft_entry(&x, &a, &d, &e), 0);
    assert_int_equal(manifest_seal(&d, sig, &a, &entry, &e), 0);
    assert_int_equal(entry.n, MANIFEST_ENTRY_MAX);
    struct manifest_decision y = {
        .device = {text, 64}, .version = UINT32_MAX, .expires_s = UINT32_MAX, .entry = entry};
    assert_int_equal(manifest_draft_decision(&y, &a, &d, &e), 0);
    assert_int_equal(manifest_seal(&d, sig, &a, &whole, &e), 0);
    assert_int_equal(whole.n, PQOTA_MANIFEST_MAX);
}

static void test_refused_decisions(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    const struct manifest_decision good = {.device = STR("gw-0001"), .version = NOW, .expires_s = NOW + 1};
    struct manifest_decision y[8];
    struct manifest_draft d = {.payload = STR("untouched")};
    for (size_t i = 0; i < COUNT(y); i++)
        y[i] = good;
    y[0].device = STR("");
    y[1].device = STR("a/b");
    y[2].version = 0;
    y[3].version = (int64_t)UINT32_MAX + 1;
    y[4].expires_s = 0;
    y[5].expires_s = INT64_MAX;
    y[6].entry = STR("no entry");
    y[7].version = -1;
    for (size_t i = 0; i < COUNT(y); i++) {
        struct err e = {0};
        assert_int_equal(manifest_draft_decision(&y[i], &a, &d, &e), ERR_INVALID);
        assert_true(e.text[0] != '\0');
        assert_true(str_is(d.payload, "untouched"));
    }
}

static void test_refused_seals(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    static const char data[PQOTA_MANIFEST_MAX];
    struct str out = STR("untouched");
    struct err e = {0};
    struct manifest_draft d = {.payload = {data, 10}};
    assert_int_equal(manifest_seal(&d, (struct str){data, 3309}, &a, &out, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "ml-dsa-44/1"));
    d.payload.n = sizeof data;
    assert_int_equal(manifest_seal(&d, (struct str){data, PQOTA_MANIFEST_SIG}, &a, &out, &e), ERR_TOO_LARGE);
    assert_true(str_is(out, "untouched"));
}

static void test_of_a_target(void **state)
{
    (void)state;
    const struct manifest_entry want = gateway();
    struct tuf_target t = {.name = STR("gateway/gateway-os/2.4.1/os.bin"), .length = want.size};
    const struct trust_custom c = {.name = want.name,
                                   .version = want.version,
                                   .model = want.model,
                                   .sequence = want.sequence,
                                   .upgrade_from = want.upgrade_from,
                                   .counter = want.counter};
    struct manifest_entry got = {0};
    struct err e = {0};
    memcpy(t.sha256, want.sha256, sizeof t.sha256);
    assert_int_equal(manifest_entry_of(&t, &c, &got, &e), ERR_UNSUPPORTED);
    assert_non_null(strstr(e.text, "os.bin has no SHA-256"));
    t.has_sha256 = true;
    assert_int_equal(manifest_entry_of(&t, &c, &got, &e), 0);
    assert_true(manifest_entry_same(&want, &got));
    t.length = (int64_t)UINT32_MAX + 1;
    assert_int_equal(manifest_entry_of(&t, &c, &got, &e), ERR_UNSUPPORTED);
    assert_true(manifest_entry_same(&want, &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_vectors), cmocka_unit_test(test_read),
        cmocka_unit_test(test_same),           cmocka_unit_test(test_refused_entries),
        cmocka_unit_test(test_largest),        cmocka_unit_test(test_refused_decisions),
        cmocka_unit_test(test_refused_seals),  cmocka_unit_test(test_of_a_target),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
