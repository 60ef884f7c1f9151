/*
 * What a device tells of its action by hawkBit's protocol, and what that closes.
 *
 * An entry of an action's history may have several messages: they stand below each other, a line each, what
 * the device said first.
 */
#ifndef PQOTA_OTA_FEEDBACK_H
#define PQOTA_OTA_FEEDBACK_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/json.h"
#include "model/action.h"

struct db;
struct ota;

#define FEEDBACK_MESSAGES_MAX 50 /* of one entry */

/* Kinds of entries that are no state of an action; see store_action_status_note. */
#define ENTRY_RETRIEVED "retrieved"
#define ENTRY_RUNNING "running"
#define ENTRY_WARNING "warning"
#define ENTRY_CANCEL_REJECTED "cancel_rejected"

enum feedback_execution {
    FEEDBACK_CLOSED,
    FEEDBACK_DOWNLOADED,
    FEEDBACK_DOWNLOAD,
    FEEDBACK_PROCEEDING,
    FEEDBACK_SCHEDULED,
    FEEDBACK_RESUMED,
    FEEDBACK_CANCELED,
    FEEDBACK_REJECTED,
};

/* Texts in the arena, of a line each: valid UTF-8 without control characters, whatever came. */
struct feedback {
    enum feedback_execution execution;
    bool failure;        /* the result; "none" counts as success where it closes */
    int progress;        /* percent, or ACTION_PROGRESS_NONE */
    const char *message; /* the first; "" for none */
    const char *said;    /* all of them, each of ACTION_MESSAGE_MAX bytes at most; "" for none */
    bool too_many;       /* more than FEEDBACK_MESSAGES_MAX: those are left out */
};

/* {"status": {"execution", "result": {"finished", "progress"?: {"cnt", "of"}}, "code"?, "details"?: []}};
   what else is there is passed over. ERR_INVALID says what is missing or wrong. */
int ota_feedback_read(yyjson_val *body, struct arena *a, struct feedback *out, struct err *e) MUST_CHECK;
/* "details" and "code" of an object alone. */
int ota_feedback_messages(yyjson_val *obj, struct arena *a, struct feedback *out, struct err *e) MUST_CHECK;

/*
 * Writer only; on the update itself, also while the device is asked to give it up: whichever end comes first
 * counts. ERR_NOT_FOUND: there is no such action of this device's, or it waits for consent. ERR_GONE: it is
 * over. ERR_TOO_LARGE: too many messages, or entries; what closes the action is always taken.
 *
 * One success counts for nothing but an entry: that of a device which must not install yet and has fetched
 * nothing (SWUpdate's word for "not now").
 */
int ota_feedback(struct ota *ota, struct db *db, struct arena *a, const char *device_id, int64_t action,
                 const struct feedback *f, struct err *e) MUST_CHECK;
/* The same on being asked to give it up. ERR_CONFLICT: it is not asked to. */
int ota_cancel_feedback(struct ota *ota, struct db *db, struct arena *a, const char *device_id,
                        int64_t action, const struct feedback *f, struct err *e) MUST_CHECK;

/* The device has read what to do. With a reader (writing false) it gives FEEDBACK_UPGRADE when that is to be
   noted: then it is called again with the writer. */
#define FEEDBACK_UPGRADE 1
int ota_note_retrieved(struct ota *ota, struct db *db, bool writing, struct arena *a, struct action *act,
                       struct err *e) MUST_CHECK;
/* The device fetches that file of it. Any thread: the entry is written a little later, and left out when
   there is too much to do. */
void ota_note_download(struct ota *ota, int64_t action, const char *filename);

#endif
