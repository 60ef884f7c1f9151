/* Enrolment and renewal on the wire: a request with a CSR, an answer with a certificate and roots. */
#ifndef PQOTA_AGENT_REPLY_H
#define PQOTA_AGENT_REPLY_H

#include "agent/link.h"
#include "pki/pki.h"

struct reply {              /* texts in the arena that was passed */
    struct str certificate; /* PEM chain, leaf first */
    struct str roots;       /* PEM bundle; may be none */
    struct str model;       /* of an enrolment; may be none */
    struct pki_cert cert;   /* what the leaf says */
};

/* POST /api/enroll. id may be NULL. The certificate in the answer is for our key. */
int reply_get_enrolment(struct link *l, EVP_PKEY *key, const char *token, const char *id, struct arena *a,
                        struct reply *out, struct err *e) MUST_CHECK;
/* POST /api/renew. ERR_CONFLICT: it is too early; ERR_DENIED: this device may not. */
int reply_get_renewal(struct link *l, EVP_PKEY *key, struct arena *a, struct reply *out,
                      struct err *e) MUST_CHECK;
/* Writes the roots atomically, if each of them reads as a certificate; ERR_INVALID when not, or when there
   are none. */
int reply_store_roots(const struct reply *r, const char *path, struct err *e) MUST_CHECK;

#endif
