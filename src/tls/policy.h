/* Which algorithms a context may negotiate: the only tables of policies, key exchanges and signatures. */
#ifndef PQOTA_TLS_POLICY_H
#define PQOTA_TLS_POLICY_H

#include <openssl/types.h>
#include <stdbool.h>

#include "base/err.h"

#define TLS_ALG_LIST_MAX 256

struct tls_policy {
    const char *name;
    const char *kem;           /* comma list of our key exchange names, most wanted first */
    const char *sig;           /* comma list of our signature names */
    const char *ciphersuites;  /* TLS 1.3 */
    bool classical_sigs;       /* signatures without post-quantum strength are known to it */
    const char *tls12_ciphers; /* NULL: TLS 1.3 only, and no key exchange without ML-KEM */
};

/* A configuration's algorithms, resolved to the names OpenSSL takes. */
struct tls_algs {
    const struct tls_policy *policy;
    char groups[TLS_ALG_LIST_MAX];  /* one tuple: "X25519MLKEM768:MLKEM768" */
    char sigalgs[TLS_ALG_LIST_MAX]; /* "mldsa65:mldsa87" */
    unsigned kem_rows;              /* bit i: row i of the table of key exchanges */
    unsigned sig_rows;              /* bit i: row i of the signature table */
    int least_strength;             /* of those signatures; a chain may be signed no weaker */
};

/* Each may be NULL: policy is then "balanced", kem and sig the policy's own. */
int tls_algs_resolve(const char *policy, const char *kem, const char *sig, struct tls_algs *out,
                     struct err *e) MUST_CHECK;
#define TLS_KEY_NAME_MAX 32
/* What a key made to be shown under these rules is to sign with ("mldsa65"): the first that they take. */
int tls_policy_key(const char *policy, const char *sig, char out[TLS_KEY_NAME_MAX], struct err *e) MUST_CHECK;
/* Whether name (may be NULL) is a policy with post-quantum key exchange and signatures alone. */
bool tls_policy_is_post_quantum(const char *name);

/* The key exchange of that code on the wire, where these algorithms have it and it is a KEM; else NULL. */
const char *tls_algs_kem(const struct tls_algs *algs, unsigned code);

/* Whether the certificate holding this key may be shown under these algorithms. */
bool tls_algs_allow_key(const struct tls_algs *algs, EVP_PKEY *key);
/* The TLS name of what a key signs with ("mldsa65"), or the key's type where we have none. */
const char *tls_key_signature_name(EVP_PKEY *key);
/* Whether the signature on a certificate is as strong as the algorithms ask. */
bool tls_algs_allow_signature(const struct tls_algs *algs, const X509 *cert);
const char *tls_cert_signature_name(const X509 *cert);
/* TLS SignatureScheme to name (RFC 8446 section 4.2.3), NULL when it is not one we know. */
const char *tls_sigalg_name(unsigned code);

#endif
