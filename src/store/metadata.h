/* Signed update metadata in the database, byte for byte as it is served. Of each role the highest version
   counts; older ones stay for a while, roots for ever. */
#ifndef PQOTA_STORE_METADATA_H
#define PQOTA_STORE_METADATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hex.h"
#include "base/str.h"

struct db;

#define METADATA_ROLES_MAX 1100 /* of one repository: four, and as many delegated ones as a file may name */

enum repository { REPOSITORY_IMAGE, REPOSITORY_DIRECTOR, REPOSITORIES };
const char *repository_word(enum repository r); /* "image", "director" */
int repository_parse(struct str word, enum repository *out) MUST_CHECK;

/* Texts are in the arena. Times are Unix milliseconds. */
struct metadata {
    enum repository repository;
    const char *role; /* "root", "targets", "model-gw1", ... */
    int64_t version;
    int64_t expires_at, created_at;
    int64_t size; /* bytes of the body */
    const char *sha256;
    struct str body; /* p NULL where it was not asked for */
};

/* Of the current version. There is none: *out is zeroed (version 0). */
int store_metadata_current(struct db *db, struct arena *a, enum repository r, const char *role, bool body,
                           struct metadata *out, struct err *e) MUST_CHECK;
/* ERR_NOT_FOUND: there is none, or not any more. */
int store_metadata_get(struct db *db, struct arena *a, enum repository r, const char *role, int64_t version,
                       bool body, struct metadata *out, struct err *e) MUST_CHECK;
/* The current one of every role, in the order of their names, without bodies; ERR_TOO_LARGE: they are more
   than METADATA_ROLES_MAX. */
int store_metadata_list(struct db *db, struct arena *a, enum repository r, struct metadata **out,
                        size_t *count, struct err *e) MUST_CHECK;

/* Writer only. m->body, its sha256, version and expires_at; ERR_CONFLICT: what is there is not older. */
int store_metadata_add(struct db *db, const struct metadata *m, int64_t now_ms, struct err *e) MUST_CHECK;
/* Versions that were replaced before the time and before any timestamp was made that has not expired now,
   so that what it names stays; roots stay for ever. Takes from *most what it removed; *more: there are
   others. */
int store_metadata_prune(struct db *db, int64_t before_ms, int64_t now_ms, int64_t *most, bool *more,
                         struct err *e) MUST_CHECK;

#endif
