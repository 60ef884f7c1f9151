/*
 * The cipher suites of TLS 1.3 (RFC 8446 appendix B.4) as OpenSSL's own algorithms, fetched once for a
 * context, and what derives keys with them (section 7).
 */
#ifndef PQOTA_TLS_SUITE_H
#define PQOTA_TLS_SUITE_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define TLS_SECRET_MAX 48 /* bytes of SHA-384 */
#define TLS_KEY_MAX 32
#define TLS_IV_SIZE 12
#define TLS_TAG_SIZE 16

struct tls_suite {
    unsigned id; /* as on the wire */
    EVP_CIPHER *cipher;
    EVP_KDF *kdf;
    const char *digest;
    size_t secret_n, key_n;
    bool bounded; /* a key seals 2^24.5 full records at most (RFC 8446 section 5.5) */
};

struct tls_suites;

int tls_suites_new(struct tls_suites **out, struct err *e) MUST_CHECK;
void tls_suites_free(struct tls_suites *s);
/* NULL when there is no such suite. */
const struct tls_suite *tls_suite_of(const struct tls_suites *s, unsigned id);

/* HKDF-Expand-Label(secret, label, "", n) of RFC 8446 section 7.1. */
int tls_expand(const struct tls_suite *suite, const unsigned char secret[TLS_SECRET_MAX], const char *label,
               unsigned char *out, size_t n) MUST_CHECK;

#endif
