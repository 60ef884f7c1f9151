/* The state of update metadata, in memory: how long each role is good, for metrics and people, and when
   somebody should look again whether something has to be signed. Thread-safe. */
#ifndef PQOTA_OTA_TRUST_VIEW_H
#define PQOTA_OTA_TRUST_VIEW_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUST_VIEW_MAX 64        /* roles that are kept: those that end first */
#define TRUST_LOOK_MS 60000      /* between two looks */
#define TRUST_RETRY_MS 60000     /* after a look that failed */
#define TRUST_WARN_MS 86400000   /* between two warnings of the same */
#define TRUST_VIEW_ROLE_SIZE 136 /* bytes of a role's name, with the NUL */

struct ota;

struct trust_row {
    const char *repository; /* "image" or "director" */
    char role[TRUST_VIEW_ROLE_SIZE];
    int64_t version;
    int64_t since_ms, expires_ms; /* Unix milliseconds */
};

struct trust_view {
    pthread_mutex_t lock;
    bool touched;                          /* something changed: look at once */
    bool anew;                             /* and sign even if what there is would still do */
    int64_t next_ms;                       /* when to look again, Unix ms */
    int64_t looked_ms;                     /* the last look */
    int64_t warned_ms;                     /* the last warning */
    struct trust_row rows[TRUST_VIEW_MAX]; /* soonest end first */
    size_t count;
};

int trust_view_init(struct trust_view *v);
void trust_view_fini(struct trust_view *v);
struct trust_view *trust_view_of(const struct ota *ota);

/* The database or the keys changed. anew: another history may have come (a restored backup, a start), so that
   clients may know higher versions than the database. */
void trust_view_touch(struct trust_view *v, bool anew);
bool trust_view_due(struct trust_view *v, int64_t now_ms);
/* A look begins; answers whether it is to sign anew in any case. */
bool trust_view_begin(struct trust_view *v, int64_t now_ms);
/* It failed: soon again. */
void trust_view_failed(struct trust_view *v, bool anew, int64_t now_ms);
/* What it found; sorts it. */
void trust_view_set(struct trust_view *v, struct trust_row *rows, size_t count);
/* Copies what is known: *out has TRUST_VIEW_MAX. */
size_t trust_view_get(struct trust_view *v, struct trust_row *out);
/* True once a day. */
bool trust_view_may_warn(struct trust_view *v, int64_t now_ms);

/* Less than a third of its life is left. */
static inline bool trust_row_ends(const struct trust_row *r, int64_t now_ms)
{
    return (r->expires_ms - now_ms) * 3 < r->expires_ms - r->since_ms;
}

#endif
