/*
 * When devices were last seen, how they came, and why they got what they got: kept in memory, so that a poll
 * writes nothing, and flushed in batches.
 * Bounded by SEEN_MAX devices between two flushes; past that, devices not yet noted are left out until the
 * next. What was not flushed is lost with the process, and only that.
 */
#ifndef PQOTA_OTA_SEEN_H
#define PQOTA_OTA_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SEEN_MAX 1000000
#define SEEN_SLICE 500 /* rows a flush writes at most */

struct db;
struct device;
struct seen;

int seen_new(struct seen **out, struct err *e) MUST_CHECK;
void seen_free(struct seen *s);

/* Thread-safe. */
void seen_touch(struct seen *s, const char *device_id, int64_t now_ms);
/* news: it is not what is stored; if it is, it still takes the place of what was noted since. reason: enum
   reason; transport: "pq", "classical", "plain" or "proxy". */
void seen_reason(struct seen *s, const char *device_id, int reason, int64_t deployment, bool news);
void seen_transport(struct seen *s, const char *device_id, const char *transport, bool news);
/* Puts what was noted since the last flush over what is stored. */
void seen_show(struct seen *s, struct device *d, int64_t now_ms);
/* Writes up to SEEN_SLICE of each: 1 when more are left, 0 when not, or an error (then they are kept). A
   background job of the writer, again while it answers 1. */
int seen_flush(struct seen *s, struct db *db, int64_t now_ms, struct err *e) MUST_CHECK;

#endif
