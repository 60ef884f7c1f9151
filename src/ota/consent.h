/* Whether a device's user agrees to an update: asked before it, or given for all in advance. Writer only. */
#ifndef PQOTA_OTA_CONSENT_H
#define PQOTA_OTA_CONSENT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

struct db;
struct ota;

#define CONSENT_INITIATOR_MAX 64 /* characters */
#define CONSENT_REMARK_MAX 512

/*
 * The answer to an action that waits for consent. Confirmed: it is offered from now on, and its deadline
 * begins. Denied: it goes on waiting, and the answer stands in its history. said: lines for the history, ""
 * for none; see ota/feedback.h. ERR_NOT_FOUND: it is not this device's, or does not wait. ERR_GONE: it is
 * over.
 */
int ota_consent(struct ota *ota, struct db *db, struct arena *a, const char *device_id, int64_t action,
                bool confirmed, const char *said, struct err *e) MUST_CHECK;

/* From now on nobody is asked, and what waits is confirmed. ERR_CONFLICT: that is so already. ERR_INVALID:
   initiator and remark are too long, or no text. */
int ota_consent_always(struct ota *ota, struct db *db, struct arena *a, const char *device_id,
                       struct str initiator, struct str remark, struct err *e) MUST_CHECK;
/* The user is asked again. It being so already is fine. */
int ota_consent_ask(struct ota *ota, struct db *db, struct arena *a, const char *device_id,
                    struct err *e) MUST_CHECK;

#endif
