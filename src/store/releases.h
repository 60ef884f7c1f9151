/* Releases in the database. Deleted ones keep their row, so that a version never comes back with other
   bytes. */
#ifndef PQOTA_STORE_RELEASES_H
#define PQOTA_STORE_RELEASES_H

#include "base/arena.h"
#include "model/release.h"

struct db;

/* These read the row itself; ERR_NOT_FOUND says which one is not there. Deleted ones are given too, with
   deleted_at set. */
int store_release_by_pk(struct db *db, struct arena *a, int64_t pk, struct release *out,
                        struct err *e) MUST_CHECK;
int store_release_by_name(struct db *db, struct arena *a, struct str name, struct str version,
                          struct release *out, struct err *e) MUST_CHECK;
/* The one that is not deleted; ERR_CONFLICT when several names have that version. */
int store_release_by_version(struct db *db, struct arena *a, struct str version, struct release *out,
                             struct err *e) MUST_CHECK;
/* The published one of the highest sequence for the model, with that sequence. */
int store_release_latest(struct db *db, struct arena *a, const char *model, struct release *out,
                         struct err *e) MUST_CHECK;
/* The same with its details; between db_read_begin and db_read_end it is not read again while nothing
   changed. */
int store_release_latest_whole(struct db *db, struct arena *a, const char *model, struct release *out,
                               struct err *e) MUST_CHECK;
/* The same for a device's model, at one moment. */
int store_release_latest_of(struct db *db, struct arena *a, const char *device_id, struct release *out,
                            struct err *e) MUST_CHECK;
/* Fills models, artifacts and the highest sequence of a release that was read. */
int store_release_details(struct db *db, struct arena *a, struct release *r, struct err *e) MUST_CHECK;

struct release_filter {
    const char *model, *name; /* NULL: any */
    const enum release_state *state;
};
/* Newest first, without deleted ones, with details, sequence as for filter.model if given; pk below `after`
   unless that is 0. *out has *count <= limit of them; *more: there are others. */
int store_release_list(struct db *db, struct arena *a, const struct release_filter *filter, int64_t after,
                       size_t limit, struct release **out, size_t *count, bool *more,
                       struct err *e) MUST_CHECK;

/* The release's sequence for a model; ERR_NOT_FOUND when it does not fit it. */
int store_release_sequence(struct db *db, int64_t pk, const char *model, int64_t *out,
                           struct err *e) MUST_CHECK;
/* The highest sequence among the model's releases of that version, deleted ones too; 0 when it is unknown. */
int store_sequence_of_version(struct db *db, const char *model, const char *version, int64_t *out,
                              struct err *e) MUST_CHECK;
/* A device or a release has this model. */
int store_model_known(struct db *db, const char *model, bool *out, struct err *e) MUST_CHECK;

/* Writer only. */
int store_release_add(struct db *db, const struct release *r, int64_t *pk, struct err *e) MUST_CHECK;
int store_release_add_model(struct db *db, const struct release *r, const char *model, int64_t sequence,
                            struct err *e) MUST_CHECK;
/* The model's next number: each is given once. */
int store_sequence_next(struct db *db, const char *model, int64_t *out, struct err *e) MUST_CHECK;
/* And the module that was made with it. */
int store_release_mark_deleted(struct db *db, int64_t pk, int64_t now_ms, struct err *e) MUST_CHECK;

#endif
