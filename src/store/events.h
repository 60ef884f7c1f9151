/* Questions about what happened. */
#ifndef PQOTA_STORE_EVENTS_H
#define PQOTA_STORE_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/event.h"

struct db;

/* kind: 'device.enrolled', ...; who: operator, device id or 'server'; detail: a sentence, NULL is "".
   Called in the transaction that made it happen; from where is the connection's (db_set_origin). */
int store_event_add(struct db *db, int64_t now_ms, const char *kind, const char *who, const char *subject,
                    const char *detail, struct err *e) MUST_CHECK;

/* Newest first; subject, kind: NULL for any; before: ids below this, 0 from the newest. */
int store_event_list(struct db *db, struct arena *a, const char *subject, const char *kind, int64_t before,
                     size_t limit, struct event **out, size_t *count, struct err *e) MUST_CHECK;

/* The id of the last one ever; 0 when there was none. */
int store_event_last(struct db *db, int64_t *out, struct err *e) MUST_CHECK;

/* Oldest first, ids above `after`. */
int store_event_after(struct db *db, struct arena *a, int64_t after, size_t limit, struct event **out,
                      size_t *count, struct err *e) MUST_CHECK;

/* Removes at most `most` that are older; *removed says how many. */
int store_event_prune(struct db *db, int64_t before_ms, size_t most, size_t *removed,
                      struct err *e) MUST_CHECK;

#endif
