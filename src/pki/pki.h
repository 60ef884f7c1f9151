/*
 * Certificate authority: keys, requests, certificates, revocation lists (RFC 5280; ML-DSA as RFC 9881 has
 * it), over OpenSSL. Keys load through OSSL_STORE, so a pkcs11: URI works where a path does.
 */
#ifndef PQOTA_PKI_PKI_H
#define PQOTA_PKI_PKI_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/str.h"

#define PKI_PEM_MAX 65536
#define PKI_CSR_MAX 32768       /* bytes of a request's PEM; ML-DSA-87 needs about 10 000 */
#define PKI_BUNDLE_MAX 16       /* certificates in one file */
#define PKI_NAMES_MAX 64        /* names in one certificate */
#define PKI_REVOKED_MAX 1000000 /* entries in one revocation list */
#define PKI_SERIAL_MAX 65       /* lower-case hex, no leading zeros, with the NUL */

/* err_set with OpenSSL's reason appended; empties OpenSSL's queue. */
int pki_err(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* --- keys ------------------------------------------------------------------------------------------- */

/* algorithm: "mldsa44", "mldsa65", "mldsa87", "p256" (the console's and classical listener's certificate). */
int pki_key_generate(const char *algorithm, EVP_PKEY **out, struct err *e) MUST_CHECK;
int pki_key_load(const char *uri, EVP_PKEY **out, struct err *e) MUST_CHECK;

#define PKI_PASSPHRASE_MAX 1024 /* bytes, the NUL included */
/* Asked for the passphrase of `what` (a file, a token) when that turns out to need one. Writes at most
   size - 1 bytes and a NUL. */
struct pki_passphrase {
    int (*ask)(void *ctx, const char *what, char *out, size_t size, struct err *e);
    void *ctx;
};
/* The private keys of a file or URI, at most `most`; each is freed with pki_key_free. passphrase NULL: there
   is none, an encrypted one is ERR_UNSUPPORTED. A wrong one is ERR_INVALID. */
int pki_keys_load(const char *uri, const struct pki_passphrase *passphrase, EVP_PKEY **keys, size_t most,
                  size_t *count, struct err *e) MUST_CHECK;
/* PKCS#8 PEM, mode 0600, atomically; ERR_CONFLICT when the path exists. */
int pki_key_save(EVP_PKEY *key, const char *path, struct err *e) MUST_CHECK;
void pki_key_free(EVP_PKEY *key);
/* "mldsa44", "mldsa65", "mldsa87", "p256", or "" for any other. */
const char *pki_key_algorithm(EVP_PKEY *key);

/* --- requests --------------------------------------------------------------------------------------- */

struct pki_csr; /* a public key whose owner proved to hold the private one; nothing else is taken from it */
/* PEM PKCS#10 (RFC 2986). Refused: broken, not signed by its own key, a key that is not ML-DSA. */
int pki_csr_parse(struct str pem, struct pki_csr **out, struct err *e) MUST_CHECK;
void pki_csr_free(struct pki_csr *csr);
/* SHA-256 of the SubjectPublicKeyInfo, hex. */
const char *pki_csr_key_id(const struct pki_csr *csr);
/* Makes a request for `key` with that common name, PEM in the arena. */
int pki_csr_make(EVP_PKEY *key, const char *common_name, struct arena *a, struct str *pem,
                 struct err *e) MUST_CHECK;

/* --- authorities and certificates ------------------------------------------------------------------- */

enum pki_purpose { PKI_SERVER, PKI_CLIENT }; /* extended key usage is exactly serverAuth or clientAuth */

struct pki_cert { /* what is known of a certificate; texts in the fields */
    char serial[PKI_SERIAL_MAX];
    char issuer_key[SHA256_HEX_SIZE];  /* SHA-256 of the issuer's SubjectPublicKeyInfo */
    char fingerprint[SHA256_HEX_SIZE]; /* SHA-256 of the DER */
    char sha1[SHA1_HEX_SIZE];          /* SHA-1 of the DER, which is what nginx tells; "" when not known */
    char key_id[SHA256_HEX_SIZE];      /* SHA-256 of its own SubjectPublicKeyInfo */
    int64_t not_before, not_after;     /* Unix seconds */
    char common_name[129];
    const char *algorithm; /* of its key: as pki_key_algorithm; NULL where it was not looked at */
};

/* A self-signed root: CN `name`, critical CA:TRUE pathlen:0, keyCertSign and cRLSign. PEM in the arena. */
int pki_root_make(EVP_PKEY *key, const char *name, int days, int64_t now_s, struct arena *a, struct str *pem,
                  struct err *e) MUST_CHECK;

struct pki_ca; /* a root's certificate and its key; immutable, usable by several threads */
int pki_ca_load(const char *cert_file, const char *key_uri, struct pki_ca **out, struct err *e) MUST_CHECK;
struct pki_ca *pki_ca_ref(struct pki_ca *ca);
void pki_ca_free(struct pki_ca *ca);
const char *pki_ca_key_id(const struct pki_ca *ca); /* SHA-256 of its SubjectPublicKeyInfo, hex */

struct pki_issue {
    enum pki_purpose purpose;
    const char *common_name;
    const char *const *names; /* DNS names and IP addresses for the SAN, NULL-ended; NULL: none for a client,
                                 the common name for a server */
    int64_t not_before, not_after; /* Unix seconds; cut to the CA's own */
};
/* A DNS name (a leading "*." included) or an IP address: what may stand among the names. */
bool pki_is_host(const char *name);

/* Issues for a checked request, or for a key that was made here (csr NULL). The chain's PEM (leaf first, root
   left out) in the arena; *cert filled. Serial: 127 random bits. */
int pki_issue_cert(const struct pki_ca *ca, const struct pki_csr *csr, EVP_PKEY *key,
                   const struct pki_issue *what, struct arena *a, struct str *pem, struct pki_cert *cert,
                   struct err *e) MUST_CHECK;

/* First certificate of a PEM text. issuer_key is left "" (a certificate alone does not tell). */
int pki_cert_read(struct str pem, struct pki_cert *out, struct err *e) MUST_CHECK;
/* The first certificate of a PEM text (others after it are authorities between), if at that time one of the
   roots in that bundle file issued it for that purpose and no other; issuer_key is filled. ERR_INVALID,
   ERR_MISMATCH. */
int pki_cert_verify(struct str pem, const char *roots_file, enum pki_purpose purpose, int64_t now_s,
                    struct pki_cert *out, struct err *e) MUST_CHECK;
/* Key ids of all certificates of a PEM bundle file (roots, old and new), hex, NUL-terminated, in the arena.
 */
int pki_bundle_key_ids(const char *file, struct arena *a, const char ***ids, size_t *count,
                       struct err *e) MUST_CHECK;

/* And their subjects, as nginx writes names (RFC 2253, ASCII alone): subjects[i] has the key ids[i]. */
int pki_bundle_roots(const char *file, struct arena *a, const char ***subjects, const char ***ids,
                     size_t *count, struct err *e) MUST_CHECK;

struct pki_shown {         /* of a certificate, for people; texts in the arena */
    const char *subject;   /* RFC 2253, ASCII alone */
    const char *algorithm; /* of its key: as pki_key_algorithm, or OpenSSL's name of any other */
    int64_t not_after;     /* Unix seconds */
};
/* All certificates of a PEM file, in its order. */
int pki_bundle_show(const char *file, struct arena *a, struct pki_shown **out, size_t *count,
                    struct err *e) MUST_CHECK;

/* DNS names and IP addresses of a file's first certificate, in the arena, NULL-ended: as many as fit. */
int pki_file_names(const char *file, struct arena *a, const char *names[PKI_NAMES_MAX + 1],
                   struct err *e) MUST_CHECK;

/* What a listener or client needs of its files: readable, the key is the certificate's, the certificate is
   for that purpose. The error says which of these is not so. *cert is filled. */
int pki_files_fit(const char *cert_file, const char *key_uri, enum pki_purpose purpose, struct pki_cert *cert,
                  struct err *e) MUST_CHECK;
/* Whether what was read from that file is valid at now_s (Unix seconds). */
int pki_life_check(const struct pki_cert *cert, const char *cert_file, int64_t now_s,
                   struct err *e) MUST_CHECK;
/* Both. */
int pki_files_check(const char *cert_file, const char *key_uri, enum pki_purpose purpose, int64_t now_s,
                    struct pki_cert *cert, struct err *e) MUST_CHECK;

/* Whether a peer that believes the roots in that bundle believes this certificate (its file's others help).
 */
int pki_issued_by(const char *cert_file, const char *roots_file, enum pki_purpose purpose, int64_t now_s,
                  struct err *e) MUST_CHECK;

/* --- revocation ------------------------------------------------------------------------------------- */

struct pki_revoked {
    const char *serial; /* hex */
    int64_t revoked_at; /* Unix seconds */
};
/* A CRL (RFC 5280 section 5) with that number, PEM in the arena. */
int pki_crl_make(const struct pki_ca *ca, const struct pki_revoked *list, size_t count, int64_t number,
                 int64_t now_s, int64_t next_update_s, struct arena *a, struct str *pem,
                 struct err *e) MUST_CHECK;

#endif
