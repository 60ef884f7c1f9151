/* Questions about certificates. Times are Unix milliseconds; texts belong to the arena that is passed in. */
#ifndef PQOTA_STORE_CERTIFICATES_H
#define PQOTA_STORE_CERTIFICATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/identity.h"
#include "model/certificate.h"

struct db;

/* Of a device or of an operator: the other pk is 0. ERR_CONFLICT: there is one of that issuer and serial. */
int store_certificate_add(struct db *db, const struct certificate *c, int64_t device, int64_t operator_pk,
                          struct err *e) MUST_CHECK;
/* *device is 0 when it is an operator's. ERR_NOT_FOUND. */
int store_certificate_get(struct db *db, struct arena *a, const char *issuer, const char *serial,
                          struct certificate *out, int64_t *device, struct err *e) MUST_CHECK;

/* What has to be known of a certificate that a proxy names by issuer and serial: one step in an index. */
struct certificate_seen {
    char fingerprint[SHA256_HEX_SIZE];
    char sha1[SHA1_HEX_SIZE];     /* "": registered before it was kept */
    char device[IDENTITY_ID_MAX]; /* its id, "" when it is an operator's */
    bool is_operator;
    int64_t not_after; /* Unix milliseconds */
};
/* ERR_NOT_FOUND. */
int store_certificate_seen(struct db *db, const char *issuer, const char *serial,
                           struct certificate_seen *out, struct err *e) MUST_CHECK;
/* Completes that operator's certificate where its SHA-1 is not known; *added says whether there was one. */
int store_certificate_add_sha1(struct db *db, const char *issuer, const char *serial, const char *fingerprint,
                               int64_t operator_pk, const char *sha1, bool *added, struct err *e) MUST_CHECK;

#define CERTIFICATE_LIST_MAX 64
/* The newest CERTIFICATE_LIST_MAX, newest first; without their PEM. */
int store_certificate_by_device(struct db *db, struct arena *a, int64_t device, struct certificate **out,
                                size_t *count, struct err *e) MUST_CHECK;
int store_certificate_by_operator(struct db *db, struct arena *a, int64_t operator_pk,
                                  struct certificate **out, size_t *count, struct err *e) MUST_CHECK;
/* The device's newest certificate for that key. ERR_NOT_FOUND. */
int store_certificate_for_key(struct db *db, struct arena *a, int64_t device, const char *key_id,
                              struct certificate *out, struct err *e) MUST_CHECK;
/* How many of the device's were never used, are not revoked and not expired. */
int store_certificate_pending_count(struct db *db, int64_t device, int64_t now_ms, int64_t *count,
                                    struct err *e) MUST_CHECK;

/* Marks its first use and drops the PEM. *device 0: nothing to mark (used before, unknown, an operator's). */
int store_certificate_used(struct db *db, const char *issuer, const char *serial, int64_t now_ms,
                           int64_t *device, int64_t *issued_at, struct err *e) MUST_CHECK;
int store_certificate_revoke(struct db *db, const char *issuer, const char *serial, int64_t now_ms,
                             const char *reason, struct err *e) MUST_CHECK;
/* Those not revoked yet, at most CERTIFICATE_LIST_MAX: of a device (operator_pk 0), issued at or before
   issued_until (0: whenever) or used already, or of an operator (device 0). */
int store_certificate_live(struct db *db, struct arena *a, int64_t device, int64_t operator_pk,
                           int64_t issued_until, struct certificate **out, size_t *count,
                           struct err *e) MUST_CHECK;

/* Calls each for every device certificate that is revoked, and for every one that was never used. Nothing is
   allocated, so that a large fleet needs no arena; each < 0 stops. not_after: Unix milliseconds. */
enum certificate_state { CERTIFICATE_REVOKED, CERTIFICATE_PENDING };
int store_certificate_each(struct db *db, enum certificate_state state,
                           int (*each)(void *ctx, const char *issuer, const char *serial, int64_t not_after,
                                       struct err *e),
                           void *ctx, struct err *e) MUST_CHECK;
/* Revoked device certificates of that issuer which end at not_after_min or later, for its revocation list:
   serial and revoked_at alone. ERR_TOO_LARGE when they are more than `most`. */
int store_certificate_revoked(struct db *db, struct arena *a, const char *issuer, int64_t not_after_min,
                              size_t most, struct certificate **out, size_t *count, struct err *e) MUST_CHECK;
#define CERTIFICATE_COUNT_MAX 10000 /* counting stops there */
/* How many device certificates that are not revoked end in that time: from_ms <= not_after < until_ms. */
int store_certificate_ending(struct db *db, int64_t from_ms, int64_t until_ms, int64_t *count,
                             struct err *e) MUST_CHECK;
/* Counts one up and gives the number of the next revocation list. */
int store_crl_number(struct db *db, int64_t *number, struct err *e) MUST_CHECK;

#endif
