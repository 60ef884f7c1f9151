/*
 * Signature schemes of TUF metadata: those of the specification (1.0.34, section 4.2) and ML-DSA as TAP 21
 * has it (FIPS 204, pure, empty context, over "tuf" || 0x01 || SHA-512 of the canonical form).
 */
#ifndef PQOTA_TRUST_SCHEME_H
#define PQOTA_TRUST_SCHEME_H

#include <stddef.h>

#include "base/str.h"

enum trust_scheme {
    TRUST_ML_DSA_44,
    TRUST_ML_DSA_65,
    TRUST_ML_DSA_87,
    TRUST_ED25519,
    TRUST_ECDSA_P256,
    TRUST_RSA_PSS,
    TRUST_RSA_PKCS1, /* old repositories of others have it; never counted by pqota's own rules */
};

/* Who breaks one of a family may break all of it: pqota counts each family by itself. */
enum trust_family { TRUST_POST_QUANTUM, TRUST_CLASSICAL };
#define TRUST_FAMILIES 2

enum trust_key_form {
    TRUST_KEY_RAW,  /* the bytes of the public key itself (ML-DSA, Ed25519) */
    TRUST_KEY_SPKI, /* DER of a SubjectPublicKeyInfo (RFC 5280) */
};

struct trust_scheme_row {
    enum trust_scheme scheme;
    enum trust_family family;
    enum trust_key_form form;
    const char *keytype, *name; /* as metadata has them: "ml-dsa" and "ml-dsa-65/1" */
    size_t key_size;            /* bytes, exactly; 0: as its SubjectPublicKeyInfo says */
    size_t sig_max;             /* bytes */
    size_t sig_exact;           /* bytes, 0 when it varies */
    bool hashed;                /* TAP 21: what is signed is the hash with its prefix, not the bytes */
    bool old;                   /* see TRUST_RSA_PKCS1 */
};

/* NULL: not one we know. Older spellings of a keytype ("ecdsa-sha2-nistp256") are known too. */
const struct trust_scheme_row *trust_scheme_find(struct str keytype, struct str name);
const struct trust_scheme_row *trust_scheme_row(enum trust_scheme scheme);

#define TRUST_KEY_MAX 2592 /* bytes of a raw ML-DSA-87 key, the largest raw one */
#define TRUST_SPKI_MAX 4096
#define TRUST_SIG_MAX 4627 /* bytes of an ML-DSA-87 signature, the largest */

#define TRUST_TBS_HASHED_SIZE 68 /* bytes: "tuf", 0x01, SHA-512 */

/*
 * keyval.public of a metadata file (hex, or PEM of a SubjectPublicKeyInfo) into the row's form. A PEM whose
 * algorithm is not exactly the scheme's (a swapped parameter set) is ERR_INVALID. out has TRUST_SPKI_MAX.
 */
int trust_key_decode(const struct trust_scheme_row *row, struct str text, unsigned char *out, size_t *n,
                     struct err *e) MUST_CHECK;

#endif
