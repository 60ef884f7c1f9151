/* Keys in PEM and DER: written by OpenSSL's encoders, read into our provider where it is preferred. */
#include "fixture.h"

#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/pem.h>

enum form { PRIVATE_PEM, PRIVATE_DER, ENCRYPTED_PEM, PUBLIC_PEM, PUBLIC_DER, FORMS };

static const char password[] = "mellon";

static void write_key(EVP_PKEY *key, enum form form, const char *propq, struct bytes *out)
{
    static const struct {
        const char *type, *structure;
        int selection;
    } rows[FORMS] = {
        [PRIVATE_PEM] = {"PEM", "PrivateKeyInfo", EVP_PKEY_KEYPAIR},
        [PRIVATE_DER] = {"DER", "PrivateKeyInfo", EVP_PKEY_KEYPAIR},
        [ENCRYPTED_PEM] = {"PEM", "EncryptedPrivateKeyInfo", EVP_PKEY_KEYPAIR},
        [PUBLIC_PEM] = {"PEM", "SubjectPublicKeyInfo", EVP_PKEY_PUBLIC_KEY},
        [PUBLIC_DER] = {"DER", "SubjectPublicKeyInfo", EVP_PKEY_PUBLIC_KEY},
    };
    unsigned char *at = out->p;
    OSSL_ENCODER_CTX *e = OSSL_ENCODER_CTX_new_for_pkey(key, rows[form].selection, rows[form].type,
                                                        rows[form].structure, propq);
    assert_non_null(e);
    if (form == ENCRYPTED_PEM) {
        assert_int_equal(OSSL_ENCODER_CTX_set_cipher(e, "AES-256-CBC", NULL), 1);
        assert_int_equal(
            OSSL_ENCODER_CTX_set_passphrase(e, (const unsigned char *)password, sizeof password - 1), 1);
    }
    size_t left = sizeof out->p;
    if (OSSL_ENCODER_to_data(e, &at, &left) != 1) {
        ERR_print_errors_fp(stderr);
        fail_msg("%s as %s", EVP_PKEY_get0_type_name(key), rows[form].structure);
    }
    out->n = sizeof out->p - left;
    OSSL_ENCODER_CTX_free(e);
}

static int tell_password(char *out, int size, int writing, void *arg)
{
    (void)writing;
    (void)arg;
    return snprintf(out, (size_t)size, "%s", password);
}

static EVP_PKEY *read_key(OSSL_LIB_CTX *from, enum form form, const char *propq, const struct bytes *in)
{
    BIO *bio = BIO_new_mem_buf(in->p, (int)in->n);
    EVP_PKEY *key = NULL;
    ERR_clear_error();
    if (form == PUBLIC_PEM)
        key = PEM_read_bio_PUBKEY_ex(bio, NULL, NULL, NULL, from, propq);
    else if (form == PUBLIC_DER)
        key = d2i_PUBKEY_ex_bio(bio, NULL, from, propq);
    else if (form == PRIVATE_DER)
        key = d2i_PrivateKey_ex_bio(bio, NULL, from, propq);
    else
        key = PEM_read_bio_PrivateKey_ex(bio, NULL, tell_password, NULL, from, propq);
    BIO_free(bio);
    return key;
}

/* All whose keys are files: ML-KEM's sets, and ML-DSA's as kinds that have names and sizes alone. */
#define FILES (MLKEMS + SETS)

static struct kind all[FILES];

static int start_with_all(void **state)
{
    for (size_t i = 0; i < MLKEMS; i++)
        all[i] = kinds[i];
    for (size_t i = 0; i < SETS; i++)
        all[MLKEMS + i] = (struct kind){
            .name = sets[i].name, .public_size = sets[i].public_size, .private_size = sets[i].private_size};
    return start(state);
}

static bool signs(const EVP_PKEY *key)
{
    return strncmp(EVP_PKEY_get0_type_name(key), "ML-DSA", 6) == 0;
}

/* That what the public half of one key takes comes from the private half of the other. */
static void work_together(EVP_PKEY *half, const char *half_propq, EVP_PKEY *key, const char *propq)
{
    struct bytes a = {.n = BYTES_MAX}, b, c;
    if (!signs(key)) {
        encapsulate(half, half_propq, &a, &b);
        decapsulate(key, propq, &a, &c);
        assert_same(&b, &c);
        return;
    }
    EVP_MD_CTX *signer = EVP_MD_CTX_new(), *verifier = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit_ex(signer, NULL, NULL, libctx, propq, key, NULL), 1);
    assert_int_equal(EVP_DigestSign(signer, a.p, &a.n, (const unsigned char *)"it", 2), 1);
    assert_int_equal(EVP_DigestVerifyInit_ex(verifier, NULL, NULL, libctx, half_propq, half, NULL), 1);
    assert_int_equal(EVP_DigestVerify(verifier, a.p, a.n, (const unsigned char *)"it", 2), 1);
    EVP_MD_CTX_free(signer);
    EVP_MD_CTX_free(verifier);
}

/* Whoever asks for a key of one set does not get one of another, not even by a seed, which is as long for
 * each. */
static void read_as_each(const struct kind *kind, enum form form, const struct bytes *file)
{
    for (size_t asked = 0; asked < FILES; asked++) {
        EVP_PKEY *found = NULL;
        bool private = form == PRIVATE_DER;
        OSSL_DECODER_CTX *d = OSSL_DECODER_CTX_new_for_pkey(
            &found, "DER", private ? "PrivateKeyInfo" : "SubjectPublicKeyInfo", all[asked].name,
            private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, libctx, OURS);
        const unsigned char *p = file->p;
        size_t n = file->n;
        bool right = &all[asked] == kind;
        assert_int_equal(OSSL_DECODER_from_data(d, &p, &n) == 1, right);
        assert_int_equal(found != NULL, right);
        OSSL_DECODER_CTX_free(d);
        EVP_PKEY_free(found);
    }
}

static void written_and_read(void **state)
{
    static const char *const who[] = {OURS, THEIRS};
    (void)state;
    for (size_t k = 0; k < FILES; k++)
        for (size_t writer = 0; writer < 2; writer++)
            for (int form = 0; form < FORMS; form++) {
                struct bytes file, again;
                EVP_PKEY *key = generate(&all[k], who[writer]);
                write_key(key, (enum form)form, who[writer], &file);
                if (form == PUBLIC_DER)
                    read_as_each(&all[k], PUBLIC_DER, &file);
                EVP_PKEY *ours = read_key(libctx, (enum form)form, OURS, &file);
                EVP_PKEY *theirs = read_key(libctx, (enum form)form, THEIRS, &file);
                assert_non_null(ours);
                assert_ours(ours);
                assert_theirs(theirs);
                assert_int_equal(EVP_PKEY_eq(ours, key), 1);
                assert_int_equal(EVP_PKEY_eq(ours, theirs), 1);
                if (form == PUBLIC_PEM || form == PUBLIC_DER) {
                    work_together(ours, OURS, key, who[writer]);
                } else {
                    struct bytes a, b;
                    private_bytes(ours, &a);
                    private_bytes(key, &b);
                    assert_same(&a, &b);
                }
                if (form != ENCRYPTED_PEM) { /* which has a new salt each time */
                    write_key(ours, (enum form)form, OURS, &again);
                    assert_same(&again, &file);
                }
                EVP_PKEY_free(key);
                EVP_PKEY_free(ours);
                EVP_PKEY_free(theirs);
            }
}

/* RFC 9935 section 6, RFC 9881 section 6: a seed, an expanded key, or both. The forms of before are
 * OpenSSL's to read. */
static void each_form_of_a_private_key(void **state)
{
    static const struct {
        const char *name;
        bool ours, seed;
    } rows[] = {
        {"seed-only", true, true},  {"priv-only", true, false},  {"seed-priv", true, true},
        {"bare-seed", false, true}, {"bare-priv", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        OSSL_LIB_CTX *usual = libctx;
        world_start(&w);
        static const char *const settings[] = {OSSL_PKEY_PARAM_ML_KEM_OUTPUT_FORMATS,
                                               OSSL_PKEY_PARAM_ML_DSA_OUTPUT_FORMATS};
        for (size_t j = 0; j < 2; j++)
            assert_int_equal(OSSL_PROVIDER_add_conf_parameter(w.theirs, settings[j], rows[i].name), 1);
        libctx = w.libctx;
        for (size_t k = 0; k < FILES; k++) {
            struct bytes file, a, b;
            size_t n = 0;
            EVP_PKEY *key = generate(&all[k], OURS);
            write_key(key, PRIVATE_DER, OURS, &file);
            EVP_PKEY *found = read_key(libctx, PRIVATE_DER, OURS, &file);
            assert_non_null(found);
            if (rows[i].ours)
                read_as_each(&all[k], PRIVATE_DER, &file);
            if (rows[i].ours)
                assert_ours(found);
            else
                assert_theirs(found);
            private_bytes(key, &a);
            private_bytes(found, &b);
            assert_same(&a, &b);
            assert_int_equal(EVP_PKEY_get_octet_string_param(found,
                                                             signs(found) ? OSSL_PKEY_PARAM_ML_DSA_SEED
                                                                          : OSSL_PKEY_PARAM_ML_KEM_SEED,
                                                             a.p, sizeof a.p, &n) == 1,
                             rows[i].seed);
            work_together(found, OURS, found, OURS); /* whoever has it */
            EVP_PKEY_free(found);
            write_key(key, PRIVATE_PEM, OURS, &file);
            found = read_key(libctx, PRIVATE_PEM, OURS, &file);
            assert_int_equal(EVP_PKEY_eq(found, key), 1);
            EVP_PKEY_free(key);
            EVP_PKEY_free(found);
        }
        libctx = usual;
        world_stop(&w);
    }
    ERR_clear_error();
}

static void refuses_files_of_bad_keys(void **state)
{
    (void)state;
    for (size_t k = 0; k < FILES; k++) {
        struct bytes file;
        EVP_PKEY *key = generate(&all[k], OURS);
        write_key(key, PRIVATE_DER, OURS, &file);
        file.p[file.n - 64] ^= 1; /* of H(ek) or t0, in the expanded key, which ends the file */
        assert_null(read_key(libctx, PRIVATE_DER, OURS, &file));
        assert_error("the seed is not that of the private key");
        write_key(key, PUBLIC_DER, OURS, &file);
        memset(file.p + file.n - all[k].public_size, 0xff, 2);
        if (!signs(key)) /* to ML-DSA any bytes are a key */
            assert_null(read_key(libctx, PUBLIC_DER, OURS, &file));
        write_key(key, PUBLIC_DER, OURS, &file);
        for (size_t n = 0; n < file.n; n += n < 40 || n > file.n - 10 ? 1 : 97) {
            struct bytes less = file;
            less.n = n;
            assert_null(read_key(libctx, PUBLIC_DER, OURS, &less));
        }
        write_key(key, PRIVATE_DER, OURS, &file);
        for (size_t n = 0; n < file.n; n += n < 200 || n > file.n - 10 ? 1 : 97) {
            struct bytes less = file;
            less.n = n;
            assert_null(read_key(libctx, PRIVATE_DER, OURS, &less));
        }
        EVP_PKEY_free(key);
    }
    ERR_clear_error();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_and_read),
        cmocka_unit_test(each_form_of_a_private_key),
        cmocka_unit_test(refuses_files_of_bad_keys),
    };
    return cmocka_run_group_tests(tests, start_with_all, stop);
}
