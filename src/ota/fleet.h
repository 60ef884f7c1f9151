/* The fleet over time: which versions ran when, and what failed lately. */
#ifndef PQOTA_OTA_FLEET_H
#define PQOTA_OTA_FLEET_H

#include "base/arena.h"
#include "store/fleet.h"

struct ota;
struct db;

#define FLEET_HOURS_MAX 2160   /* 90 days */
#define FLEET_HISTORY_MAX 12   /* series that are told apart */
#define FLEET_POINTS_MAX 400   /* of each */
#define FLEET_UNKNOWN (-1)     /* what is not known of a time */
#define FLEET_SAMPLE_TICKS 600 /* seconds between two samples */

struct fleet_series {
    const char *model, *version; /* version NULL: not reported yet; model NULL: all others, of any model */
    bool others;                 /* all others */
    int64_t peak;
    int64_t *devices; /* one for each time, FLEET_UNKNOWN where none is known */
};
struct fleet_history {
    int64_t step_seconds;
    int64_t *times; /* Unix milliseconds; the last is now */
    size_t time_count;
    struct fleet_series *series; /* what runs most now first; all others last, if there are any */
    size_t series_count;
};

/* QUERY lane. hours: 1..FLEET_HOURS_MAX; model NULL: all. */
int ota_fleet_history(struct ota *ota, struct db *db, struct arena *a, int64_t hours, const char *model,
                      struct fleet_history *out, struct err *e) MUST_CHECK;

/* A background job of the writer, each FLEET_SAMPLE_TICKS; then call ota_fleet_slice while *more. */
int ota_fleet_sample(struct ota *ota, struct db *db, struct err *e) MUST_CHECK;
int ota_fleet_slice(struct ota *ota, struct db *db, bool *more, struct err *e) MUST_CHECK;

/* QUERY lane. What failed in the last hours, newest first; after: a cursor of an earlier page, or NULL.
   *next: the cursor of the next one, NULL: this is the last. */
int ota_failures(struct ota *ota, struct db *db, struct arena *a, int64_t hours, const char *after,
                 size_t limit, struct failure **out, size_t *count, const char **next,
                 struct err *e) MUST_CHECK;

#endif
