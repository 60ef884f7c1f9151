/* What the files of src/keys share. Nothing outside includes it. */
#ifndef PQOTA_KEYS_INTERNAL_H
#define PQOTA_KEYS_INTERNAL_H

#include <openssl/bio.h>
#include <openssl/evp.h>

#include <stdbool.h>

#include "base/cleanup.h"
#include "keys/keys.h"

#define KEYS_RSA_BITS_MIN 2048 /* NIST SP 800-131A */
#define KEYS_RSA_BITS_MAX 8192 /* an RSA verification costs with the square of it */

CLEANUP_DEFINE(keys_bio, BIO, BIO_free_all);
CLEANUP_DEFINE(keys_pkey, EVP_PKEY, EVP_PKEY_free);
CLEANUP_DEFINE(keys_md_ctx, EVP_MD_CTX, EVP_MD_CTX_free);
#define auto_bio CLEANUP(keys_bio_cleanup)
#define auto_pkey CLEANUP(keys_pkey_cleanup)
#define auto_md_ctx CLEANUP(keys_md_ctx_cleanup)

/* How OpenSSL knows a scheme's keys. */
struct keys_kind {
    enum trust_scheme scheme;
    const char *type;   /* EVP_PKEY type */
    const char *group;  /* of an EC key, NULL for others */
    const char *digest; /* NULL: the scheme hashes by itself */
    int rsa_padding;    /* 0 when it is no RSA */
};
/* NULL: none of our schemes. */
const struct keys_kind *keys_kind_of(enum trust_scheme scheme);
/* Of that type, group and size exactly. */
bool keys_kind_fits(const struct keys_kind *kind, EVP_PKEY *key);

/* Padding and MGF1 digest of a signing or verifying context, by the kind. 1: done. salt: an RSA_PSS_SALTLEN_
   constant or a length. */
int keys_pad(const struct keys_kind *kind, EVP_PKEY_CTX *ctx, int salt);

#endif
