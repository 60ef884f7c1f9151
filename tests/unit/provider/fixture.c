#include "fixture.h"

#include <openssl/core_dispatch.h>

#include "provider/provider.h"

const struct kind kinds[KINDS] = {
    {"ML-KEM-512", "MLKEM512", 800, 1632, 768, 32, 0, 0, false, false, 0x0200, 512, 128},
    {"ML-KEM-768", "MLKEM768", 1184, 2400, 1088, 32, 0, 0, false, false, 0x0201, 768, 192},
    {"ML-KEM-1024", "MLKEM1024", 1568, 3168, 1568, 32, 0, 0, false, false, 0x0202, 1024, 256},
    {"X25519MLKEM768", "X25519MLKEM768", 1216, 2432, 1120, 64, 0, 1184, true, false, 0x11ec, 768, 192},
    {"SecP256r1MLKEM768", "SecP256r1MLKEM768", 1249, 2432, 1153, 64, 65, 0, true, true, 0x11eb, 768, 192},
    {"SecP384r1MLKEM1024", "SecP384r1MLKEM1024", 1665, 3216, 1665, 80, 97, 0, true, true, 0x11ed, 1024, 256},
};

const struct set sets[SETS] = {
    {"ML-DSA-44", "mldsa44", 1312, 2560, 2420, 0x0904, 128},
    {"ML-DSA-65", "mldsa65", 1952, 4032, 3309, 0x0905, 192},
    {"ML-DSA-87", "mldsa87", 2592, 4896, 4627, 0x0906, 256},
};

OSSL_LIB_CTX *libctx;
struct counts counts;

/* ---- our provider, with a count of what it is asked ---- */

static OSSL_FUNC_provider_query_operation_fn *real_query;
static OSSL_FUNC_kem_encapsulate_fn *real_encapsulate;
static OSSL_FUNC_kem_decapsulate_fn *real_decapsulate;
static OSSL_FUNC_signature_sign_fn *real_sign;
static OSSL_FUNC_signature_verify_fn *real_verify;
static OSSL_DISPATCH counting_functions[16], counting_kem[16];
static OSSL_ALGORITHM counting_kems[8];

static int count_encapsulate(void *ctx, unsigned char *out, size_t *out_n, unsigned char *secret,
                             size_t *secret_n)
{
    if (out != NULL)
        counts.encapsulated++;
    return real_encapsulate(ctx, out, out_n, secret, secret_n);
}

static int count_decapsulate(void *ctx, unsigned char *out, size_t *out_n, const unsigned char *in,
                             size_t in_n)
{
    if (out != NULL)
        counts.decapsulated++;
    return real_decapsulate(ctx, out, out_n, in, in_n);
}

static int count_sign(void *ctx, unsigned char *out, size_t *out_n, size_t room, const unsigned char *in,
                      size_t in_n)
{
    if (out != NULL)
        counts.made++;
    return real_sign(ctx, out, out_n, room, in, in_n);
}

static int count_verify(void *ctx, const unsigned char *signature, size_t signature_n,
                        const unsigned char *in, size_t in_n)
{
    counts.verified++;
    return real_verify(ctx, signature, signature_n, in, in_n);
}

/* One table for each parameter set; what counts is the same in all of them. */
static const OSSL_ALGORITHM *counting_signatures(const OSSL_ALGORITHM *real)
{
    static OSSL_DISPATCH tables[SETS][20];
    static OSSL_ALGORITHM all[SETS + 1];
    for (size_t i = 0; real[i].algorithm_names != NULL; i++) {
        for (size_t j = 0; real[i].implementation[j].function_id != 0; j++) {
            OSSL_DISPATCH d = real[i].implementation[j];
            if (d.function_id == OSSL_FUNC_SIGNATURE_SIGN ||
                d.function_id == OSSL_FUNC_SIGNATURE_DIGEST_SIGN) {
                real_sign = OSSL_FUNC_signature_sign(&d);
                d.function = (OSSL_FUNC)count_sign;
            } else if (d.function_id == OSSL_FUNC_SIGNATURE_VERIFY ||
                       d.function_id == OSSL_FUNC_SIGNATURE_DIGEST_VERIFY) {
                real_verify = OSSL_FUNC_signature_verify(&d);
                d.function = (OSSL_FUNC)count_verify;
            }
            tables[i][j] = d;
        }
        all[i] = real[i];
        all[i].implementation = tables[i];
    }
    return all;
}

static const OSSL_ALGORITHM *counting_query(void *provider, int operation, int *no_cache)
{
    const OSSL_ALGORITHM *real = real_query(provider, operation, no_cache);
    if (operation == OSSL_OP_SIGNATURE)
        return counting_signatures(real);
    if (operation != OSSL_OP_KEM)
        return real;
    for (size_t i = 0; real[0].implementation[i].function_id != 0; i++) {
        OSSL_DISPATCH d = real[0].implementation[i];
        if (d.function_id == OSSL_FUNC_KEM_ENCAPSULATE) {
            real_encapsulate = OSSL_FUNC_kem_encapsulate(&d);
            d.function = (OSSL_FUNC)count_encapsulate;
        } else if (d.function_id == OSSL_FUNC_KEM_DECAPSULATE) {
            real_decapsulate = OSSL_FUNC_kem_decapsulate(&d);
            d.function = (OSSL_FUNC)count_decapsulate;
        }
        counting_kem[i] = d;
    }
    for (size_t i = 0; real[i].algorithm_names != NULL; i++) {
        counting_kems[i] = real[i];
        counting_kems[i].implementation = counting_kem;
    }
    return counting_kems;
}

static int counting_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                         void **context)
{
    const OSSL_DISPATCH *real;
    if (!pqlattice_provider_init(core, in, &real, context))
        return 0;
    for (size_t i = 0; real[i].function_id != 0; i++) {
        counting_functions[i] = real[i];
        if (real[i].function_id == OSSL_FUNC_PROVIDER_QUERY_OPERATION) {
            real_query = OSSL_FUNC_provider_query_operation(&real[i]);
            counting_functions[i].function = (OSSL_FUNC)counting_query;
        }
    }
    *out = counting_functions;
    return 1;
}

static void load(struct world *w, OSSL_provider_init_fn *init)
{
    w->libctx = OSSL_LIB_CTX_new();
    assert_non_null(w->libctx);
    assert_int_equal(OSSL_PROVIDER_add_builtin(w->libctx, PQLATTICE_NAME, init), 1);
    w->theirs = OSSL_PROVIDER_load(w->libctx, "default");
    w->ours = OSSL_PROVIDER_load(w->libctx, PQLATTICE_NAME);
    assert_non_null(w->theirs);
    assert_non_null(w->ours);
}

void world_start(struct world *w)
{
    load(w, pqlattice_provider_init);
}

void world_stop(struct world *w)
{
    OSSL_PROVIDER_unload(w->ours);
    OSSL_PROVIDER_unload(w->theirs);
    OSSL_LIB_CTX_free(w->libctx);
}

static struct world common;

int start(void **state)
{
    (void)state;
    load(&common, counting_init);
    libctx = common.libctx;
    return 0;
}

int stop(void **state)
{
    (void)state;
    world_stop(&common);
    return 0;
}

/* ---- keys ---- */

void assert_error(const char *text)
{
    char all[2000] = "", line[400];
    const char *data;
    unsigned long code;
    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, NULL)) != 0) {
        ERR_error_string_n(code, line, sizeof line);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s: %s\n", line, data);
    }
    if (strstr(all, text) == NULL)
        fail_msg("no error says \"%s\", but:\n%s", text, all);
}

static void made(const char *what, int result)
{
    if (result != 1) {
        ERR_print_errors_fp(stderr);
        fail_msg("%s failed", what);
    }
}

static EVP_PKEY *generated(const struct kind *kind, const char *propq, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(libctx, kind->name, propq);
    made(kind->name, c != NULL);
    made("keygen_init", EVP_PKEY_keygen_init(c));
    made("set_params", EVP_PKEY_CTX_set_params(c, params));
    made("keygen", EVP_PKEY_keygen(c, &key));
    EVP_PKEY_CTX_free(c);
    return key;
}

EVP_PKEY *generate(const struct kind *kind, const char *propq)
{
    OSSL_PARAM none[] = {OSSL_PARAM_construct_end()};
    return generated(kind, propq, none);
}

EVP_PKEY *from_seed(const struct kind *kind, const char *propq, const unsigned char seed[64])
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_KEM_SEED, (void *)(uintptr_t)seed, 64),
        OSSL_PARAM_construct_end()};
    return generated(kind, propq, params);
}

void public_bytes(EVP_PKEY *key, struct bytes *out)
{
    made("public key", EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out->p,
                                                       sizeof out->p, &out->n));
}

void private_bytes(EVP_PKEY *key, struct bytes *out)
{
    made("private key",
         EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PRIV_KEY, out->p, sizeof out->p, &out->n));
}

void encapsulate(EVP_PKEY *key, const char *propq, struct bytes *ciphertext, struct bytes *secret)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, key, propq);
    ciphertext->n = secret->n = BYTES_MAX;
    made("encapsulate_init", EVP_PKEY_encapsulate_init(c, NULL));
    made("encapsulate", EVP_PKEY_encapsulate(c, ciphertext->p, &ciphertext->n, secret->p, &secret->n));
    EVP_PKEY_CTX_free(c);
}

void decapsulate(EVP_PKEY *key, const char *propq, const struct bytes *ciphertext, struct bytes *secret)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, key, propq);
    secret->n = BYTES_MAX;
    made("decapsulate_init", EVP_PKEY_decapsulate_init(c, NULL));
    made("decapsulate", EVP_PKEY_decapsulate(c, secret->p, &secret->n, ciphertext->p, ciphertext->n));
    EVP_PKEY_CTX_free(c);
}

EVP_PKEY *moved(EVP_PKEY *key, const char *propq, int selection)
{
    OSSL_PARAM *params = NULL;
    EVP_PKEY *copy = NULL;
    made("todata", EVP_PKEY_todata(key, selection, &params));
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(libctx, EVP_PKEY_get0_type_name(key), propq);
    made("fromdata_init", EVP_PKEY_fromdata_init(c));
    made("fromdata", EVP_PKEY_fromdata(c, &copy, selection, params));
    EVP_PKEY_CTX_free(c);
    OSSL_PARAM_free(params);
    return copy;
}

static const char *provider_of(const EVP_PKEY *key)
{
    return OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key));
}

void assert_ours(const EVP_PKEY *key)
{
    assert_string_equal(provider_of(key), PQLATTICE_NAME);
}

void assert_theirs(const EVP_PKEY *key)
{
    assert_string_equal(provider_of(key), "default");
}

void assert_same(const struct bytes *a, const struct bytes *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->p, b->p, a->n);
}

static OSSL_PARAM *add(OSSL_PARAM *at, const char *name, const struct bytes *value)
{
    if (value != NULL)
        *at++ = OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)value->p, value->n);
    return at;
}

EVP_PKEY *import(const struct kind *kind, const char *propq, const struct bytes *seed,
                 const struct bytes *private_key, const struct bytes *public_key)
{
    OSSL_PARAM params[4], *at = add(params, OSSL_PKEY_PARAM_ML_KEM_SEED, seed);
    EVP_PKEY *key = NULL;
    at = add(at, OSSL_PKEY_PARAM_PRIV_KEY, private_key);
    at = add(at, OSSL_PKEY_PARAM_PUB_KEY, public_key);
    *at = OSSL_PARAM_construct_end();
    ERR_clear_error();
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(libctx, kind->name, propq);
    made("fromdata_init", EVP_PKEY_fromdata_init(c));
    int selection = seed != NULL || private_key != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
    int result = EVP_PKEY_fromdata(c, &key, selection, params);
    assert_int_equal(result == 1, key != NULL);
    EVP_PKEY_CTX_free(c);
    return key;
}

EVP_PKEY *import_public(const struct kind *kind, const char *propq, const struct bytes *public_key)
{
    return import(kind, propq, NULL, NULL, public_key);
}
