/* What a device says that it runs: it decides what became of its updates. */
#ifndef PQOTA_OTA_VERSION_H
#define PQOTA_OTA_VERSION_H

#include <stdbool.h>

#include "base/arena.h"
#include "model/device.h"

struct db;
struct ota;

/*
 * Writer only; version is one that str_is_name. Written down when it is new, and then:
 *  - a device that claimed success and runs what it ran before has fallen back: its action has failed (over
 *    hawkBit's protocol also when the version is not new, since success names none there);
 *  - one whose action failed, for want of a word perhaps, and that runs the release after all, has succeeded;
 *  - where it counted as done already because of what it ran, it counts as waiting again.
 * d->version is changed. *changed: it was new.
 */
int ota_version_reported(struct ota *ota, struct db *db, struct arena *a, struct device *d,
                         const char *version, bool *changed, struct err *e) MUST_CHECK;

#endif
