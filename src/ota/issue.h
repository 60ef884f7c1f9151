/* What enrolment and renewal have in common: a device's certificate from request to row. */
#ifndef PQOTA_OTA_ISSUE_H
#define PQOTA_OTA_ISSUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hex.h"
#include "model/certificate.h"
#include "ota/ota.h"
#include "pki/pki.h"

struct db;

#define ISSUE_BACKDATE_S 300 /* how far a device's clock may be behind ours */

/* Checks the request and gives its key's id. */
int issue_check(struct str csr, char key_id[SHA256_HEX_SIZE], struct err *e) MUST_CHECK;
/* The CPU-heavy part. pem: the chain, in the arena. */
int issue_sign(struct ota *ota, struct arena *a, struct str csr, const char *id, struct str *pem,
               struct pki_cert *cert, struct err *e) MUST_CHECK;
/* Whether it was never used, and still counts at that time. */
bool issue_is_unused(const struct certificate *c, int64_t now_ms);
/* Gives out again what was issued before. */
void issue_again(const struct certificate *c, struct str *pem, struct pki_cert *cert);
/* Stores what was signed, unless another call was faster with the same key: then *again is true and *pem and
   *cert are what that one stored. */
int issue_store(struct ota *ota, struct db *db, struct arena *a, int64_t device, const char *not_serial,
                struct str *pem, struct pki_cert *cert, bool *again, struct err *e) MUST_CHECK;

#endif
