/*
 * Signing keys of the update metadata, over OpenSSL: made, kept (PKCS#8 encrypted with scrypt, RFC 7914, or
 * wherever an OSSL_STORE URI leads), and used. A holder has a pair: one ML-DSA and one Ed25519 key, in one
 * file. Also the `struct trust_crypto` of programs that have OpenSSL.
 */
#ifndef PQOTA_KEYS_KEYS_H
#define PQOTA_KEYS_KEYS_H

#include <openssl/types.h>

#include "base/arena.h"
#include "base/hex.h"
#include "pki/pki.h"
#include "trust/crypto.h"

#define KEYS_PER_FILE_MAX 8

/* Verifies and hashes by OpenSSL; usable by several threads. */
extern const struct trust_crypto keys_crypto;

struct sign_key {
    EVP_PKEY *pkey;
    const struct trust_scheme_row *scheme;
    char keyid[SHA256_HEX_SIZE]; /* SHA-256 of the canonical form of its TUF key object */
    const char *public_text;     /* keyval.public: hex, or PEM; in the arena it was read into */
};

struct sign_keys { /* what one file or URI held; keys_fini wipes and frees */
    struct sign_key key[KEYS_PER_FILE_MAX];
    size_t count;
};

/* "ml-dsa-87/1" and so on, each becomes one key. */
int keys_generate(const enum trust_scheme *schemes, size_t count, struct arena *a, struct sign_keys *out,
                  struct err *e) MUST_CHECK;
/* All private keys of a file or OSSL_STORE URI; passphrase NULL: an encrypted one is refused. */
int keys_load(const char *uri, const struct pki_passphrase *passphrase, struct arena *a,
              struct sign_keys *out, struct err *e) MUST_CHECK;
/* One PEM file, mode 0600, atomically; ERR_CONFLICT when it is there. passphrase NULL: not encrypted. */
int keys_save(const struct sign_keys *keys, const char *path, const char *passphrase,
              struct err *e) MUST_CHECK;
void keys_fini(struct sign_keys *keys);
#define auto_keys __attribute__((cleanup(keys_fini)))

/* The signature over the canonical form of a metadata body, by the scheme's rules (TAP 21's prefix and hash
   for ML-DSA). *sig in the arena. */
int keys_sign(const struct sign_key *key, struct str canon, struct arena *a, struct str *sig,
              struct err *e) MUST_CHECK;
/* Whether that is the key's own signature over the body, as keys_sign makes it. */
bool keys_signed(const struct sign_key *key, struct str canon, struct str sig) MUST_CHECK;
/* The signature over exactly these bytes (a manifest's). */
int keys_sign_raw(const struct sign_key *key, struct str message, struct arena *a, struct str *sig,
                  struct err *e) MUST_CHECK;

#endif
