/* A certificate that was issued or registered. Times are Unix milliseconds, 0 for never. Texts belong to
   an arena. */
#ifndef PQOTA_MODEL_CERTIFICATE_H
#define PQOTA_MODEL_CERTIFICATE_H

#include <stdint.h>

struct certificate {
    const char *issuer;      /* SHA-256 of the issuer's SubjectPublicKeyInfo */
    const char *serial;      /* lower-case hex */
    const char *fingerprint; /* SHA-256 of the DER */
    const char *sha1;        /* of the DER, or NULL. Only written from here; see store_certificate_seen */
    const char *key_id;      /* SHA-256 of its own SubjectPublicKeyInfo */
    const char *pem;         /* the chain, until its first use; NULL after it */
    int64_t not_before, not_after, issued_at, first_used_at, revoked_at;
    const char *reason;    /* why it was revoked, NULL */
    const char *algorithm; /* of its key: "mldsa65"; NULL: noted since schema 7 only */
};

#endif
