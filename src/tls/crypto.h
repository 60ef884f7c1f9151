/* Whose ML-KEM and ML-DSA a context computes with: OpenSSL's own, or that of our provider, which is linked
 * in. */
#ifndef PQOTA_TLS_CRYPTO_H
#define PQOTA_TLS_CRYPTO_H

#include "base/err.h"
#include "tls/tls.h"

/* The property query with which OpenSSL finds the algorithms of such a context: a constant. ERR_CRYPTO
 * where TLS_CRYPTO_LATTICE is asked for and the provider cannot be used; e says why. */
int tls_crypto_query(enum tls_crypto crypto, const char **query, struct err *e) MUST_CHECK;

/* What TLS_CRYPTO_... comes to on this machine: "openssl", or the code path of the provider ("avx512",
 * "avx2", "portable"). A constant. */
const char *tls_crypto_name(enum tls_crypto crypto);

/* Why the provider cannot be used, NULL where it can. A constant. */
const char *tls_crypto_trouble(void);

#endif
