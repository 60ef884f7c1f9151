#include "ota/ddi_view.h"

#include <string.h>

#include "ota/announce.h"
#include "ota/catalogue.h"
#include "ota/finish.h"
#include "ota/ota.h"
#include "ota/settings.h"
#include "ota/version.h"
#include "store/actions.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/devices.h"
#include "store/modules.h"

#define OPEN_MAX 16    /* open actions of one device that are looked at */
#define SOONEST 30     /* seconds between polls, when a window is near */
#define WINDOW_POLLS 3 /* until it opens */

/* --- polls --------------------------------------------------------------------------------------------- */

static int64_t usual_sleep(struct ota *ota)
{
    struct ddi_settings s;
    settings_get_brief(ota->settings, &s);
    return s.poll_seconds;
}

/* Often enough not to miss a window that is ahead, and never less often than usual. */
static int64_t sleep_of(struct ota *ota, const struct poll_answer *p)
{
    int64_t usual = usual_sleep(ota);
    if (!p->update || p->terms.window != SELECT_WINDOW_CLOSED || p->terms.window_ms == 0)
        return usual;
    int64_t ahead = (p->terms.window_ms - clock_unix_ms(ota->clock)) / 1000 / WINDOW_POLLS;
    int64_t soon = ahead > SOONEST ? ahead : SOONEST;
    return soon < usual ? soon : usual;
}

/* FNV-1a; the number means nothing but that it changes. */
static uint32_t mark_of(const struct action *act, const struct poll_terms *t)
{
    const int64_t parts[] = {act->pk, act->state == ACTION_WAITING, t->download, t->install, t->window};
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        h = (h ^ (uint32_t)parts[i]) * 16777619u;
    return h;
}

/* No window is left for it: the device is asked to give it up. */
static int call_off_lapsed(struct ota *ota, struct db *db, bool writing, struct poll_answer *p, struct err *e)
{
    bool lapsed = p->update && p->terms.window == SELECT_WINDOW_CLOSED && p->terms.window_ms == 0;
    if (!lapsed || p->action.state == ACTION_CANCELLING || p->action.state == ACTION_WAITING)
        return 0;
    if (!writing)
        return POLL_UPGRADE;
    int rc = ota_action_ask_cancel(ota, db, &p->action, "its last maintenance window is over", e);
    return rc != 0 ? rc : announce_device(ota, db, p->device.pk, e);
}

int ota_ddi_poll(struct ota *ota, struct db *db, bool writing, struct arena *a, const char *device_id,
                 int64_t now_ms, struct ddi_poll *out, struct err *e)
{
    const struct poll_question q = {
        .device = device_id, .now_ms = now_ms, .version = {.p = NULL, .n = 0}, .ddi = true};
    struct poll_answer p;
    int rc = ota_poll(ota, db, writing, a, &q, &p, e);
    if (rc == 0)
        rc = call_off_lapsed(ota, db, writing, &p, e);
    if (rc != 0)
        return rc;
    struct ddi_poll d = {.device = p.device,
                         .installed = p.installed,
                         .sleep_seconds = sleep_of(ota, &p),
                         .attributes = p.device.attributes_wanted != ATTRIBUTES_TOLD};
    if (p.update) {
        d.what = p.action.state == ACTION_CANCELLING ? DDI_CANCEL
                 : p.action.state == ACTION_WAITING  ? DDI_CONFIRMATION
                                                     : DDI_DEPLOYMENT;
        d.action = p.action.pk;
        d.mark = mark_of(&p.action, &p.terms);
    }
    *out = d;
    return 0;
}

/* --- one action ---------------------------------------------------------------------------------------- */

static int not_here(int64_t action, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "there is no action %lld", (long long)action);
}

/* What is not begun while its deployment is paused is not to be begun. */
static int is_withheld(struct db *db, struct arena *a, const struct action *act, bool *out, struct err *e)
{
    struct deployment d;
    *out = false;
    if (act->state != ACTION_OFFERED || act->retrieved)
        return 0;
    int rc = store_deployment_by_pk(db, a, act->deployment, &d, e);
    if (rc == 0)
        *out = d.state == DEPLOYMENT_PAUSED;
    return rc;
}

static int check_subject(struct db *db, struct arena *a, const struct action *act, enum ddi_subject subject,
                         struct err *e)
{
    bool withheld = false, seen = false;
    int rc = 0;
    switch (subject) {
    case DDI_FOR_DEPLOYMENT:
        rc = is_withheld(db, a, act, &withheld, e);
        seen = !withheld && act->state != ACTION_WAITING && act->state != ACTION_CANCELLING &&
               act->state != ACTION_CANCELLED;
        break;
    case DDI_FOR_CONFIRMATION:
        seen = act->state == ACTION_WAITING;
        break;
    case DDI_FOR_INSTALLED:
        seen = act->closed_at != 0 && act->state != ACTION_CANCELLED;
        break;
    }
    return rc == 0 && !seen ? not_here(act->pk, e) : rc;
}

static const char *status_word(const struct action *act)
{
    switch (act->state) {
    case ACTION_WAITING:
        return "WAIT_FOR_CONFIRMATION";
    case ACTION_OFFERED:
        return act->retrieved ? "RETRIEVED" : "RUNNING";
    case ACTION_DOWNLOADED:
        return "DOWNLOADED";
    case ACTION_CANCELLING:
        return "CANCELING";
    case ACTION_SUCCEEDED:
        return "FINISHED";
    case ACTION_FAILED:
        return "ERROR";
    case ACTION_CANCELLED:
        return "CANCELED";
    case ACTION_DOWNLOADING:
    case ACTION_INSTALLING:
    case ACTION_REBOOTING:
        break;
    }
    return "RUNNING";
}

static int read_history(struct db *db, struct arena *a, int64_t wanted, struct ddi_view *v, struct err *e)
{
    size_t most = wanted < 0 || wanted > DDI_HISTORY_MAX ? DDI_HISTORY_MAX : (size_t)wanted, count;
    if (most == 0)
        return 0;
    struct action_entry *entries = arena_array(a, struct action_entry, most);
    v->history = arena_array(a, const char *, most);
    if (entries == NULL || v->history == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read an action's history");
    int rc = store_action_entries(db, a, v->action.pk, most, entries, &count, e);
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct str rest = str_of(entries[i].message), line;
        while (rc == 0 && v->history_count < most && str_split(&rest, '\n', &line)) {
            const char *text = line.n > 0 ? arena_dup_str(a, line) : NULL;
            if (text != NULL)
                v->history[v->history_count++] = text;
            else if (line.n > 0)
                rc = err_set(e, ERR_NOMEM, "no memory to read an action's history");
        }
    }
    return rc;
}

static int read_files(struct db *db, struct arena *a, struct ddi_chunk *c, struct err *e)
{
    int rc = store_module_artifacts(db, a, c->module.pk, &c->artifacts, &c->artifact_count, e);
    for (size_t i = 0; rc == 0 && i < c->artifact_count; i++)
        if (c->artifacts[i].sha1 == NULL || c->artifacts[i].md5 == NULL)
            rc = err_set(e, ERR_BUSY, "the hashes of %s are being computed", c->artifacts[i].filename);
    return rc;
}

static int read_chunks(struct db *db, struct arena *a, struct ddi_view *v, struct err *e)
{
    struct module *modules;
    int rc = store_modules_of(db, a, v->action.release, &modules, &v->chunk_count, e);
    if (rc != 0)
        return rc;
    v->chunks = arena_array(a, struct ddi_chunk, v->chunk_count);
    if (v->chunks == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read a release's modules");
    for (size_t i = 0; rc == 0 && i < v->chunk_count; i++) {
        struct ddi_chunk *c = &v->chunks[i];
        *c = (struct ddi_chunk){.module = modules[i]};
        rc = read_files(db, a, c, e);
        if (rc == 0)
            rc = store_module_metadata(db, a, c->module.pk, true, &c->metadata, &c->metadata_count, e);
    }
    return rc;
}

static int view(struct ota *ota, struct db *db, struct arena *a, const char *device_id, int64_t action,
                enum ddi_subject subject, int64_t history, struct ddi_view *v, struct err *e)
{
    struct device d;
    int rc = store_action_of(db, a, device_id, action, &v->action, e);
    if (rc == 0)
        rc = check_subject(db, a, &v->action, subject, e);
    if (rc == 0)
        rc = store_device_by_id(db, a, device_id, &d, e);
    if (rc == 0)
        rc = ota_terms(db, a, &d, &v->action, clock_unix_ms(ota->clock), &v->terms, e);
    if (rc == 0)
        rc = read_chunks(db, a, v, e);
    if (rc == 0)
        rc = read_history(db, a, history, v, e);
    v->status = rc == 0 ? status_word(&v->action) : NULL;
    return rc;
}

int ota_ddi_view(struct ota *ota, struct db *db, struct arena *a, const char *device_id, int64_t action,
                 enum ddi_subject subject, int64_t history, struct ddi_view *out, struct err *e)
{
    struct ddi_view v = {0};
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = view(ota, db, a, device_id, action, subject, history, &v, e);
    db_read_end(db);
    if (rc == 0)
        *out = v;
    return rc;
}

int ota_ddi_cancel(struct db *db, struct arena *a, const char *device_id, int64_t action, struct err *e)
{
    struct action act;
    int rc = store_action_of(db, a, device_id, action, &act, e);
    return rc == 0 && act.state != ACTION_CANCELLING ? not_here(action, e) : rc;
}

int ota_ddi_consent(struct db *db, struct arena *a, const char *device_id, struct auto_confirm *out,
                    int64_t *waiting, struct err *e)
{
    struct device d;
    struct action open[OPEN_MAX];
    struct auto_confirm consent = {0};
    size_t count = 0;
    int rc = store_device_by_id(db, a, device_id, &d, e);
    if (rc == 0)
        rc = store_auto_confirm(db, a, d.pk, &consent, e);
    if (rc == 0)
        rc = store_action_opens(db, a, d.pk, OPEN_MAX, open, &count, e);
    if (rc != 0)
        return rc;
    *out = consent;
    *waiting = 0;
    for (size_t i = 0; i < count && *waiting == 0; i++)
        if (open[i].state == ACTION_WAITING)
            *waiting = open[i].pk;
    return 0;
}

/* --- files --------------------------------------------------------------------------------------------- */

int ota_ddi_module(struct db *db, struct arena *a, const char *device_id, int64_t module,
                   struct ddi_chunk *out, int64_t *action, struct err *e)
{
    struct device d;
    struct ddi_chunk c = {0};
    int64_t of = 0;
    int rc = store_device_by_id(db, a, device_id, &d, e);
    if (rc == 0)
        rc = store_action_with_module(db, d.pk, module, &of, e);
    if (rc == 0 && of == 0)
        rc = err_set(e, ERR_NOT_FOUND, "there is no software module %lld", (long long)module);
    if (rc == 0)
        rc = store_module_by_pk(db, a, module, &c.module, e);
    if (rc == 0)
        rc = read_files(db, a, &c, e);
    if (rc != 0)
        return rc;
    *out = c;
    *action = of;
    return 0;
}

int ota_ddi_open(struct ota *ota, const struct module_artifact *file, int *fd, struct err *e)
{
    const struct artifact f = {.filename = file->filename, .sha256 = file->sha256, .size = file->size};
    return ota_catalogue_open(ota, &f, fd, e);
}

int ota_ddi_installed(struct ota *ota, struct db *db, struct arena *a, const char *device_id,
                      struct str version, bool *news, struct err *e)
{
    struct device d;
    if (!str_is_name(version))
        return err_set(e, ERR_INVALID,
                       "version: it begins with a letter or digit and has at most 128 of letters, digits and "
                       "._+~-");
    const char *text = arena_dup_str(a, version);
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "no memory to note a version");
    int rc = store_device_by_id(db, a, device_id, &d, e);
    if (rc == 0)
        rc = ota_version_reported(ota, db, a, &d, text, news, e);
    return rc != 0 ? rc : announce_device(ota, db, d.pk, e);
}
