/* What the files of src/pki share. Nothing outside includes it. */
#ifndef PQOTA_PKI_INTERNAL_H
#define PQOTA_PKI_INTERNAL_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdatomic.h>

#include "base/cleanup.h"
#include "pki/pki.h"

CLEANUP_DEFINE(pki_bio, BIO, BIO_free_all);
CLEANUP_DEFINE(pki_x509, X509, X509_free);
CLEANUP_DEFINE(pki_pkey, EVP_PKEY, EVP_PKEY_free);
#define auto_bio CLEANUP(pki_bio_cleanup)
#define auto_x509 CLEANUP(pki_x509_cleanup)
#define auto_pkey CLEANUP(pki_pkey_cleanup)

#define PKI_SKI_SIZE 20 /* bytes of a key identifier, RFC 7093 section 2 method 1 */

struct pki_csr {
    EVP_PKEY *key;
    char key_id[SHA256_HEX_SIZE];
};

struct pki_ca {
    atomic_int refs;
    X509 *cert;
    EVP_PKEY *key;
    char key_id[SHA256_HEX_SIZE];
    struct pki_cert info;
    char *chain; /* PEM of the authorities below the root, which go after a leaf; "" when a root issues */
};

/* key.c */
/* The digest to sign with: NULL for ML-DSA (RFC 9881 section 3: pure, no pre-hash), SHA-256 for the rest. */
const EVP_MD *pki_key_digest(EVP_PKEY *key);
bool pki_key_is_mldsa(EVP_PKEY *key);
int pki_key_id(EVP_PKEY *key, char out[SHA256_HEX_SIZE], struct err *e) MUST_CHECK;

/* pem.c */
/* The only thing ever answered when OpenSSL asks for a passphrase, so that it does not ask the terminal. */
int pki_no_passphrase(char *buf, int size, int rwflag, void *arg);
/* What a memory BIO holds, as text in the arena. */
int pki_bio_text(BIO *bio, struct arena *a, struct str *out, struct err *e) MUST_CHECK;
int pki_pem_of_cert(X509 *cert, struct arena *a, struct str *out, struct err *e) MUST_CHECK;
/* All certificates of a PEM text, 1 to PKI_BUNDLE_MAX; anything between them is skipped. `name` is for
   errors. The caller frees each with X509_free. */
int pki_certs_parse(struct str pem, const char *name, X509 *certs[PKI_BUNDLE_MAX], size_t *count,
                    struct err *e) MUST_CHECK;
int pki_certs_load(const char *file, X509 *certs[PKI_BUNDLE_MAX], size_t *count, struct err *e) MUST_CHECK;
void pki_certs_free(X509 *certs[PKI_BUNDLE_MAX], size_t count);

/* read.c */
int pki_cert_describe(X509 *cert, struct pki_cert *out, struct err *e) MUST_CHECK;
int pki_serial_text(const ASN1_INTEGER *serial, char out[PKI_SERIAL_MAX], struct err *e) MUST_CHECK;
int pki_time_read(const ASN1_TIME *t, int64_t *out, struct err *e) MUST_CHECK;

/* extension.c: each adds one extension (RFC 5280 section 4.2.1) to a certificate that is being made. */
enum pki_usage { PKI_USAGE_SIGN = 0, PKI_USAGE_CERT_SIGN = 5, PKI_USAGE_CRL_SIGN = 6 }; /* bit numbers */
int pki_ext_constraints(X509 *cert, bool ca, struct err *e) MUST_CHECK;
int pki_ext_usage(X509 *cert, const enum pki_usage *bits, size_t count, struct err *e) MUST_CHECK;
int pki_ext_purpose(X509 *cert, enum pki_purpose purpose, struct err *e) MUST_CHECK;
int pki_ext_subject_key(X509 *cert, struct err *e) MUST_CHECK;
int pki_ext_issuer_key(X509 *cert, X509 *issuer, struct err *e) MUST_CHECK;
int pki_ext_names(X509 *cert, const char *const *names, struct err *e) MUST_CHECK;
/* The key identifier that what this issuer signs refers to. Freed with ASN1_OCTET_STRING_free. */
ASN1_OCTET_STRING *pki_issuer_key_of(X509 *issuer) MUST_CHECK;

/* issue.c: what roots and leaves have in common: version, random serial, subject, times, key. */
int pki_cert_begin(EVP_PKEY *key, const char *common_name, int64_t not_before, int64_t not_after, X509 **out,
                   struct err *e) MUST_CHECK;
int pki_name_set(X509_NAME *name, const char *common_name, struct err *e) MUST_CHECK;

#endif
