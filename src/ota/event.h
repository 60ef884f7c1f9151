/* What happened, newest first. */
#ifndef PQOTA_OTA_EVENT_H
#define PQOTA_OTA_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/event.h"

struct db;

/* subject, kind: NULL for any; before: ids below this, 0 from the newest. */
int ota_event_list(struct db *db, struct arena *a, const char *subject, const char *kind, int64_t before,
                   size_t limit, struct event **out, size_t *count, struct err *e) MUST_CHECK;

#endif
