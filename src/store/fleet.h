/*
 * How many devices ran which version when. A number is kept only when it changed, and holds until the next
 * one; models and versions that are rare share one series. See migration 7.
 */
#ifndef PQOTA_STORE_FLEET_H
#define PQOTA_STORE_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct db;

#define FLEET_LIVE_MAX 512                   /* models and versions that are told apart at one time */
#define FLEET_SERIES_MAX 1024                /* and that are kept, with those that nothing runs any more */
#define FLEET_HOUR_MS ((int64_t)3600 * 1000) /* older numbers are kept by the hour */
#define FLEET_FINE_MS (48 * FLEET_HOUR_MS)   /* this long each is kept */
#define FLEET_KEEP_MS ((int64_t)90 * 24 * FLEET_HOUR_MS) /* and this long by the hour */

/* Writer only. Notes what runs now, as far as it is another number than the last one. */
int store_fleet_sample(struct db *db, int64_t now_ms, struct err *e) MUST_CHECK;
/* Writer only. Forgets what is past its time, some of it; *more: there is more to do. */
int store_fleet_thin(struct db *db, int64_t now_ms, bool *more, struct err *e) MUST_CHECK;

/* When numbers begin, Unix milliseconds; 0: there are none. */
int store_fleet_since(struct db *db, int64_t *out, struct err *e) MUST_CHECK;
/* What runs now; model NULL: of all. */
int store_fleet_now(struct db *db, const char *model, int64_t *devices, struct err *e) MUST_CHECK;

/* A number of a series. Texts are good until the next one is read. */
struct fleet_point {
    int64_t series;
    const char *model, *version; /* version NULL: not known; model "": all that share one series */
    int64_t live;                /* what it is now */
    int64_t at, devices;
};
/* Calls each for the numbers since `from`, and the last before it, a series after the other and each in its
   order. model NULL: all, with the shared series. each < 0 stops. */
int store_fleet_each(struct db *db, struct arena *scratch, const char *model, int64_t from,
                     int (*each)(void *ctx, const struct fleet_point *p, struct err *e), void *ctx,
                     struct err *e) MUST_CHECK;

struct fleet_row {
    const char *model, *version; /* version NULL: not known */
    int64_t devices;
};
/* What runs now and has no series yet, most first. out has room for `limit`. */
int store_fleet_new(struct db *db, struct arena *a, const char *model, size_t limit, struct fleet_row *out,
                    size_t *count, struct err *e) MUST_CHECK;

/* An attempt that failed. */
struct failure {
    int64_t action, at; /* Unix milliseconds */
    int64_t deployment;
    const char *device, *release_name, *release_version;
    const char *message; /* the last words on it, "" for none */
};
/* Newest first: those that ended since `since`, before (at, action) unless at is 0. out has room for
   `limit`. */
int store_failures(struct db *db, struct arena *a, int64_t since, int64_t at, int64_t action, size_t limit,
                   struct failure *out, size_t *count, struct err *e) MUST_CHECK;

#endif
