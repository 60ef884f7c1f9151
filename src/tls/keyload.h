/* Certificates, keys and roots from where the configuration says they are. */
#ifndef PQOTA_TLS_KEYLOAD_H
#define PQOTA_TLS_KEYLOAD_H

#include <openssl/x509.h>

#include "base/err.h"
#include "base/hex.h"

#define TLS_CERT_FILE_MAX (1U << 20) /* bytes of a certificate or root file */
#define TLS_CERT_COUNT_MAX 100       /* certificates in one file */

/* PEM certificates of a file in order, at least one. Free with tls_certs_free. */
int tls_load_certs(const char *path, STACK_OF(X509) * *out, struct err *e) MUST_CHECK;
void tls_certs_free(STACK_OF(X509) * certs);
/* A private key from a path or any URI that OSSL_STORE opens. It never asks for a passphrase. */
int tls_load_key(const char *uri, EVP_PKEY **out, struct err *e) MUST_CHECK;
/* A store of the roots in a PEM bundle, and the SHA-256 of the file's bytes. */
int tls_load_roots(const char *path, X509_STORE **out, unsigned char digest[SHA256_SIZE],
                   struct err *e) MUST_CHECK;

#endif
