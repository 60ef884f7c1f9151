/*
 * What TLS 1.3 derives its keys with (RFC 8446 section 7.1): HKDF over OpenSSL's HMAC, which is keyed once
 * for all that stems from one secret. A call that fails is told by the last: tls_derive_end.
 */
#ifndef PQOTA_TLS_DERIVE_H
#define PQOTA_TLS_DERIVE_H

#include "tls/suite.h"

struct tls_derive {
    const struct tls_suite *suite;
    EVP_MAC_CTX *mac;
    bool used;   /* since it was keyed */
    bool failed; /* then what was derived is of no worth */
};

void tls_derive_begin(struct tls_derive *d, const struct tls_suite *suite);
/* Whether all went well; frees and wipes what it worked with. */
int tls_derive_end(struct tls_derive *d) MUST_CHECK;

/* What follows stems from this secret, of suite->secret_n bytes. */
void tls_derive_from(struct tls_derive *d, const unsigned char *secret);
/* HKDF-Expand-Label(secret, label, context, n): n at most suite->secret_n. */
void tls_expand(struct tls_derive *d, const char *label, const unsigned char *context, size_t context_n,
                unsigned char *out, size_t n);
/* HMAC(secret, p): suite->secret_n bytes. Also HKDF-Extract, with the secret as its salt. */
void tls_mac(struct tls_derive *d, const unsigned char *p, size_t n, unsigned char *out);

#endif
