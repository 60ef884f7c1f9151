#ifndef PQOTA_PROVIDER_SIGALGS_H
#define PQOTA_PROVIDER_SIGALGS_H

#include <openssl/core_dispatch.h>

/* TLS's signature schemes of ML-DSA, as the capability TLS-SIGALG of provider-base(7): 1, or what callback
 * did not like. */
int tls_sigalgs(OSSL_CALLBACK *callback, void *arg);

#endif
