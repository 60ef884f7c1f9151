/* Forgetting what is past its days. */
#ifndef PQOTA_OTA_RETENTION_H
#define PQOTA_OTA_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct ota;
struct db;

#define RETENTION_SLICE 200        /* rows a call looks at or removes at most */
#define RETENTION_TOKEN_DAYS 30    /* an expired enrolment token is shown this long */
#define RETENTION_METADATA_DAYS 15 /* replaced ones, and longer while a timestamp that names them is good */

/* A background job of the writer: events, closed actions with their reports, the
   devices of deployments that are over, expired tokens. Call it again
   while *more. 0 days keeps everything of that kind. */
int ota_retention_slice(struct ota *ota, struct db *db, int64_t now_ms, bool *more, struct err *e) MUST_CHECK;
/* For blob_sweep: 1 keep, 0 nobody refers to it any more, or an error. Any db of the calling thread. */
int ota_blob_keep(struct db *db, const char *sha256, struct err *e) MUST_CHECK;

#endif
