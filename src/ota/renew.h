/*
 * Renewal: a device gets a new certificate from two thirds of the life of the one it shows on; one that
 * expired within the grace time may always. The old one stays good until the new one is used.
 * Steps: SIGN check, READ look, SIGN sign, WRITE store.
 */
#ifndef PQOTA_OTA_RENEW_H
#define PQOTA_OTA_RENEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/identity.h"
#include "ota/ota.h"
#include "pki/pki.h"

struct db;

#define RENEW_PENDING_MAX 8 /* certificates a device may have been given and not used yet */

struct renewal {
    struct str csr; /* asked */
    char key_id[SHA256_HEX_SIZE];
    int64_t device; /* pk */
    const char *id;
    bool again; /* the certificate is one that was issued for this key before and not used yet */
    struct str pem;
    struct pki_cert cert;
};

int ota_renew_check(struct renewal *r, struct err *e) MUST_CHECK;
int ota_renew_look(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                   struct renewal *r, struct err *e) MUST_CHECK;
int ota_renew_sign(struct ota *ota, struct arena *a, struct renewal *r, struct err *e) MUST_CHECK;
int ota_renew_store(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                    struct renewal *r, struct err *e) MUST_CHECK;

/* A certificate was seen for the first time: notes it, drops the copy that was kept for a lost reply, and
   revokes the device's older ones as superseded. For the writer thread; see principals_take_pending. */
int ota_certificate_used(struct db *db, struct ota *ota, const char *issuer, const char *serial,
                         struct err *e) MUST_CHECK;

#endif
