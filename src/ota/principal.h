/*
 * Who counts and who does not, in memory, so that every request can be checked without the database:
 * operator certificates with their roles, revoked devices and certificates, and certificates issued but not
 * used yet.
 *
 * All calls are thread-safe and take constant time (but loading). Loaded from the database at start and
 * again whenever it was changed from outside; between, the domain keeps it in step:
 *  - a revocation is applied inside the transaction that makes it (it holds a moment early, and too strict
 *    if the commit fails),
 *  - a new operator in a step after the commit.
 * When a commit fails whose job had succeeded, the server calls principals_mark_stale, and a job on the
 * writer thread calls principals_load when principals_stale.
 */
#ifndef PQOTA_OTA_PRINCIPAL_H
#define PQOTA_OTA_PRINCIPAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/identity.h"

struct db;
struct principals;

int principals_new(struct principals **out, struct err *e) MUST_CHECK;
void principals_free(struct principals *p);

/* Key ids (SHA-256 of the SubjectPublicKeyInfo, hex) of the roots that may issue, old and new, copied; at
   start and at SIGHUP. grace_days: how long after its end a device's certificate still renews; a longer one
   than before makes the table stale. ERR_CONFLICT: a key is both devices' and operators'. */
int principals_set_roots(struct principals *p, const char *const *device_ids, size_t device_count,
                         const char *const *operator_ids, size_t operator_count, int64_t grace_days,
                         struct err *e) MUST_CHECK;

/* Replaces all that came from the database, at once; on failure everything stays as it was (and stale). On
   the writer thread, so that nothing is revoked meanwhile. Revoked certificates that are refused as expired
   anyway are left out, also of what is revoked later, so that memory is bounded by those that live; should
   the clock then go back by days, the table gets stale by itself. */
int principals_load(struct principals *p, struct db *db, int64_t now_s, struct err *e) MUST_CHECK;
void principals_mark_stale(struct principals *p);
bool principals_stale(struct principals *p);

/* What the transport (or a trusted proxy) knows of a certificate that it verified. */
struct principal_certificate {
    const char *issuer; /* SHA-256 of the issuer's SubjectPublicKeyInfo, hex */
    const char *serial; /* lower-case hex without leading zeros */
    const char *fingerprint;
    const char *common_name;
    int64_t not_after; /* Unix seconds */
};

/* Called at every request, and again before what it asked for is written. Fills who, id, issuer, serial,
   fingerprint and not_after of *out and leaves its address. A device's certificate gives WHO_DEVICE, or
   WHO_EXPIRED within the grace time; a registered operator's gives the role, if it is that very certificate:
   who stole the operators' authority can give another one the same serial. ERR_UNAUTHENTICATED says why it
   does not count. */
int principals_identify(struct principals *p, const struct principal_certificate *cert, int64_t now_s,
                        struct identity *out, struct err *e) MUST_CHECK;

/* True once for a certificate that was issued and is now seen for the first time: the caller then runs
   ota_certificate_used (ota/renew.h) as a background job of the writer, and gives it back with
   principals_add_pending if it could not submit the job or the job failed. */
bool principals_take_pending(struct principals *p, const char *issuer, const char *serial);
int principals_add_pending(struct principals *p, const char *issuer, const char *serial,
                           struct err *e) MUST_CHECK;

/* --- for the domain ---------------------------------------------------------------------------------- */

/* not_after, now_s: Unix seconds. */
int principals_revoke(struct principals *p, const char *issuer, const char *serial, int64_t not_after,
                      int64_t now_s, struct err *e) MUST_CHECK;
/* A revoked device is refused with whatever certificate, also one that the database does not know. */
int principals_revoke_device(struct principals *p, const char *id, struct err *e) MUST_CHECK;
void principals_restore_device(struct principals *p, const char *id);
/* One that is known as revoked stays so. */
int principals_add_operator(struct principals *p, const char *issuer, const char *serial,
                            const char *fingerprint, const char *name, enum who role,
                            struct err *e) MUST_CHECK;

#endif
