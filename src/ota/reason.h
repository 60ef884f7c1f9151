/* Why a device gets an update or does not: one word a reason, stored with the device, and a sentence. */
#ifndef PQOTA_OTA_REASON_H
#define PQOTA_OTA_REASON_H

/* Numbers are stored in databases: never give one another meaning. */
enum reason {
    REASON_UNKNOWN = 0, /* it has not asked yet */
    REASON_NOTHING = 1,
    /* it gets one */
    REASON_NEWER = 2,
    REASON_BACK = 3,
    REASON_SUPERSEDES = 4,
    REASON_UNDER_WAY = 5,
    /* it does not */
    REASON_DONE = 6,
    REASON_RUNS = 7,
    REASON_OLDER_THAN_BACK = 8,
    REASON_NOT_NEWER = 9,
    REASON_OLDER_ORDER = 10,
    REASON_APPROVAL = 11,
    REASON_SCHEDULED = 12,
    REASON_PAUSED = 13,
    REASON_PREPARING = 14,
    REASON_PHASE = 15,
    REASON_RETRY = 16,
    REASON_RATE = 17,
    REASON_WINDOW = 18,
    REASON_PRIORITY = 19,
    REASON_CONSENT = 20,
    REASON_CANCELLING = 21,
    REASON_BUSY = 22,
    REASON_LEFT = 23,
    /* never of a poll: what ota/why says of a deployment that is not for the device */
    REASON_MODEL = 24,
    REASON_NO_MATCH = 25,
    REASON_LATE = 26,
};
#define REASONS 27

const char *reason_word(enum reason r); /* for programs: "phase", "window", ... */
const char *reason_text(enum reason r); /* for people */

#endif
