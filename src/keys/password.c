#include "keys/password.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/rand.h"

#define ARGON2_VERSION 0x13
#define SALT_SIZE 16
#define HASH_SIZE 32
#define SALT_MAX 64
#define HASH_MAX 64
#define HASH_LEAST 16
#define BASE64_ROOM 96 /* for SALT_MAX or HASH_MAX bytes, padded, and a NUL */

/* A stored string must not make us take a gigabyte, or an hour. */
#define KIB_MAX (4 * PASSWORD_KIB)
#define PASSES_MAX (4 * PASSWORD_PASSES)
#define LANES_MAX 4

struct parameters {
    uint32_t kib, passes, lanes;
    unsigned char salt[SALT_MAX], hash[HASH_MAX];
    size_t salt_size, hash_size;
};

CLEANUP_DEFINE(kdf, EVP_KDF, EVP_KDF_free);
CLEANUP_DEFINE(kdf_ctx, EVP_KDF_CTX, EVP_KDF_CTX_free);
#define auto_kdf CLEANUP(kdf_cleanup)
#define auto_kdf_ctx CLEANUP(kdf_ctx_cleanup)

int password_check(struct str password, struct err *e)
{
    if (password.n < PASSWORD_MIN || password.n > PASSWORD_MAX)
        return err_set(e, ERR_INVALID, "a password has %d to %d bytes", PASSWORD_MIN, PASSWORD_MAX);
    if (!str_is_text(password) || memchr(password.p, '\n', password.n) != NULL ||
        memchr(password.p, '\t', password.n) != NULL)
        return err_set(e, ERR_INVALID, "a password is UTF-8 without control characters");
    return 0;
}

int password_make(char out[PASSWORD_MADE + 1], struct err *e)
{
    /* 32 of them, so that each random byte gives one without bias; none looks like another. */
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char raw[PASSWORD_MADE];
    int rc = rand_bytes(raw, sizeof raw, e);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < PASSWORD_MADE; i++)
        out[i] = letters[raw[i] % 32];
    out[PASSWORD_MADE] = '\0';
    OPENSSL_cleanse(raw, sizeof raw);
    return 0;
}

static int argon2(struct str password, const struct parameters *p, unsigned char *out, struct err *e)
{
    auto_kdf EVP_KDF *kdf = EVP_KDF_fetch(NULL, "ARGON2ID", NULL);
    auto_kdf_ctx EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    uint32_t kib = p->kib, passes = p->passes, lanes = p->lanes, threads = 1, version = ARGON2_VERSION;
    int clean = 1;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)(uintptr_t)password.p, password.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)p->salt, p->salt_size),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ITER, &passes),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_MEMCOST, &kib),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_LANES, &lanes),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_THREADS, &threads),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_VERSION, &version),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_EARLY_CLEAN, &clean),
        OSSL_PARAM_construct_end(),
    };
    /* Early clean wipes the password that OpenSSL copied as soon as it is used. */
    if (ctx == NULL || EVP_KDF_derive(ctx, out, p->hash_size, params) != 1)
        return err_set(e, ERR_CRYPTO, "argon2id did not work; is there memory for %u KiB?", p->kib);
    return 0;
}

/* --- the PHC string ------------------------------------------------------------------------------------- */

/* PHC strings have base64 without its padding. */
static void put_base64(const void *data, size_t n, char *out)
{
    base64_encode(data, n, out);
    char *end = strchr(out, '=');
    if (end != NULL)
        *end = '\0';
}

static bool take_base64(struct str s, unsigned char *out, size_t most, size_t *n)
{
    char padded[BASE64_ROOM];
    unsigned char raw[sizeof padded];
    size_t full = (s.n + 3) / 4 * 4;
    if (s.n == 0 || full >= sizeof padded || s.n % 4 == 1 || memchr(s.p, '=', s.n) != NULL)
        return false;
    memcpy(padded, s.p, s.n);
    memset(padded + s.n, '=', full - s.n);
    if (base64_decode((struct str){.p = padded, .n = full}, raw, n) != 0 || *n > most)
        return false;
    memcpy(out, raw, *n);
    return true;
}

static bool take(struct str *s, const char *literal)
{
    size_t n = strlen(literal);
    if (s->n < n || memcmp(s->p, literal, n) != 0)
        return false;
    s->p += n, s->n -= n;
    return true;
}

static bool take_number(struct str *s, char end, uint32_t max, uint32_t *out)
{
    const char *p = memchr(s->p, end, s->n);
    uint64_t v = 0;
    if (p == NULL || str_to_u64((struct str){.p = s->p, .n = (size_t)(p - s->p)}, max, &v) != 0 || v == 0)
        return false;
    s->n -= (size_t)(p + 1 - s->p);
    s->p = p + 1;
    *out = (uint32_t)v;
    return true;
}

static int parse(const char *phc, struct parameters *p, struct err *e)
{
    struct str s = str_of(phc), salt;
    bool ok = take(&s, "$argon2id$v=19$m=") && take_number(&s, ',', KIB_MAX, &p->kib) && take(&s, "t=") &&
              take_number(&s, ',', PASSES_MAX, &p->passes) && take(&s, "p=") &&
              take_number(&s, '$', LANES_MAX, &p->lanes) && p->kib >= 8 * p->lanes &&
              str_split(&s, '$', &salt) && take_base64(salt, p->salt, SALT_MAX, &p->salt_size) &&
              take_base64(s, p->hash, HASH_MAX, &p->hash_size) && p->salt_size >= 8 &&
              p->hash_size >= HASH_LEAST;
    return ok ? 0
              : err_set(e, ERR_CORRUPT,
                        "what is kept of an account's password is no argon2id, or one with parameters that "
                        "are out of bounds; give the account a new password");
}

static const struct parameters fresh = {
    .kib = PASSWORD_KIB,
    .passes = PASSWORD_PASSES,
    .lanes = PASSWORD_LANES,
    .salt_size = SALT_SIZE,
    .hash_size = HASH_SIZE,
};

int password_hash(struct str password, char phc[PASSWORD_PHC_SIZE], struct err *e)
{
    struct parameters p = fresh;
    char salt[BASE64_ROOM], hash[BASE64_ROOM];
    int rc = password_check(password, e);
    if (rc == 0)
        rc = rand_bytes(p.salt, SALT_SIZE, e);
    if (rc == 0)
        rc = argon2(password, &p, p.hash, e);
    if (rc != 0)
        return rc;
    put_base64(p.salt, SALT_SIZE, salt);
    put_base64(p.hash, HASH_SIZE, hash);
    snprintf(phc, PASSWORD_PHC_SIZE, "$argon2id$v=%d$m=%u,t=%u,p=%u$%s$%s", ARGON2_VERSION, p.kib, p.passes,
             p.lanes, salt, hash);
    return 0;
}

int password_verify(struct str password, const char *phc, bool *right, struct err *e)
{
    struct parameters p = fresh;
    unsigned char made[HASH_MAX];
    if (password.n > PASSWORD_MAX)
        return err_set(e, ERR_INVALID, "a password has at most %d bytes", PASSWORD_MAX);
    int rc = phc != NULL ? parse(phc, &p, e) : 0;
    if (rc == 0)
        rc = argon2(password.p != NULL ? password : STR(""), &p, made, e);
    if (rc == 0)
        *right = mem_eq_consttime(made, p.hash, p.hash_size) && phc != NULL;
    OPENSSL_cleanse(made, sizeof made);
    return rc;
}
