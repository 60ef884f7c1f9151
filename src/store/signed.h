/* What the vendor's signature says of releases, and releases on their way from draft to published. */
#ifndef PQOTA_STORE_SIGNED_H
#define PQOTA_STORE_SIGNED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

struct db;

/* Of one release for one model; numbers are 0 when nothing was said. */
struct signed_terms {
    int64_t sequence;
    int64_t unpacked_size; /* bytes */
    int64_t upgrade_from;  /* lowest sequence to upgrade from */
    int64_t counter;       /* against rollback */
    bool security;
    const char *advisory;
};

/* *signed_it: it is in the metadata. ERR_NOT_FOUND: the release does not fit the model. */
int store_signed_terms(struct db *db, struct arena *a, int64_t release, const char *model, bool *signed_it,
                       struct signed_terms *out, struct err *e) MUST_CHECK;
/* The vendor's entry for manifests of microcontrollers; p NULL when there is none. */
int store_signed_entry(struct db *db, struct arena *a, int64_t release, const char *model, struct str *cose,
                       struct err *e) MUST_CHECK;
/* The type of the module that a release has the file from. */
int store_release_type(struct db *db, struct arena *a, int64_t release, const char *filename,
                       const char **out, struct err *e) MUST_CHECK;
/* Drafts that wait for a signature, newest first: *out has *count <= limit of their pks. */
int store_release_drafts(struct db *db, struct arena *a, size_t limit, int64_t **out, size_t *count,
                         struct err *e) MUST_CHECK;
/* The highest sequence that was ever given for the model; 0 for none. */
int store_sequence_last(struct db *db, const char *model, int64_t *out, struct err *e) MUST_CHECK;

/* Writer only. */
int store_signed_set(struct db *db, int64_t release, const char *model, const struct signed_terms *t,
                     struct err *e) MUST_CHECK;
int store_signed_entry_set(struct db *db, int64_t release, const char *model, struct str cose,
                           struct err *e) MUST_CHECK;
/* From now on this is the model's last; ERR_CONFLICT unless it is higher than that. */
int store_sequence_raise(struct db *db, const char *model, int64_t sequence, struct err *e) MUST_CHECK;
/* The sequence of a release that nobody signs. */
int store_sequence_set(struct db *db, int64_t release, const char *model, int64_t sequence,
                       struct err *e) MUST_CHECK;
/* A draft is published; ERR_CONFLICT when it is none. */
int store_release_publish(struct db *db, int64_t release, int64_t now_ms, struct err *e) MUST_CHECK;

#endif
