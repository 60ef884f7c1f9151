/*
 * What a deployment would be for, looked at before there is one: numbers where they are kept already, else
 * the devices themselves, some at a time.
 */
#ifndef PQOTA_STORE_PREVIEW_H
#define PQOTA_STORE_PREVIEW_H

#include "base/arena.h"
#include "model/deployment.h"

struct db;
struct filter;

struct preview_row {
    int64_t pk;
    const char *id, *model, *version; /* version NULL: not reported yet */
    bool revoked;
    bool no_clock;    /* its offset from UTC is not known */
    unsigned matches; /* bit i: phase i has a filter and it matches */
};

/* The devices are looked for among all in the order they were registered, or, much quicker, among those with
   a tag, or with ids (one at a time). */
enum preview_by { PREVIEW_BY_PK, PREVIEW_BY_TAG, PREVIEW_BY_ID };

struct preview_search {
    enum preview_by by;
    const char *tag;                                    /* PREVIEW_BY_TAG, which is all that counts then */
    const struct filter *filter;                        /* else */
    const struct filter *phases[DEPLOYMENT_PHASES_MAX]; /* NULL: none of its own */
    size_t phase_count;
    int64_t now_ms;
};
#define PREVIEW_SLICE 2000 /* devices looked at in one call */

/* Where the next slice begins; {.id = ""} at first. BY_ID: .id is the device looked for. */
struct preview_place {
    int64_t pk;
    const char *id;
};
/* out has room for PREVIEW_SLICE. *at moves on; its text is in the arena. *end: there are no others. */
int store_preview_slice(struct db *db, struct arena *a, const struct preview_search *q,
                        struct preview_place *at, struct preview_row *out, size_t *count, bool *end,
                        struct err *e) MUST_CHECK;

struct preview_tally {
    const char *model, *version; /* NULL: not reported yet */
    int64_t devices;             /* not revoked */
};
/* Of a model: the most frequent first, at most `limit`; *more: there are others. */
int store_preview_tally(struct db *db, struct arena *a, const char *model, size_t limit,
                        struct preview_tally **out, size_t *count, bool *more, struct err *e) MUST_CHECK;
/* Devices of the fleet, and how many of them are revoked; of one model the revoked ones alone. */
int store_preview_fleet(struct db *db, int64_t *devices, int64_t *revoked, struct err *e) MUST_CHECK;
int store_preview_revoked(struct db *db, const char *model, int64_t *out, struct err *e) MUST_CHECK;
/* Some ids of devices that are not revoked and run it: at most `limit`, by name. */
int store_preview_some(struct db *db, struct arena *a, const char *model, const char *version, size_t limit,
                       const char **out, size_t *count, struct err *e) MUST_CHECK;
/* The newest deployment of the release that is not over; 0: there is none. */
int store_preview_other(struct db *db, int64_t release, int64_t *out, struct err *e) MUST_CHECK;

#endif
