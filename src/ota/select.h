/*
 * What a device that asks should do: a pure function of what is known about it, its deployments and the
 * clock.
 *
 * An open action is offered until it is closed, unless nothing was installed yet and a deployment that counts
 * more brings a newer release. Otherwise, of the deployments whose turn it is, that of the highest priority
 * counts, then the newest. Downwards a deployment that allows it may take the device, but only if it was made
 * after every deployment that the device ever had a part in, and upwards only if it was made after the last
 * one that took the device down: an old order does not undo a new one.
 */
#ifndef PQOTA_OTA_SELECT_H
#define PQOTA_OTA_SELECT_H

#include "model/action.h"
#include "ota/reason.h"
#include "store/candidates.h"

enum select_window { SELECT_WINDOW_NONE, SELECT_WINDOW_OPEN, SELECT_WINDOW_CLOSED };

struct select_facts {
    int64_t now;               /* Unix milliseconds */
    const char *version;       /* what runs, NULL when unknown */
    int64_t sequence;          /* of that version for the device's model, 0 when unknown */
    int64_t newest_deployment; /* that the device ever had an action of, 0 for none */
    int64_t moved_back;        /* newest one that allowed going down and succeeded, 0 for none */
    bool waits_in_window;      /* it is told of an update before its window opens, and waits by itself */
    const struct candidate *candidates;
    const enum select_window *windows; /* of each candidate */
    size_t count;
    const struct action *open; /* NULL for none */
    int64_t open_sequence;     /* of its release */
    int open_priority;         /* of its deployment */
    bool open_paused;          /* its deployment is */
};

enum select_kind {
    SELECT_NOTHING,
    SELECT_WITHHOLD,  /* there is an open action, and the device is not to begin */
    SELECT_KEEP,      /* offer the open action again */
    SELECT_OFFER,     /* make an action of chosen */
    SELECT_SUPERSEDE, /* close the open action, then as SELECT_OFFER */
};

struct select_decision {
    enum select_kind kind;
    const struct candidate *chosen; /* into candidates */
    enum reason reason;
    int64_t deployment; /* that the reason is about; 0: none */
};

struct select_decision ota_select(const struct select_facts *f);
/* What stands between the device and one of the candidates: REASON_NEWER or REASON_BACK when nothing does. */
enum reason ota_select_one(const struct select_facts *f, size_t i);

#endif
