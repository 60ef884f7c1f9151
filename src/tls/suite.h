/* The cipher suites of TLS 1.3 (RFC 8446 appendix B.4) as OpenSSL's own algorithms, fetched once for a
   context. */
#ifndef PQOTA_TLS_SUITE_H
#define PQOTA_TLS_SUITE_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define TLS_SECRET_MAX 48 /* bytes of SHA-384 */
#define TLS_KEY_MAX 32
#define TLS_IV_SIZE 12
#define TLS_TAG_SIZE 16

struct tls_suite {
    unsigned id; /* as on the wire */
    const char *name;
    EVP_CIPHER *cipher;
    EVP_MD *digest;
    EVP_MAC_CTX *mac;                         /* HMAC with it, without a key: to be copied */
    unsigned char of_nothing[TLS_SECRET_MAX]; /* its hash of no bytes */
    size_t secret_n, key_n;
    bool bounded; /* a key seals 2^24.5 full records at most (RFC 8446 section 5.5) */
};

struct tls_suites;

int tls_suites_new(struct tls_suites **out, struct err *e) MUST_CHECK;
void tls_suites_free(struct tls_suites *s);
/* NULL when there is no such suite. */
const struct tls_suite *tls_suite_of(const struct tls_suites *s, unsigned id);
/* The same of a name ("TLS_AES_256_GCM_SHA384"). */
const struct tls_suite *tls_suite_named(const struct tls_suites *s, struct str name);

#endif
