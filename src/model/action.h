/*
 * An action: one device's part of a deployment. Its life is one table of states with the moves that are
 * allowed.
 */
#ifndef PQOTA_MODEL_ACTION_H
#define PQOTA_MODEL_ACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define ACTION_MESSAGE_MAX 512 /* bytes */
#define ACTION_PROGRESS_NONE (-1)

enum action_state {
    ACTION_WAITING, /* for its user's consent */
    ACTION_OFFERED,
    ACTION_DOWNLOADING,
    ACTION_DOWNLOADED, /* and not to be installed yet */
    ACTION_INSTALLING,
    ACTION_REBOOTING,
    ACTION_CANCELLING, /* the device was asked to give it up */
    ACTION_SUCCEEDED,
    ACTION_FAILED,
    ACTION_CANCELLED,
};
#define ACTION_STATES 10

/* Texts live in the arena that the record was read into. */
struct action {
    int64_t pk;
    int64_t deployment, device, release;
    const char *device_id; /* filled where the question says so */
    enum action_state state;
    enum action_state resume; /* ACTION_CANCELLING: the state before */
    int64_t attempt;          /* from 1 */
    bool retrieved;           /* over hawkBit's protocol: the device has read what to do */
    bool called_off; /* its deployment was cancelled: it is over, unless it has begun to install */
    int progress;    /* percent, or ACTION_PROGRESS_NONE */
    const char *message;
    const char *said; /* all that is said of it, for its next entry: lines; NULL: the message */
    const char *version_before;                /* NULL when unknown */
    int64_t deadline_at;                       /* it has failed by then; 0: never */
    int64_t created_at, updated_at, closed_at; /* Unix milliseconds; closed_at 0 while open */
};

const char *action_state_word(enum action_state s);
int action_state_parse(struct str word, enum action_state *out) MUST_CHECK;

bool action_may_move(enum action_state from, enum action_state to);
bool action_is_final(enum action_state s);    /* closes the action */
bool action_is_reported(enum action_state s); /* one that a device may report */
/* Nothing on the device was changed yet: it may be called off. */
bool action_may_cancel(enum action_state s);

#endif
