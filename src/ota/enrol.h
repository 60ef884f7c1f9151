/*
 * Enrolment: a token and a request give a device its identity. One use of the token is taken once per key, so
 * that the same token with the same key may ask again after a lost reply or a crash at any point.
 * Steps: READ look, SIGN check, WRITE reserve, SIGN sign, WRITE store.
 */
#ifndef PQOTA_OTA_ENROL_H
#define PQOTA_OTA_ENROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "ota/ota.h"
#include "pki/pki.h"

struct db;

struct enrolment {
    struct str token, csr;   /* asked */
    const char *proposed_id; /* asked, or NULL */
    char token_hash[SHA256_HEX_SIZE];
    char key_id[SHA256_HEX_SIZE];
    int64_t device; /* pk */
    const char *id, *model;
    bool again; /* the certificate is one that was issued for this key before and not used yet */
    struct str pem;
    struct pki_cert cert;
};

/* Anybody may ask: before anything that costs time or the writer is done, there must be such a token.
   ERR_INVALID: no device id, or nothing that could be a token; ERR_UNAUTHENTICATED as with reserve. */
int ota_enrol_look(struct db *db, struct arena *a, struct enrolment *en, struct err *e) MUST_CHECK;
/* ERR_INVALID: not a request that proves possession of an ML-DSA key. */
int ota_enrol_check(struct enrolment *en, struct err *e) MUST_CHECK;
/* ERR_UNAUTHENTICATED, in the same words for every token that does not count; ERR_DENIED: the token is for
   another device; ERR_CONFLICT: the id is taken, or this key enrolled and used its certificate. */
int ota_enrol_reserve(struct ota *ota, struct db *db, struct arena *a, struct enrolment *en,
                      struct err *e) MUST_CHECK;
int ota_enrol_sign(struct ota *ota, struct arena *a, struct enrolment *en, struct err *e) MUST_CHECK;
int ota_enrol_store(struct ota *ota, struct db *db, struct arena *a, struct enrolment *en,
                    struct err *e) MUST_CHECK;

#endif
