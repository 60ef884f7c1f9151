/*
 * The director: what one device should run now (ota/director_select.h), signed online, short-lived, for that
 * device alone. Signed when the decision changes, when a third of its life is left, after the keys changed
 * and after a backup was put back; never because somebody asked.
 * Steps: READ look (and again in WRITE), SIGN sign, WRITE store.
 */
#ifndef PQOTA_OTA_DIRECTOR_H
#define PQOTA_OTA_DIRECTOR_H

#include "base/arena.h"
#include "base/err.h"
#include "store/director.h"
#include "trust/manifest_make.h"

struct ota;
struct db;

/* Versions are Unix seconds unless more was decided than seconds went by; by no more than this, in seconds,
   are they taken to have been ahead of the clock when a backup was put back. */
#define DIRECTOR_AHEAD_S 3600

struct director_work {
    enum director_kind kind; /* asked */
    const char *device;      /* asked: an id */
    struct str text;         /* the file; p NULL: it must be signed first */
    int64_t version;         /* of it */
    bool unnamed;            /* with ERR_BUSY: the root in force does not name this server's key */

    /* for the steps alone */
    int64_t device_pk, release, expires_s;
    struct manifest_draft draft;
    struct str signatures;
};

#define DIRECTOR_UPGRADE 1
/*
 * Fills text and version when what was signed last will do. Otherwise gives DIRECTOR_UPGRADE with a reader,
 * and is called again with the writer: so that whoever waited for the writer finds what was signed before it.
 * ERR_NOT_FOUND: there is no such device; for a manifest also: the release was not signed for devices that
 * need one; or this server has no key for it. ERR_GONE: the device is revoked.
 */
int ota_director_look(struct ota *ota, struct db *db, bool writing, struct arena *a, struct director_work *w,
                      struct err *e) MUST_CHECK;
int ota_director_sign(struct ota *ota, struct arena *a, struct director_work *w, struct err *e) MUST_CHECK;
/* Stores and fills text, or takes what somebody else stored meanwhile. ERR_BUSY: the decision changed
   meanwhile; ask again. */
int ota_director_store(struct ota *ota, struct db *db, struct arena *a, struct director_work *w,
                       struct err *e) MUST_CHECK;

#endif
