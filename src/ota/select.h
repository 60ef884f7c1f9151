/*
 * What a device that asks should do: a pure function of what is known about it.
 *
 * An open action is offered until it is closed, unless it has not begun to install and a deployment made
 * later brings a newer release. Otherwise the newest deployment counts whose release is newer than what runs
 * and that the device has not tried yet. Downwards a deployment that allows it may take the device, but only
 * if it was made after every deployment that the device ever had a part in, and upwards only if it was made
 * after the last one that may have taken the device down: an old order does not undo a new one.
 */
#ifndef PQOTA_OTA_SELECT_H
#define PQOTA_OTA_SELECT_H

#include "model/action.h"
#include "store/deployments.h"

struct select_facts {
    const char *version;       /* what runs, NULL when unknown */
    int64_t sequence;          /* of that version for the device's model, 0 when unknown */
    int64_t newest_deployment; /* that the device ever had an action of, 0 for none */
    int64_t moved_back;        /* newest one that allowed going down and succeeded, 0 for none */
    const struct candidate *candidates;
    size_t count;
    const struct action *open; /* NULL for none */
    int64_t open_sequence;     /* of its release */
};

enum select_kind {
    SELECT_NOTHING,
    SELECT_KEEP,      /* offer the open action again */
    SELECT_OFFER,     /* make an action of chosen */
    SELECT_SUPERSEDE, /* close the open action, then as SELECT_OFFER */
};

struct select_decision {
    enum select_kind kind;
    const struct candidate *chosen; /* into candidates */
    const char *reason;             /* for logs */
};

struct select_decision ota_select(const struct select_facts *f);

#endif
