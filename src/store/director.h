/* What the director signed last for each device; gone with the device. */
#ifndef PQOTA_STORE_DIRECTOR_H
#define PQOTA_STORE_DIRECTOR_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct db;

enum director_kind {
    DIRECTOR_TARGETS,  /* TUF metadata */
    DIRECTOR_MANIFEST, /* for devices that read no JSON */
};
#define DIRECTOR_KINDS 2

struct director_row {
    int64_t version;    /* of the file; 0: there is none */
    int64_t expires_at; /* Unix milliseconds */
    int64_t release;    /* what the device should run; 0: nothing */
    struct str body;    /* what is signed */
    struct str signatures;
};

/* By the device's pk. out->version is 0 when nothing was signed for it yet. */
int store_director_get(struct db *db, struct arena *a, enum director_kind kind, int64_t device,
                       struct director_row *out, struct err *e) MUST_CHECK;
/* Writer only. In place of the device's last one of that kind; ERR_CONFLICT, and nothing changes, when that
   has the same version or a higher one. */
int store_director_put(struct db *db, enum director_kind kind, int64_t device, const struct director_row *row,
                       struct err *e) MUST_CHECK;

/*
 * When this database came out of a backup, Unix seconds; 0: never. What is in it with a version up to that
 * may be older than what devices have seen meanwhile.
 */
int store_restored_at(struct db *db, int64_t *out, struct err *e) MUST_CHECK;
/* For whoever puts a backup back; not before the one that is noted already. */
int store_set_restored_at(struct db *db, int64_t now_s, struct err *e) MUST_CHECK;

#endif
