/* A library context with OpenSSL's default provider and ours, linked in, and what the tests do with keys. */
#ifndef PQOTA_TESTS_PROVIDER_FIXTURE_H
#define PQOTA_TESTS_PROVIDER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdbool.h>

#define OURS "?provider=pqlattice"
#define THEIRS "provider=default"

#define BYTES_MAX 8192

struct bytes {
    size_t n;
    unsigned char p[BYTES_MAX];
};

struct kind {
    const char *name, *group; /* OpenSSL's and TLS's name */
    size_t public_size, private_size, ciphertext_size, secret_size;
    size_t mlkem_at, classic_at; /* in shares and ciphertexts: classic_at of the public key's */
    bool hybrid, curve;          /* curve: the classical half is a point of P-256 or P-384 */
    unsigned code_point;
    int bits, security_bits;
};

#define KINDS 6
#define MLKEMS 3 /* the first: ML-KEM alone */
extern const struct kind kinds[KINDS];

/* Of ML-DSA. */
struct set {
    const char *name, *scheme; /* OpenSSL's and TLS's name */
    size_t public_size, private_size, signature_size;
    unsigned code_point;
    int security_bits;
};

#define SETS 3
extern const struct set sets[SETS];

extern OSSL_LIB_CTX *libctx;

/* For cmocka_run_group_tests. */
int start(void **state);
int stop(void **state);

/* How often our provider was asked, of the context of `start`. */
extern struct counts {
    atomic_int encapsulated, decapsulated, made, verified; /* made: signatures */
} counts;

/* A context with both providers, ours as it is. */
struct world {
    OSSL_LIB_CTX *libctx;
    OSSL_PROVIDER *ours, *theirs;
};
void world_start(struct world *w);
void world_stop(struct world *w);

/* Each asserts that it worked. */
EVP_PKEY *generate(const struct kind *kind, const char *propq);
EVP_PKEY *from_seed(const struct kind *kind, const char *propq, const unsigned char seed[64]);
void public_bytes(EVP_PKEY *key, struct bytes *out);
void private_bytes(EVP_PKEY *key, struct bytes *out);
void encapsulate(EVP_PKEY *key, const char *propq, struct bytes *ciphertext, struct bytes *secret);
void decapsulate(EVP_PKEY *key, const char *propq, const struct bytes *ciphertext, struct bytes *secret);
/* What is exported of a key, imported under propq. */
EVP_PKEY *moved(EVP_PKEY *key, const char *propq, int selection);
void assert_ours(const EVP_PKEY *key);
void assert_theirs(const EVP_PKEY *key);
void assert_same(const struct bytes *a, const struct bytes *b);

/* NULL where it is refused. Each of the parts may be NULL. */
EVP_PKEY *import(const struct kind *kind, const char *propq, const struct bytes *seed,
                 const struct bytes *private_key, const struct bytes *public_key);
EVP_PKEY *import_public(const struct kind *kind, const char *propq, const struct bytes *public_key);

/* That OpenSSL's queue has an error with this text; empties it. */
void assert_error(const char *text);

#define assert_refused(key_, text_)                                                                          \
    do {                                                                                                     \
        assert_null(key_);                                                                                   \
        assert_error(text_);                                                                                 \
    } while (0)

#endif
