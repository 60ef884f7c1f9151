/* Forgetting what is past its days, a slice at a time: jobs for the writer's background. */
#ifndef PQOTA_STORE_RETENTION_H
#define PQOTA_STORE_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct db;

/* Each looks at or removes at most `most` rows and takes from *most what it used; *more: there is more to
   do. */

/* Reports on actions closed before the time, and those actions, but for those by which a poll knows what not
   to offer again, and the director what a device should run. Goes on where it stopped (the place is kept in
   the database); at what it left it looks again when before_ms has grown by a day. */
int store_actions_prune(struct db *db, int64_t before_ms, int64_t *most, bool *more,
                        struct err *e) MUST_CHECK;
/* Devices of deployments that were over before the time; how many there were in each state stays known. */
int store_members_prune(struct db *db, int64_t before_ms, int64_t *most, bool *more,
                        struct err *e) MUST_CHECK;
/* Enrolment tokens that expired before the time, and who used them. */
int store_tokens_prune(struct db *db, int64_t before_ms, int64_t *most, bool *more, struct err *e) MUST_CHECK;

#endif
