/* Signatures over metadata and manifests. */
#include <openssl/rsa.h>

#include "keys/internal.h"
#include "pki/pki.h"

#define SALT_SIZE 32 /* bytes: the hash's length, as securesystemslib has it */

int keys_sign_raw(const struct sign_key *key, struct str message, struct arena *a, struct str *sig,
                  struct err *e)
{
    const struct keys_kind *kind = keys_kind_of(key->scheme->scheme);
    auto_md_ctx EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    size_t n = TRUST_SIG_MAX;
    unsigned char *out = arena_alloc(a, n);
    if (ctx == NULL || out == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a signature");
    if (EVP_DigestSignInit_ex(ctx, &pctx, kind->digest, NULL, NULL, key->pkey, NULL) != 1 ||
        keys_pad(kind, pctx, SALT_SIZE) != 1 ||
        EVP_DigestSign(ctx, out, &n, (const unsigned char *)message.p, message.n) != 1)
        return pki_err(e, ERR_CRYPTO, "cannot sign with the %s key %.16s...", key->scheme->name, key->keyid);
    *sig = (struct str){.p = (const char *)out, .n = n};
    return 0;
}

/* What a signature over the body is made of: the body itself, or its hash in tbs. */
static int message_of(const struct sign_key *key, struct str canon, unsigned char tbs[TRUST_TBS_HASHED_SIZE],
                      struct str *out)
{
    *out = canon;
    if (!key->scheme->hashed)
        return 0;
    *out = (struct str){.p = (const char *)tbs, .n = TRUST_TBS_HASHED_SIZE};
    return trust_tbs_hashed(canon, &keys_crypto, tbs);
}

int keys_sign(const struct sign_key *key, struct str canon, struct arena *a, struct str *sig, struct err *e)
{
    unsigned char tbs[TRUST_TBS_HASHED_SIZE];
    struct str message;
    if (message_of(key, canon, tbs, &message) != 0)
        return err_set(e, ERR_CRYPTO, "cannot hash what is to be signed");
    return keys_sign_raw(key, message, a, sig, e);
}

bool keys_signed(const struct sign_key *key, struct str canon, struct str sig)
{
    unsigned char tbs[TRUST_TBS_HASHED_SIZE], public[TRUST_SPKI_MAX];
    struct str message;
    size_t n = 0;
    return message_of(key, canon, tbs, &message) == 0 &&
           trust_key_decode(key->scheme, str_of(key->public_text), public, &n, NULL) == 0 &&
           keys_crypto.verify(keys_crypto.ctx, key->scheme->scheme, public, n, message.p, message.n, sig.p,
                              sig.n) == 0;
}
