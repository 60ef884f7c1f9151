/*
 * What waits to be announced: one row for each thing that changed, a release, a deployment or a device. What
 * is said about it is read from the database when it is sent. Times are Unix milliseconds.
 */
#ifndef PQOTA_STORE_OUTBOX_H
#define PQOTA_STORE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct db;

enum outbox_kind { OUTBOX_RELEASE, OUTBOX_DEPLOYMENT, OUTBOX_DEVICE };

struct outbox_row {
    int64_t pk; /* the receipt: what changes again while it is being sent gets another one */
    enum outbox_kind kind;
    int64_t ref;      /* pk of the release, deployment or device */
    int64_t position; /* deployment: pk of the last device that was told */
};

/* Readers too. */
/* Releases and devices, in the order they were put, with pk above `after`; out has room for `limit`. */
int store_outbox_next(struct db *db, int64_t after, size_t limit, struct outbox_row *out, size_t *count,
                      struct err *e) MUST_CHECK;
/* The deployment that was put first; out->pk is 0 when there is none. */
int store_outbox_deployment(struct db *db, struct outbox_row *out, struct err *e) MUST_CHECK;

#define OUTBOX_COUNT_MAX 100000 /* counting stops here */
/* How many wait, and since when the oldest does; 0 when none does. */
int store_outbox_waiting(struct db *db, int64_t *count, int64_t *oldest_ms, struct err *e) MUST_CHECK;

/* Writer only. */
/* What is there already for that thing is replaced, and goes to the end. */
int store_outbox_put(struct db *db, enum outbox_kind kind, int64_t ref, int64_t now_ms,
                     struct err *e) MUST_CHECK;
/* These two do nothing when the row was replaced meanwhile. */
int store_outbox_advance(struct db *db, int64_t pk, int64_t position, struct err *e) MUST_CHECK;
int store_outbox_done(struct db *db, int64_t pk, struct err *e) MUST_CHECK;

/* Events are announced by how far that got. -1: nothing is kept, announcing is off. */
int store_outbox_event_cursor(struct db *db, int64_t *event, struct err *e) MUST_CHECK;
int store_outbox_event_cursor_set(struct db *db, int64_t event, struct err *e) MUST_CHECK;
/* Whether a broker was connected to since announcing is on; forgotten with the cursor. */
int store_outbox_broker_known(struct db *db, bool *known, struct err *e) MUST_CHECK;
int store_outbox_broker_know(struct db *db, struct err *e) MUST_CHECK;
/* Events after the cursor. */
int store_outbox_events_waiting(struct db *db, int64_t *count, struct err *e) MUST_CHECK;

#endif
