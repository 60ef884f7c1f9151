/* All that ota_select has to know of a device that asks, read by a bounded number of index lookups. */
#ifndef PQOTA_OTA_GATHER_H
#define PQOTA_OTA_GATHER_H

#include "base/arena.h"
#include "model/device.h"
#include "ota/select.h"

struct db;

struct gathered {
    struct select_facts facts; /* into the rest */
    struct candidate *candidates;
    enum select_window *windows;
    struct action open; /* pk 0: none */
    bool no_member;     /* it is known that no deployment waits for it or is at it */
};

/* g->open and g->no_member are filled by the caller; now_ms Unix milliseconds; version: what runs, NULL when
   unknown. */
int ota_gather(struct db *db, struct arena *a, const struct device *d, const char *version, bool ddi,
               int64_t now_ms, struct gathered *g, struct err *e) MUST_CHECK;

/* Whether the device matches the filter. */
int ota_match(struct db *db, struct arena *a, const struct device *d, const char *filter, int64_t now_ms,
              bool *out, struct err *e) MUST_CHECK;

/* Whether the deployment's window is open for the device; *when_ms: when that changes, 0: never. */
int ota_window(struct arena *a, const struct deployment_policy *p, const struct device *d, int64_t now_ms,
               enum select_window *out, int64_t *when_ms, struct err *e) MUST_CHECK;

/* When an attempt that the device is given now is overdue, 0: never: counted from when it may begin. */
int ota_deadline(struct arena *a, const struct deployment_policy *p, const struct device *d, int64_t now_ms,
                 int64_t *out, struct err *e) MUST_CHECK;

#endif
