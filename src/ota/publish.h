/* Publishing: one file becomes a release of one module with one artifact, a draft until the vendor has signed
   it (ota/trust_accept.h); and taking a release away again. */
#ifndef PQOTA_OTA_PUBLISH_H
#define PQOTA_OTA_PUBLISH_H

#include <stdbool.h>

#include "base/arena.h"
#include "model/release.h"

struct ota;
struct db;

struct publish {
    struct str name, version, filename;
    struct str type;   /* p NULL: RELEASE_TYPE_DEFAULT */
    struct str models; /* "a,b"; p NULL: one, the name */
    struct str notes;
    const char *sha256;     /* of the file, lower-case hex */
    const char *sha1, *md5; /* NULL: they are computed later */
    int64_t size;           /* bytes */
};

/* What can be said before the file is here, sha256 and size not looked at: bad names, a deleted version. */
int ota_publish_early(struct db *db, struct arena *a, const struct publish *p, struct err *e) MUST_CHECK;
/* Checks the names, refuses an empty file, and keeps the spooled file as a blob. FILE lane, before
   ota_publish. */
int ota_publish_keep(struct ota *ota, struct arena *a, const struct publish *p, const char *spool_path,
                     struct err *e) MUST_CHECK;
/*
 * Writer only. A draft, or published at once where nobody has to sign. *made is false when the very same is
 * there already (a draft is published then, if nobody has to sign any more). ERR_CONFLICT: the version exists
 * with other bytes, another filename or other models, or it was deleted. out has its details.
 */
int ota_publish(struct ota *ota, struct db *db, struct arena *a, const char *who, const struct publish *p,
                struct release *out, bool *made, struct err *e) MUST_CHECK;
/* Writer only. A draft that has its sequences is published: noted and announced. Fills its details. */
int publish_draft(struct ota *ota, struct db *db, struct arena *a, const char *who, struct release *r,
                  struct err *e) MUST_CHECK;
/* Writer only. ERR_CONFLICT while a running deployment or an update under way uses it. The sweep removes its
   files. */
int ota_unpublish(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t release,
                  struct err *e) MUST_CHECK;

#endif
