/*
 * The list of revoked device certificates (RFC 5280 section 5), for those who check certificates without
 * asking us: a proxy, a broker. Kept as the file device.crl in the data folder. (This server itself refuses
 * from memory.)
 *
 * The server asks crl_due at a timer (each second will do); when it says so, it calls crl_begin, then runs
 * ota_crl_number as a background job of the writer, after its commit ota_crl_collect on a reader and
 * ota_crl_build on a worker for signatures, and crl_end in any case. (What was revoked before the number's
 * commit is listed.)
 */
#ifndef PQOTA_OTA_CRL_H
#define PQOTA_OTA_CRL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "ota/ota.h"
#include "pki/pki.h"

#define CRL_FILE "device.crl"
#define CRL_ENTRIES_MAX 500000
#define CRL_GAP_MS 5000 /* between two lists, however many revocations there are */

struct db;
struct crl; /* when the list was made and whether it is out of date; thread-safe */

int crl_new(struct crl **out, struct err *e) MUST_CHECK;
void crl_free(struct crl *c);
void crl_touch(struct crl *c); /* something was revoked */
/* No list was made since start, something was revoked since, or half of its life is over; and none is being
   made, nor was tried within CRL_GAP_MS. */
bool crl_due(struct crl *c, int64_t now_ms, int64_t crl_hours);

struct crl_work {
    struct arena arena;
    struct pki_ca *ca; /* owned */
    struct pki_revoked *list;
    size_t count;
    int64_t number;
};
void crl_begin(struct crl *c, struct crl_work *w, int64_t now_ms);
/* rc: of the whole; a failure leaves it due. Frees what the work holds. */
void crl_end(struct crl *c, struct crl_work *w, int rc);

int ota_crl_number(struct db *db, struct crl_work *w, struct err *e) MUST_CHECK;
int ota_crl_collect(struct ota *ota, struct db *db, struct crl_work *w, struct err *e) MUST_CHECK;
/* Signs and writes the file. */
int ota_crl_build(struct ota *ota, struct crl_work *w, struct err *e) MUST_CHECK;

struct crl_file {
    int fd; /* the caller's */
    uint64_t size;
    int64_t modified_ms; /* Unix milliseconds */
    char etag[64];       /* with its quotes */
};
/* The list as it was last made. ERR_BUSY: the first one is still to be made. */
int ota_crl_open(struct ota *ota, struct crl_file *out, struct err *e) MUST_CHECK;

#endif
