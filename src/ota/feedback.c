#include "ota/feedback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ota/announce.h"
#include "ota/finish.h"
#include "ota/ota.h"
#include "ota/poll.h"
#include "ota/version.h"
#include "store/actions.h"
#include "store/deployments.h"
#include "store/devices.h"
#include "store/releases.h"
#include "store/store.h"

#define RETRIEVED_TEXT "Update Server: Target retrieved update action and should start now the download."
#define NOTE_ARENA_MAX 65536
#define SKIPPED_WORD "Skipped Update." /* SWUpdate's */
#define SKIPPED_TEXT "Update Server: the device has skipped the update, which it must not install yet."
#define SKIPPED_LOOK 3 /* entries: that one and what comes with each poll */

/* --- in between ---------------------------------------------------------------------------------------- */

static int check_room(struct ota *ota, struct db *db, const struct action *act, const struct feedback *f,
                      struct err *e)
{
    int64_t entries;
    if (f->too_many)
        return err_set(e, ERR_TOO_LARGE, "at most %d messages at once", FEEDBACK_MESSAGES_MAX);
    int rc = store_action_status_count(db, act->pk, &entries, e);
    if (rc == 0 && entries >= ota->status_max)
        rc = err_set(e, ERR_TOO_LARGE,
                     "action %lld has %lld entries: no more are taken but the one that closes it",
                     (long long)act->pk, (long long)entries);
    return rc;
}

/* What is told, and the state that it means. */
static const struct {
    const char *kind; /* NULL: the state's word */
    bool moves;
    enum action_state state;
} steps[] = {
    [FEEDBACK_DOWNLOADED] = {NULL, true, ACTION_DOWNLOADED},
    [FEEDBACK_DOWNLOAD] = {NULL, true, ACTION_DOWNLOADING},
    [FEEDBACK_PROCEEDING] = {NULL, true, ACTION_INSTALLING},
    [FEEDBACK_SCHEDULED] = {ENTRY_RUNNING, false, 0},
    [FEEDBACK_RESUMED] = {ENTRY_RUNNING, false, 0},
    [FEEDBACK_CANCELED] = {"cancelled", false, 0}, /* hawkBit's own clients go on after it (issue 952) */
    [FEEDBACK_REJECTED] = {ENTRY_WARNING, false, 0},
};

/* An action that the device is asked to give up stays so, and remembers where it is. */
static int move(struct db *db, struct action *act, enum action_state to, const struct feedback *f,
                struct err *e)
{
    struct action shown = *act;
    bool asked = act->state == ACTION_CANCELLING;
    shown.state = to;
    shown.progress = f->progress;
    shown.message = f->message;
    shown.said = f->said;
    if (asked) {
        act->resume = to;
    } else {
        act->state = to;
        act->message = f->message;
    }
    act->progress = f->progress;
    act->updated_at = shown.updated_at;
    int rc = store_action_update(db, act, e);
    return rc != 0 ? rc : store_action_status_add(db, &shown, e);
}

static int step(struct ota *ota, struct db *db, struct action *act, const struct feedback *f, struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    int rc = check_room(ota, db, act, f, e);
    if (rc != 0)
        return rc;
    act->updated_at = now;
    if (steps[f->execution].moves)
        return move(db, act, steps[f->execution].state, f, e);
    return store_action_status_note(db, act->pk, steps[f->execution].kind, f->said, now, e);
}

/* --- the end ------------------------------------------------------------------------------------------- */

/* A device that never said by itself what it runs runs what it says that it installed. */
static int assume_version(struct ota *ota, struct db *db, struct arena *a, const struct action *act,
                          struct err *e)
{
    struct device d;
    struct release r;
    bool changed;
    int rc = store_device_by_pk(db, a, act->device, &d, e);
    if (rc == 0)
        rc = store_release_by_pk(db, a, act->release, &r, e);
    if (rc != 0 || (d.version != NULL && !d.version_assumed))
        return rc;
    rc = ota_version_reported(ota, db, a, &d, r.version, &changed, e);
    return rc != 0 ? rc : store_device_set_version_assumed(db, d.pk, true, e);
}

static int finish(struct ota *ota, struct db *db, struct arena *a, struct action *act, enum action_state to,
                  const struct feedback *f, struct err *e)
{
    bool again = act->state != ACTION_CANCELLING;
    int rc = to == ACTION_SUCCEEDED ? assume_version(ota, db, a, act, e) : 0;
    act->state = to;
    act->progress = f->progress;
    act->message = f->message;
    act->said = f->said;
    if (rc == 0)
        rc = ota_action_close(ota, db, a, act, again, e);
    if (rc == 0 && to != ACTION_FAILED) /* what it tells of itself may be another thing now */
        rc = store_device_set_attributes_wanted(db, act->device, ATTRIBUTES_WANTED, e);
    return rc != 0 ? rc : announce_device(ota, db, act->device, e);
}

/* SWUpdate, told to skip an update for now, says at once that it has succeeded. What no device has fetched or
   begun with is not installed; and it says the same again whenever it asks, also while it is being asked to
   give the update up. */
static int was_skipped(struct ota *ota, struct db *db, struct arena *a, const struct action *act,
                       const struct feedback *f, bool *out, struct err *e)
{
    struct device d;
    struct poll_terms terms;
    enum action_state stands = act->state == ACTION_CANCELLING ? act->resume : act->state;
    *out = false;
    if (f->execution != FEEDBACK_CLOSED || f->failure || stands != ACTION_OFFERED)
        return 0;
    int rc = store_device_by_pk(db, a, act->device, &d, e);
    if (rc == 0)
        rc = ota_terms(db, a, &d, act, clock_unix_ms(ota->clock), &terms, e);
    if (rc == 0)
        *out = terms.install == POLL_SKIP || strcmp(f->message, SKIPPED_WORD) == 0;
    return rc;
}

static int note_skipped(struct ota *ota, struct db *db, struct arena *a, const struct action *act,
                        struct err *e)
{
    struct action_entry last[SKIPPED_LOOK];
    size_t count;
    int rc = store_action_entries(db, a, act->pk, SKIPPED_LOOK, last, &count, e);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        if (strcmp(last[i].kind, ENTRY_WARNING) == 0 && strcmp(last[i].message, SKIPPED_TEXT) == 0)
            return 0;
    return store_action_status_note(db, act->pk, ENTRY_WARNING, SKIPPED_TEXT, clock_unix_ms(ota->clock), e);
}

int ota_feedback(struct ota *ota, struct db *db, struct arena *a, const char *device_id, int64_t action,
                 const struct feedback *f, struct err *e)
{
    struct action act;
    bool skipped;
    struct deployment d;
    bool closed = f->execution == FEEDBACK_CLOSED;
    int rc = store_action_of(db, a, device_id, action, &act, e);
    if (rc == 0 && act.state == ACTION_WAITING)
        rc = err_set(e, ERR_NOT_FOUND, "action %lld waits for consent", (long long)action);
    /* Where a download was all that was asked for, how its installation went is told after the end. */
    if (rc == 0 && act.closed_at != 0 && !(act.state == ACTION_DOWNLOADED && closed))
        rc =
            err_set(e, ERR_GONE, "action %lld is over (%s)", (long long)action, action_state_word(act.state));
    if (rc == 0)
        rc = was_skipped(ota, db, a, &act, f, &skipped, e);
    if (rc != 0)
        return rc;
    if (skipped)
        return note_skipped(ota, db, a, &act, e);
    if (closed)
        return finish(ota, db, a, &act, f->failure ? ACTION_FAILED : ACTION_SUCCEEDED, f, e);
    if (f->execution == FEEDBACK_DOWNLOADED) {
        rc = store_deployment_by_pk(db, a, act.deployment, &d, e);
        if (rc == 0 && d.policy.mode == MODE_DOWNLOAD_ONLY)
            return finish(ota, db, a, &act, ACTION_DOWNLOADED, f, e);
    }
    return rc != 0 ? rc : step(ota, db, &act, f, e);
}

/* --- giving it up -------------------------------------------------------------------------------------- */

static int give_up(struct ota *ota, struct db *db, struct arena *a, struct action *act,
                   const struct feedback *f, struct err *e)
{
    if (f->said[0] != '\0')
        act->said = f->said; /* why it was cancelled stays its message */
    int rc = ota_action_drop(ota, db, a, act, act->message, e);
    return rc != 0 ? rc : announce_device(ota, db, act->device, e);
}

/* The device goes on with it: from now on it counts as being installed, so that it is not asked again. */
static int go_on(struct ota *ota, struct db *db, struct action *act, const char *kind,
                 const struct feedback *f, struct err *e)
{
    bool as_before = act->resume == ACTION_REBOOTING || act->resume == ACTION_WAITING;
    act->state = as_before ? act->resume : ACTION_INSTALLING;
    act->message = f->message;
    act->updated_at = clock_unix_ms(ota->clock);
    int rc = store_action_update(db, act, e);
    if (rc == 0)
        rc = store_action_status_note(db, act->pk, kind, f->said, act->updated_at, e);
    return rc != 0 ? rc : announce_device(ota, db, act->device, e);
}

int ota_cancel_feedback(struct ota *ota, struct db *db, struct arena *a, const char *device_id,
                        int64_t action, const struct feedback *f, struct err *e)
{
    struct action act;
    int rc = store_action_of(db, a, device_id, action, &act, e);
    if (rc == 0 && act.state != ACTION_CANCELLING)
        rc = err_set(e, ERR_CONFLICT, "action %lld is %s: nobody asked to give it up", (long long)action,
                     action_state_word(act.state));
    if (rc != 0)
        return rc;
    if (f->execution == FEEDBACK_CLOSED)
        return f->failure ? go_on(ota, db, &act, action_state_word(ACTION_FAILED), f, e)
                          : give_up(ota, db, a, &act, f, e);
    if (f->execution == FEEDBACK_REJECTED)
        return go_on(ota, db, &act, ENTRY_CANCEL_REJECTED, f, e);
    rc = check_room(ota, db, &act, f, e);
    if (rc != 0)
        return rc;
    const char *kind = f->execution == FEEDBACK_CANCELED ? ENTRY_WARNING : ENTRY_RUNNING;
    return store_action_status_note(db, act.pk, kind, f->said, clock_unix_ms(ota->clock), e);
}

/* --- what the server sees by itself -------------------------------------------------------------------- */

int ota_note_retrieved(struct ota *ota, struct db *db, bool writing, struct arena *a, struct action *act,
                       struct err *e)
{
    struct action_entry last;
    size_t count;
    int64_t entries;
    if (act->closed_at != 0 || act->state == ACTION_CANCELLING || act->state == ACTION_WAITING)
        return 0;
    int rc = store_action_entries(db, a, act->pk, 1, &last, &count, e);
    if (rc != 0 || (act->retrieved && count > 0 && strcmp(last.kind, ENTRY_RETRIEVED) == 0))
        return rc;
    rc = store_action_status_count(db, act->pk, &entries, e);
    bool room = entries < ota->status_max;
    if (rc != 0 || (act->retrieved && !room))
        return rc;
    if (!writing)
        return FEEDBACK_UPGRADE;
    if (!act->retrieved) {
        act->retrieved = true;
        act->updated_at = clock_unix_ms(ota->clock);
        rc = store_action_update(db, act, e);
    }
    if (rc == 0 && room)
        rc = store_action_status_note(db, act->pk, ENTRY_RETRIEVED, RETRIEVED_TEXT, clock_unix_ms(ota->clock),
                                      e);
    return rc;
}

struct download_note {
    struct store_job job;
    struct ota *ota;
    int64_t action;
    char message[ACTION_MESSAGE_MAX];
};

static int write_download(struct db *db, void *arg, struct err *e)
{
    struct download_note *n = arg;
    auto_arena struct arena a;
    struct action act;
    int64_t entries;
    arena_init(&a, NOTE_ARENA_MAX);
    int rc = store_action_by_pk(db, &a, n->action, &act, e);
    if (rc != 0 || act.closed_at != 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    rc = store_action_status_count(db, act.pk, &entries, e);
    if (rc != 0 || entries >= n->ota->status_max)
        return rc;
    struct action shown = act;
    shown.state = ACTION_DOWNLOADING;
    shown.message = n->message;
    shown.progress = ACTION_PROGRESS_NONE;
    shown.updated_at = clock_unix_ms(n->ota->clock);
    rc = store_action_status_add(db, &shown, e);
    if (rc == 0 && act.state == ACTION_OFFERED) {
        act.state = ACTION_DOWNLOADING;
        act.updated_at = shown.updated_at;
        rc = store_action_update(db, &act, e);
    }
    return rc;
}

static void download_written(void *arg, int rc, const struct err *e)
{
    if (rc != 0)
        log_warn("ddi", "a download could not be noted", LOG_ERR(e));
    free(arg);
}

void ota_note_download(struct ota *ota, int64_t action, const char *filename)
{
    struct err e = {0};
    struct download_note *n = calloc(1, sizeof *n);
    if (n == NULL) {
        log_warn("ddi", "no memory to note a download", LOG_I64("action", action));
        return;
    }
    n->ota = ota;
    n->action = action;
    snprintf(n->message, sizeof n->message, "Update Server: Target downloads %s", filename);
    n->job = (struct store_job){.run = write_download, .done = download_written, .arg = n};
    if (store_submit_background(ota->store, &n->job, &e) != 0) {
        log_warn("ddi", "a download could not be noted", LOG_I64("action", action), LOG_ERR(&e));
        free(n);
    }
}
