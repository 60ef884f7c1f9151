/*
 * What the trust code needs done by a cryptographic library, passed in: it runs beside OpenSSL in the server
 * and beside whatever a device has. Nothing here is secret; signing is src/keys.
 */
#ifndef PQOTA_TRUST_CRYPTO_H
#define PQOTA_TRUST_CRYPTO_H

#include <stddef.h>

#include "trust/scheme.h"

enum trust_hash { TRUST_SHA256, TRUST_SHA512 };
#define TRUST_SHA256_SIZE 32
#define TRUST_SHA512_SIZE 64

struct trust_crypto {
    void *ctx;
    /* Whether `sig` is the key's signature over msg. `key` is in the form that the scheme's row names. ECDSA
       signatures are DER (RFC 3279 section 2.2.3); RSA-PSS has MGF1 with SHA-256 and a salt of any length,
       which is told from the signature (others sign with the hash's length, or with the longest). 0: it is;
       ERR_MISMATCH: it is not, or the key is none; another negative code: it could not be told. */
    int (*verify)(void *ctx, enum trust_scheme scheme, const void *key, size_t key_n, const void *msg,
                  size_t msg_n, const void *sig, size_t sig_n);
    /* The hash of data into out (TRUST_SHA..._SIZE bytes); 0 or negative. */
    int (*hash)(void *ctx, enum trust_hash which, const void *data, size_t n, unsigned char *out);
};

/* What a signature of a `hashed` scheme is over (TAP 21): "tuf", the version of this way of signing, SHA-512
   of the body's canonical form. */
int trust_tbs_hashed(struct str canon, const struct trust_crypto *crypto,
                     unsigned char out[TRUST_TBS_HASHED_SIZE]) MUST_CHECK;

#endif
