#include "ota/gather.h"

#include "base/log.h"
#include "model/window.h"
#include "store/actions.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/devices.h"
#include "store/members.h"
#include "store/phases.h"
#include "store/releases.h"

struct looking {
    struct db *db;
    struct arena *arena;
    struct device device; /* as it is now: with the version that it tells */
    int64_t now_ms;
    struct gathered *g;
    struct filter_device shown; /* to filters */
    unsigned has;               /* FILTER_TAGS, ...: read already */
    bool knows_sequence;        /* of what it runs */
};

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to look for an update");
}

/* --- windows ------------------------------------------------------------------------------------------- */

static int offset_of(const struct deployment_policy *p, const struct device *d, int *out, struct err *e)
{
    if (strcmp(p->window_zone, "device") != 0)
        return window_parse_zone(str_of(p->window_zone), out, e);
    *out = d->utc_offset != DEVICE_NO_OFFSET ? d->utc_offset : 0;
    return 0;
}

int ota_window(struct arena *a, const struct deployment_policy *p, const struct device *d, int64_t now_ms,
               enum select_window *out, int64_t *when_ms, struct err *e)
{
    *out = SELECT_WINDOW_NONE;
    *when_ms = 0;
    if (p->window_schedule == NULL)
        return 0;
    struct window w = {.seconds = p->window_seconds};
    struct window_state state;
    int rc = cron_parse(str_of(p->window_schedule), a, &w.schedule, e);
    if (rc == 0)
        rc = offset_of(p, d, &w.offset_minutes, e);
    if (rc != 0)
        return rc;
    window_at(&w, now_ms / 1000, &state);
    *out = state.open ? SELECT_WINDOW_OPEN : SELECT_WINDOW_CLOSED;
    *when_ms = 1000 * (state.open ? state.ends_s : state.begins_s);
    return 0;
}

int ota_deadline(struct arena *a, const struct deployment_policy *p, const struct device *d, int64_t now_ms,
                 int64_t *out, struct err *e)
{
    enum select_window window;
    int64_t when;
    *out = 0;
    if (p->deadline_seconds == 0)
        return 0;
    int rc = ota_window(a, p, d, now_ms, &window, &when, e);
    if (rc == 0)
        *out = (window == SELECT_WINDOW_CLOSED && when > now_ms ? when : now_ms) + 1000 * p->deadline_seconds;
    return rc;
}

/* --- deployments that the device may join -------------------------------------------------------------- */

static struct str text_or_empty(const char *z)
{
    return z != NULL ? str_of(z) : STR("");
}

static int show(struct db *db, struct arena *a, const struct device *d, unsigned needs,
                struct filter_device *f, struct err *e)
{
    struct str *tags;
    struct filter_attribute *attributes;
    int rc = 0;
    f->id = str_of(d->id);
    f->model = str_of(d->model);
    f->version = text_or_empty(d->version);
    f->name = text_or_empty(d->name);
    f->created_at = d->created_at;
    if ((needs & FILTER_SEEN) != 0)
        rc = store_device_seen(db, d->pk, &f->last_seen_at, e);
    if (rc == 0 && (needs & FILTER_TAGS) != 0) {
        rc = store_device_tags(db, a, d->pk, &tags, &f->tag_count, e);
        if (rc == 0)
            f->tags = tags;
    }
    if (rc == 0 && (needs & FILTER_ATTRIBUTES) != 0) {
        rc = store_device_attributes(db, a, d->pk, &attributes, &f->attribute_count, e);
        if (rc == 0)
            f->attributes = attributes;
    }
    return rc;
}

static int match(struct looking *l, const struct filter *filter, bool *out, struct err *e)
{
    unsigned needs = filter_needs(filter);
    int rc = show(l->db, l->arena, &l->device, needs & ~l->has, &l->shown, e);
    l->has |= needs;
    if (rc == 0)
        *out = filter_match(filter, &l->shown, l->now_ms);
    return rc;
}

int ota_match(struct db *db, struct arena *a, const struct device *d, const char *text, int64_t now_ms,
              bool *out, struct err *e)
{
    struct looking l = {.db = db, .arena = a, .device = *d, .now_ms = now_ms};
    const struct filter *filter;
    int rc = filter_parse(str_of(text), a, &filter, e);
    return rc != 0 ? rc : match(&l, filter, out, e);
}

/* The phase of a device that comes later: the first whose filter it matches, or the last. */
static int phase_of(struct looking *l, int64_t deployment, int *out, struct err *e)
{
    struct phase *phases;
    size_t count;
    int rc = store_phases(l->db, l->arena, deployment, &phases, &count, e);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++) {
        const struct filter *filter;
        if (phases[i].filter[0] == '\0' || phases[i].devices != 0)
            continue;
        bool matches = false;
        rc = filter_parse(str_of(phases[i].filter), l->arena, &filter, e);
        if (rc == 0)
            rc = match(l, filter, &matches, e);
        if (rc != 0)
            return rc;
        if (matches) {
            *out = (int)i;
            return 0;
        }
    }
    *out = count > 0 ? (int)count - 1 : 0;
    return 0;
}

/* Asked once, and only for a device that there may be something for. */
static int know_sequence(struct looking *l, struct err *e)
{
    struct select_facts *f = &l->g->facts;
    if (l->knows_sequence || f->version == NULL)
        return 0;
    l->knows_sequence = true;
    return store_sequence_of_version(l->db, l->device.model, f->version, &f->sequence, e);
}

/* Whether the release could be for the device at all: asked first, since it costs nothing. */
static bool may_join(const struct looking *l, const struct running *r)
{
    const struct select_facts *f = &l->g->facts;
    for (size_t i = 0; i < r->model_count; i++)
        if (strcmp(r->models[i].model, l->device.model) == 0)
            return (r->models[i].sequence > f->sequence || r->allow_downgrade) &&
                   (f->version == NULL || strcmp(f->version, r->models[i].version) != 0);
    return false;
}

static int join(struct looking *l, const struct running *r, struct err *e)
{
    struct gathered *g = l->g;
    struct candidate c;
    struct member m;
    bool fits = false, member = false;
    int rc = store_candidate_of(l->db, l->arena, r->deployment, l->device.model, &c, &fits, e);
    if (rc == 0 && fits)
        rc = store_member_get(l->db, l->arena, r->deployment, l->device.pk, &m, &member, e);
    if (rc != 0 || !fits || member || g->facts.count == CANDIDATES_MAX)
        return rc;
    if (r->in_phases)
        rc = phase_of(l, r->deployment, &c.phase, e);
    if (rc == 0 && g->candidates == NULL &&
        (g->candidates = arena_array(l->arena, struct candidate, CANDIDATES_MAX)) == NULL)
        rc = no_memory(e);
    if (rc == 0)
        g->candidates[g->facts.count++] = c;
    return rc;
}

static void leave(struct looking *l, int64_t deployment)
{
    for (size_t i = 0; i < l->g->facts.count; i++)
        if (l->g->candidates[i].deployment == deployment)
            l->g->candidates[i].left = true;
}

static int look_at_running(struct looking *l, struct err *e)
{
    const struct running *list;
    size_t count;
    int rc = store_running(l->db, &list, &count, e);
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct running *r = &list[i];
        if (r->in_phases && !r->prepared)
            continue; /* the search will come by */
        bool matches = false;
        rc = match(l, r->filter, &matches, e);
        if (rc == 0 && matches)
            rc = know_sequence(l, e);
        if (rc == 0 && matches && may_join(l, r))
            rc = join(l, r, e);
        else if (rc == 0 && !matches)
            leave(l, r->deployment);
    }
    return rc;
}

/* --- all ----------------------------------------------------------------------------------------------- */

static int look_at_windows(struct looking *l, struct err *e)
{
    struct gathered *g = l->g;
    int64_t when;
    int rc = 0;
    g->windows = arena_array(l->arena, enum select_window, g->facts.count);
    if (g->windows == NULL)
        return no_memory(e);
    for (size_t i = 0; i < g->facts.count && rc == 0; i++)
        rc = ota_window(l->arena, &g->candidates[i].policy, &l->device, l->now_ms, &g->windows[i], &when, e);
    g->facts.windows = g->windows;
    return rc;
}

static int look_at_open(struct looking *l, struct err *e)
{
    struct select_facts *f = &l->g->facts;
    struct action *open = &l->g->open;
    struct deployment d;
    if (open->pk == 0)
        return 0;
    f->open = open;
    int rc = store_deployment_by_pk(l->db, l->arena, open->deployment, &d, e);
    if (rc != 0)
        return rc;
    f->open_priority = d.policy.priority;
    f->open_paused = d.state == DEPLOYMENT_PAUSED;
    rc = store_release_sequence(l->db, open->release, l->device.model, &f->open_sequence, e);
    return rc == ERR_NOT_FOUND ? 0 : rc; /* the device changed its model meanwhile */
}

/* What decides between candidates. */
static int look_at_candidates(struct looking *l, struct err *e)
{
    struct gathered *g = l->g;
    struct action_past past = {0};
    int rc = know_sequence(l, e);
    if (rc == 0)
        rc = store_action_past(l->db, l->device.pk, &past, e);
    if (rc == 0)
        rc = look_at_windows(l, e);
    g->facts.candidates = g->candidates;
    g->facts.newest_deployment = past.newest;
    g->facts.moved_back = past.moved_back;
    return rc;
}

int ota_gather(struct db *db, struct arena *a, const struct device *d, const char *version, bool ddi,
               int64_t now_ms, struct gathered *g, struct err *e)
{
    struct looking l = {.db = db, .arena = a, .device = *d, .now_ms = now_ms, .g = g};
    struct select_facts *f = &g->facts;
    l.device.version = version;
    *f = (struct select_facts){.now = now_ms, .version = version, .waits_in_window = ddi};
    int rc = g->no_member ? 0 : store_candidates(db, a, d->pk, d->model, &g->candidates, &f->count, e);
    if (rc == 0)
        rc = look_at_running(&l, e);
    if (rc == 0 && f->count > 0)
        rc = look_at_candidates(&l, e);
    return rc != 0 ? rc : look_at_open(&l, e);
}
