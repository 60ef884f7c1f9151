#include "ota/report.h"

#include "ota/announce.h"
#include "ota/finish.h"
#include "ota/ota.h"
#include "ota/version.h"
#include "store/actions.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/devices.h"
#include "store/releases.h"

int ota_report_read(yyjson_val *body, struct report *out, struct err *e)
{
    struct str state;
    int64_t progress;
    struct report r = {0};
    int rc = json_get_str(body, "state", 32, &state, e);
    if (rc == 0 && state.n == 0)
        rc = err_set(e, ERR_INVALID, "the body lacks \"state\"");
    if (rc == 0 && action_state_parse(state, &r.state) != 0)
        rc = err_set(e, ERR_INVALID,
                     "\"state\" is downloading, downloaded, installing, rebooting, succeeded or failed");
    if (rc == 0)
        rc = json_get_i64(body, "progress", 0, 100, ACTION_PROGRESS_NONE, &progress, e);
    if (rc == 0)
        rc = json_get_str(body, "message", ACTION_MESSAGE_MAX, &r.message, e);
    if (rc == 0)
        rc = json_get_str(body, "version", 128, &r.version, e);
    if (rc != 0)
        return rc;
    r.progress = (int)progress;
    *out = r;
    return 0;
}

static int check(const struct report *r, struct err *e)
{
    if (!action_is_reported(r->state))
        return err_set(e, ERR_INVALID,
                       "state: a device reports downloading, downloaded, installing, rebooting, succeeded or "
                       "failed");
    if (r->progress != ACTION_PROGRESS_NONE && (r->progress < 0 || r->progress > 100))
        return err_set(e, ERR_INVALID, "progress: a percentage from 0 to 100");
    if (r->message.n > ACTION_MESSAGE_MAX || (r->message.n > 0 && !str_is_text(r->message)))
        return err_set(e, ERR_INVALID, "message: at most %d bytes of text", ACTION_MESSAGE_MAX);
    if (r->version.p != NULL && !str_is_name(r->version))
        return err_set(e, ERR_INVALID,
                       "version: it begins with a letter or digit and has at most 128 of letters, "
                       "digits and ._+~-");
    return 0;
}

/* What the report makes of the action; *same when that is what is known already. */
static int advance(const struct report *r, struct arena *a, int64_t now, struct action *act, bool *same,
                   struct err *e)
{
    if (act->closed_at != 0) {
        *same = act->state == r->state;
        return *same ? 0
                     : err_set(e, ERR_GONE, "action %lld is over (%s): ask for what to do next",
                               (long long)act->pk, action_state_word(act->state));
    }
    if (act->called_off && action_may_cancel(act->state)) /* and not closed yet: that is under way */
        return err_set(e, ERR_GONE, "action %lld is over (cancelled): ask for what to do next",
                       (long long)act->pk);
    if (!action_may_move(act->state, r->state))
        return err_set(e, ERR_CONFLICT, "action %lld is %s and cannot become %s", (long long)act->pk,
                       action_state_word(act->state), action_state_word(r->state));
    struct str message = r->message.n > 0 ? r->message : STR("");
    *same = act->state == r->state && act->progress == r->progress && str_is(message, act->message);
    const char *text = arena_dup_str(a, message);
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the report");
    act->state = r->state;
    act->progress = r->progress;
    act->message = text;
    act->updated_at = now;
    return 0;
}

/* The release that the action installs, and that it really runs if success is claimed. */
static int check_claim(struct db *db, struct arena *a, const struct action *act, const struct report *r,
                       struct release *release, struct err *e)
{
    int rc = store_release_by_pk(db, a, act->release, release, e);
    if (rc != 0 || r->state != ACTION_SUCCEEDED)
        return rc;
    if (r->version.p == NULL)
        return err_set(e, ERR_CONFLICT, "version: success counts once the device says that %s runs",
                       release->version);
    if (!str_is(r->version, release->version))
        return err_set(e, ERR_CONFLICT,
                       "version: " STR_FMT " runs, but action %lld was to install %s: no success",
                       STR_ARG(r->version), (long long)act->pk, release->version);
    return 0;
}

/* Where the action stands; the history keeps a bounded number of entries. */
static int store(struct ota *ota, struct db *db, const struct action *act, struct err *e)
{
    int64_t entries = 0;
    int rc = store_action_update(db, act, e);
    if (rc == 0)
        rc = store_action_status_count(db, act->pk, &entries, e);
    return rc == 0 && entries < ota->status_max ? store_action_status_add(db, act, e) : rc;
}

/* Whether that is the end of it: where only a download was asked for, a download is. */
static int closes(struct db *db, struct arena *a, const struct action *act, bool *out, struct err *e)
{
    struct deployment d;
    *out = action_is_final(act->state);
    if (act->state != ACTION_DOWNLOADED)
        return 0;
    int rc = store_deployment_by_pk(db, a, act->deployment, &d, e);
    if (rc == 0)
        *out = d.policy.mode == MODE_DOWNLOAD_ONLY;
    return rc;
}

static int take_version(struct ota *ota, struct db *db, struct arena *a, const char *device_id,
                        struct str version, bool *moved, struct err *e)
{
    struct device device;
    const char *text = arena_dup_str(a, version);
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the report");
    int rc = store_device_by_id(db, a, device_id, &device, e);
    return rc != 0 ? rc : ota_version_reported(ota, db, a, &device, text, moved, e);
}

int ota_report(struct ota *ota, struct db *db, struct arena *a, const char *device_id, int64_t action,
               const struct report *r, struct err *e)
{
    int rc = check(r, e);
    if (rc != 0)
        return rc;
    struct action act;
    rc = store_action_of(db, a, device_id, action, &act, e);
    int64_t now = clock_unix_ms(ota->clock);
    bool same = false, moved = false, final = false;
    if (rc == 0)
        rc = advance(r, a, now, &act, &same, e);
    if (rc != 0 || (same && act.closed_at != 0)) /* told before: what it says may be outdated by now */
        return rc;
    struct release release;
    rc = check_claim(db, a, &act, r, &release, e);
    if (rc == 0 && r->version.p != NULL)
        rc = take_version(ota, db, a, device_id, r->version, &moved, e);
    if (rc == 0)
        rc = closes(db, a, &act, &final, e);
    if (rc == 0 && final)
        rc = ota_action_close(ota, db, a, &act, true, e);
    else if (rc == 0 && !same)
        rc = store(ota, db, &act, e);
    if (rc == 0 && (moved || act.closed_at != 0))
        rc = announce_device(ota, db, act.device, e);
    return rc;
}
