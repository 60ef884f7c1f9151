#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "repo.h"
#include "trust/internal.h"

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *keytype, *name;
        int scheme; /* -1: none */
    } cases[] = {
        {"ml-dsa", "ml-dsa-44/1", TRUST_ML_DSA_44},
        {"ml-dsa", "ml-dsa-65/1", TRUST_ML_DSA_65},
        {"ml-dsa", "ml-dsa-87/1", TRUST_ML_DSA_87},
        {"ed25519", "ed25519", TRUST_ED25519},
        {"ecdsa", "ecdsa-sha2-nistp256", TRUST_ECDSA_P256},
        {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", TRUST_ECDSA_P256},
        {"rsa", "rsassa-pss-sha256", TRUST_RSA_PSS},
        {"rsa", "rsa-pkcs1v15-sha256", TRUST_RSA_PKCS1},
        {"ml-dsa", "ml-dsa-65", -1},
        {"ml-dsa", "ml-dsa-65/2", -1},
        {"ml-dsa", "ml-dsa-65/1 ", -1},
        {"ml-dsa", "ML-DSA-65/1", -1},
        {"ml-dsa-65", "ml-dsa-65/1", -1},
        {"ed25519", "ml-dsa-65/1", -1},
        {"ml-dsa", "ed25519", -1},
        {"rsa", "ed25519", -1},
        {"rsa", "rsassa-pss-sha512", -1},
        {"", "", -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct trust_scheme_row *row =
            trust_scheme_find(str_of(cases[i].keytype), str_of(cases[i].name));
        if ((row != NULL ? (int)row->scheme : -1) != cases[i].scheme)
            fail_msg("%s, %s", cases[i].keytype, cases[i].name);
        if (row != NULL)
            assert_ptr_equal(trust_scheme_row(row->scheme), row);
    }
    assert_null(trust_scheme_find((struct str){.p = NULL, .n = 0}, STR("ed25519")));
}

static int decode(enum trust_scheme scheme, const char *text, unsigned char *out, size_t *n, struct err *e)
{
    return trust_key_decode(trust_scheme_row(scheme), str_of(text), out, n, e);
}

static char *pem_of(const unsigned char *der, size_t n)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *p;
    PEM_write_bio(bio, "PUBLIC KEY", "", der, (long)n);
    long len = BIO_get_mem_data(bio, &p);
    char *text = text_of("%.*s", (int)len, p);
    BIO_free(bio);
    return text;
}

static void test_decodes(void **state)
{
    (void)state;
    static const struct {
        enum trust_scheme scheme;
        const char *type;
        size_t raw;
    } kinds[] = {
        {TRUST_ML_DSA_44, "ML-DSA-44", 1312},
        {TRUST_ML_DSA_65, "ML-DSA-65", 1952},
        {TRUST_ML_DSA_87, "ML-DSA-87", 2592},
    };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, kinds[i].type);
        unsigned char *der = NULL, raw[TRUST_KEY_MAX], out[TRUST_SPKI_MAX];
        size_t raw_n = sizeof raw, n = 7;
        struct err e = {0};
        int der_n = i2d_PUBKEY(k, &der);
        char *pem = pem_of(der, (size_t)der_n);
        assert_int_equal(EVP_PKEY_get_raw_public_key(k, raw, &raw_n), 1);
        assert_int_equal(raw_n, kinds[i].raw);
        assert_int_equal(decode(kinds[i].scheme, pem, out, &n, &e), 0);
        assert_int_equal(n, raw_n);
        assert_memory_equal(out, raw, n);
        /* Its parameter set is the scheme's: not one of the others. */
        for (size_t j = 0; j < COUNT(kinds); j++)
            if (j != i) {
                n = 7;
                assert_int_equal(decode(kinds[j].scheme, pem, out, &n, &e), ERR_INVALID);
                assert_non_null(strstr(e.text, "exactly that parameter set"));
                assert_int_equal(n, 7);
            }
        assert_int_equal(decode(TRUST_ECDSA_P256, pem, out, &n, NULL), ERR_INVALID);
        assert_int_equal(decode(TRUST_RSA_PSS, pem, out, &n, NULL), ERR_INVALID);
        /* A byte of what comes before the key is another: none of them may be. */
        for (size_t at = 0; at < 22; at++) {
            der[at] ^= 1;
            char *bad = pem_of(der, (size_t)der_n);
            assert_int_equal(decode(kinds[i].scheme, bad, out, &n, NULL), ERR_INVALID);
            free(bad);
            der[at] ^= 1;
        }
        free(pem);
        pem = pem_of(der, (size_t)der_n - 1);
        assert_int_equal(decode(kinds[i].scheme, pem, out, &n, NULL), ERR_INVALID);
        free(pem);
        OPENSSL_free(der);
        EVP_PKEY_free(k);
    }
}

static void test_ed25519(void **state)
{
    (void)state;
    unsigned char out[TRUST_SPKI_MAX], raw[64];
    size_t n = 0, raw_n = sizeof raw;
    EVP_PKEY_get_raw_public_key(repo_keys[ED].pkey, raw, &raw_n);
    assert_int_equal(decode(TRUST_ED25519, repo_keys[ED].text, out, &n, NULL), 0);
    assert_int_equal(n, 32);
    assert_memory_equal(out, raw, 32);
    char *cut = text_of("%.63s", repo_keys[ED].text), *more = text_of("%s0", repo_keys[ED].text);
    char *odd = text_of("%.63sg", repo_keys[ED].text);
    assert_int_equal(decode(TRUST_ED25519, cut, out, &n, NULL), ERR_INVALID);
    assert_int_equal(decode(TRUST_ED25519, more, out, &n, NULL), ERR_INVALID);
    assert_int_equal(decode(TRUST_ED25519, odd, out, &n, NULL), ERR_INVALID);
    assert_int_equal(decode(TRUST_ED25519, repo_keys[EC].text, out, &n, NULL), ERR_INVALID);
    free(cut);
    free(more);
    free(odd);
}

/* The same point, compressed; the same RSA key with a length written longer than it need be. Either would be
   a second form of one key. */
static void test_one_form_each(void **state)
{
    (void)state;
    unsigned char out[TRUST_SPKI_MAX], *der = NULL, longer[1024];
    size_t n;
    EVP_PKEY *ec = repo_keys[EC].pkey;
    assert_int_equal(decode(TRUST_ECDSA_P256, repo_keys[EC].text, out, &n, NULL), 0);
    assert_int_equal(n, 91);
    EVP_PKEY *copy = EVP_PKEY_dup(ec);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(copy, "point-format", "compressed"), 1);
    int len = i2d_PUBKEY(copy, &der);
    char *pem = pem_of(der, (size_t)len);
    assert_int_equal(decode(TRUST_ECDSA_P256, pem, out, &n, NULL), ERR_INVALID);
    free(pem);
    OPENSSL_free(der);
    EVP_PKEY_free(copy);
    assert_int_equal(decode(TRUST_RSA_PSS, repo_keys[RSA_PSS].text, out, &n, NULL), 0);
    der = NULL;
    len = i2d_PUBKEY(repo_keys[RSA_PSS].pkey, &der);
    assert_int_equal((int)n, len);
    /* 30 82 hh hh: the same length in three bytes. */
    memcpy(longer + 5, der + 4, (size_t)len - 4);
    longer[0] = 0x30;
    longer[1] = 0x83;
    longer[2] = 0;
    longer[3] = der[2];
    longer[4] = der[3];
    pem = pem_of(longer, (size_t)len + 1);
    assert_int_equal(decode(TRUST_RSA_PSS, pem, out, &n, NULL), ERR_INVALID);
    free(pem);
    memcpy(longer, der, (size_t)len);
    longer[len] = 0; /* something behind it */
    pem = pem_of(longer, (size_t)len + 1);
    assert_int_equal(decode(TRUST_RSA_PSS, pem, out, &n, NULL), ERR_INVALID);
    free(pem);
    for (int cut = 0; cut < 60; cut++) {
        pem = pem_of(der, (size_t)(len - 1 - cut * 4));
        assert_int_equal(decode(TRUST_RSA_PSS, pem, out, &n, NULL), ERR_INVALID);
        free(pem);
    }
    OPENSSL_free(der);
    /* What makes an RSA key this one is its modulus, whatever the exponent. */
    assert_int_equal(decode(TRUST_RSA_PSS, repo_keys[RSA_PSS].text, out, &n, NULL), 0);
    struct str core = trust_key_core(trust_scheme_row(TRUST_RSA_PSS), out, n);
    assert_int_equal(core.n, 256);
    out[n - 1] ^= 2;
    struct str same = trust_key_core(trust_scheme_row(TRUST_RSA_PKCS1), out, n);
    assert_true(str_eq(core, same));
}

/* RSA keys in DER: how many bytes the modulus has, or -1 where there is none to be read. */
static const struct {
    const char *name, *hex;
    int modulus;
} ders[] = {
    {"good", "3023300d06092a864886f70d0101010500031200300f02084123456789abcdef0203010001", 8},
    {"a first bit that is set, with the zero that it needs",
     "3024300d06092a864886f70d01010105000313003010020900c1222222222222220203010001", 8},
    {"the smallest of those", "301d300d06092a864886f70d0101010500030c003009020200800203010001", 1},
    {"more than 127 bytes",
     "30819e300d06092a864886f70d010101050003818c00308188028180414141414141414141414141"
     "41414141414141414141414141414141414141414141414141414141414141414141414141414141"
     "41414141414141414141414141414141414141414141414141414141414141414141414141414141"
     "41414141414141414141414141414141414141414141414141414141414141414141414102030100"
     "01",
     128},
    {"more than 255 bytes",
     "30820121300d06092a864886f70d01010105000382010e0030820109028201004141414141414141"
     "41414141414141414141414141414141414141414141414141414141414141414141414141414141"
     "41414141414141414141414141414141414141414141414141414141414141414141414141414141"
     "41414141414141414141414141414141414141414141414141414141414141414141414141414141"
     "41414141414141414141414141414141414141414141414141414141414141414141414141414141"
     "41414141414141414141414141414141414141414141414141414141414141414141414141414141"
     "41414141414141414141414141414141414141414141414141414141414141414141414141414141"
     "41414141414141410203010001",
     256},
    {"a long form of a short length",
     "308123300d06092a864886f70d0101010500031200300f02084123456789abcdef0203010001", -1},
    {"a longer form of a length",
     "3082009e300d06092a864886f70d010101050003818c003081880281804141414141414141414141"
     "41414141414141414141414141414141414141414141414141414141414141414141414141414141"
     "41414141414141414141414141414141414141414141414141414141414141414141414141414141"
     "41414141414141414141414141414141414141414141414141414141414141414141414141020301"
     "0001",
     -1},
    {"a length without an end",
     "3080300d06092a864886f70d0101010500031200300f02084123456789abcdef02030100010000", -1},
    {"a length of three bytes",
     "3083000023300d06092a864886f70d0101010500031200300f02084123456789abcdef0203010001", -1},
    {"a length past the end", "3024300d06092a864886f70d0101010500031200300f02084123456789abcdef0203010001",
     -1},
    {"a length past the end inside",
     "3023307f06092a864886f70d0101010500031200300f02084123456789abcdef0203010001", -1},
    {"a short sequence inside", "3023300d06092a864886f70d0101010500031200300902084123456789abcdef0203010001",
     -1},
    {"something behind it", "3023300d06092a864886f70d0101010500031200300f02084123456789abcdef020301000100",
     -1},
    {"something behind the bits",
     "3025300d06092a864886f70d0101010500031200300f02084123456789abcdef02030100010500", -1},
    {"something behind the key",
     "3024300d06092a864886f70d0101010500031300300f02084123456789abcdef020301000100", -1},
    {"something in the key", "3025300d06092a864886f70d0101010500031400301102084123456789abcdef02030100010500",
     -1},
    {"bits that are left over", "3023300d06092a864886f70d0101010500031201300f02084123456789abcdef0203010001",
     -1},
    {"no bits", "3011300d06092a864886f70d01010105000300", -1},
    {"bits of nothing", "3012300d06092a864886f70d0101010500030100", -1},
    {"a zero that is not needed", "301e300d06092a864886f70d0101010500030d00300a0203007f110203010001", -1},
    {"a zero alone", "301c300d06092a864886f70d0101010500030b0030080201000203010001", -1},
    {"no modulus", "301b300d06092a864886f70d0101010500030a00300702000203010001", -1},
    {"a negative modulus", "301d300d06092a864886f70d0101010500030c003009020280110203010001", -1},
    {"a negative exponent", "3021300d06092a864886f70d0101010500031000300d02084123456789abcdef020180", -1},
    {"a modulus that is no integer", "301d300d06092a864886f70d0101010500030c003009040241420203010001", -1},
    {"an algorithm without its NULL",
     "3021300b06092a864886f70d010101031200300f02084123456789abcdef0203010001", -1},
    {"RSASSA-PSS in the algorithm",
     "3023300d06092a864886f70d01010a0500031200300f02084123456789abcdef0203010001", -1},
    {"one byte", "30", -1},
    {"two bytes", "3023", -1},
};

static void test_der(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ders); i++) {
        unsigned char der[512], out[TRUST_SPKI_MAX];
        size_t n = strlen(ders[i].hex) / 2, got = 0;
        assert_int_equal(hex_decode(str_of(ders[i].hex), der, n), 0);
        char *pem = pem_of(der, n);
        int rc = decode(TRUST_RSA_PSS, pem, out, &got, NULL);
        if (rc != (ders[i].modulus < 0 ? ERR_INVALID : 0))
            fail_msg("%s", ders[i].name);
        if (rc == 0 && trust_key_core(trust_scheme_row(TRUST_RSA_PSS), out, got).n != (size_t)ders[i].modulus)
            fail_msg("%s: another modulus", ders[i].name);
        free(pem);
    }
}

static void test_pem(void **state)
{
    (void)state;
    const char *good = repo_keys[EC].text;
    unsigned char out[TRUST_SPKI_MAX];
    size_t n, len = strlen(good);
    char *crlf = malloc(2 * len + 1), *p = crlf;
    for (size_t i = 0; i <= len; i++) {
        if (good[i] == '\n')
            *p++ = '\r';
        *p++ = good[i];
    }
    assert_int_equal(decode(TRUST_ECDSA_P256, crlf, out, &n, NULL), 0);
    free(crlf);
    char *cut = text_of("%.*s", (int)len - 1, good);
    assert_int_equal(decode(TRUST_ECDSA_P256, cut, out, &n, NULL), 0);
    free(cut);
    char *const wrong[] = {
        text_of("x%s", good),
        text_of("\n%s", good),
        text_of("%sx", good),
        text_of("%s%s", good, good),
        text_of("%.*s", (int)len - 2, good),
        text_of("%.30s", good),
        text_of("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"),
        text_of("-----BEGIN PUBLIC KEY-----\n\n%s", good + 27),
        text_of("-----BEGIN PUBLIC KEY-----\n====\n%s", good + 27),
        text_of("-----BEGIN PUBLIC KEY-----\nAA==\nAAAA\n-----END PUBLIC KEY-----\n"),
        text_of("-----BEGIN PRIVATE KEY-----\n%s", good + 27),
        text_of("%s", ""),
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (decode(TRUST_ECDSA_P256, wrong[i], out, &n, NULL) != ERR_INVALID)
            fail_msg("%zu: %s", i, wrong[i]);
        free(wrong[i]);
    }
    /* More than fits. */
    char *large = malloc(20000), *to = large;
    to += snprintf(to, 64, "-----BEGIN PUBLIC KEY-----\n");
    for (int i = 0; i < 200; i++)
        to += snprintf(to, 80, "%064d\n", 0);
    snprintf(to, 64, "-----END PUBLIC KEY-----\n");
    assert_int_equal(decode(TRUST_RSA_PSS, large, out, &n, NULL), ERR_INVALID);
    free(large);
    assert_int_equal(
        trust_key_decode(trust_scheme_row(TRUST_RSA_PSS), (struct str){.p = NULL, .n = 0}, out, &n, NULL),
        ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),          cmocka_unit_test(test_decodes), cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_one_form_each), cmocka_unit_test(test_der),     cmocka_unit_test(test_pem),
    };
    return cmocka_run_group_tests(tests, repo_group_up, repo_group_down);
}
