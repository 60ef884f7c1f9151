/* A device asks what it should do. */
#ifndef PQOTA_OTA_POLL_H
#define PQOTA_OTA_POLL_H

#include "base/arena.h"
#include "model/action.h"
#include "model/device.h"
#include "model/release.h"
#include "ota/select.h"

struct ota;
struct db;

/* How far it is to go, as hawkBit has it. */
enum poll_must { POLL_FORCED, POLL_ATTEMPT, POLL_SKIP };

struct poll_terms {
    enum poll_must download, install;
    enum select_window window;
    int64_t window_ms; /* when a closed window opens, or an open one closes: Unix milliseconds, 0: never */
};

struct poll_answer {
    struct device device;
    bool update;       /* action, release and terms are filled, with the release's details */
    bool withheld;     /* not an update now, but action is one that it has */
    int64_t installed; /* ddi: the action by which what it runs was installed, 0: none */
    struct action action;
    struct release release;
    struct poll_terms terms;
    struct select_decision decision; /* its candidate is gone */
};

/* Who asks, and what it says of itself. */
struct poll_question {
    const char *device;
    int64_t now_ms;        /* Unix milliseconds, 0: the clock is asked */
    struct str version;    /* what runs; p NULL leaves what it last said */
    const char *transport; /* how it came, see seen_transport; NULL: noted elsewhere */
    bool ddi; /* by hawkBit's protocol: it waits for its window by itself, and confirms a cancel */
};

#define POLL_UPGRADE 1
/*
 * With a reader (writing false) it only looks, by index lookups of a bounded number, and gives POLL_UPGRADE
 * when something must be written: then it is called again with the writer. A poll that changes nothing
 * writes nothing; why the device got what it got is noted in memory, and written by ota/seen.
 */
int ota_poll(struct ota *ota, struct db *db, bool writing, struct arena *a, const struct poll_question *q,
             struct poll_answer *out, struct err *e) MUST_CHECK;

/* The deployment whose update the device would be given if it asked now, 0 for none: by the same rules, and
   nothing is written. A revoked device is given none. */
int ota_poll_expect(struct db *db, struct arena *a, const struct device *d, int64_t now_ms,
                    int64_t *deployment, struct err *e) MUST_CHECK;

/* What one action's deployment says of download, installation and window now. */
int ota_terms(struct db *db, struct arena *a, const struct device *d, const struct action *act,
              int64_t now_ms, struct poll_terms *out, struct err *e) MUST_CHECK;

#endif
