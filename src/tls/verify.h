/* The check of a peer's certificate: OpenSSL's path validation, and on top of it this product's own rules. */
#ifndef PQOTA_TLS_VERIFY_H
#define PQOTA_TLS_VERIFY_H

#include <openssl/types.h>

/* For SSL_CTX_set_cert_verify_callback; arg is the context's struct tls_rules. */
int tls_verify_peer(X509_STORE_CTX *xctx, void *arg);

#endif
