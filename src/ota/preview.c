#include "ota/preview.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "model/filter.h"
#include "ota/ota.h"
#include "ota/shares.h"
#include "store/db.h"
#include "store/preview.h"
#include "store/releases.h"
#include "store/signed.h"

#define PREVIEW_SPARE_MS 300           /* of the question's own deadline, for what comes after looking */
#define WORK_BYTES ((size_t)16 << 20)  /* for what is kept while looking */
#define SLICE_BYTES ((size_t)4 << 20)  /* for one slice */
#define TALLY_MAX 4000                 /* versions of one model that are looked at */
#define GROUPS_MAX 4096                /* models and versions that are told apart */
#define SLOTS ((size_t)2 * GROUPS_MAX) /* a power of two */

/* What becomes of a device, for what it runs. */
enum verdict { GETS, GOES_BACK, ALREADY, NEWER, TOO_OLD, OTHER_MODEL, REVOKED, VERDICTS };

struct fit { /* a model of the release */
    const char *model;
    int64_t sequence, upgrade_from;
};

struct group {
    const char *model, *version; /* version NULL: not known */
    enum verdict verdict;
    int64_t devices;
};

struct looking {
    struct ota *ota;
    struct db *db;
    struct arena *arena;
    const struct deploy_checked *c;
    struct preview *out;
    struct fit fits[RELEASE_MODELS_MAX];
    size_t fit_count;
    struct shares shares;
    int64_t count[VERDICTS];
    struct group *slots[SLOTS];
    struct group *groups[GROUPS_MAX];
    size_t group_count;
    int64_t until; /* monotonic ms */
};

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to try a deployment");
}

/* --- one model and version ----------------------------------------------------------------------------- */

static int read_fits(struct looking *l, struct err *e)
{
    const struct release *r = &l->c->release;
    int rc = 0;
    for (size_t i = 0; i < r->model_count && i < RELEASE_MODELS_MAX && rc == 0; i++) {
        struct fit *f = &l->fits[l->fit_count];
        struct signed_terms terms;
        bool signed_it;
        f->model = r->models[i];
        rc = store_release_sequence(l->db, r->pk, f->model, &f->sequence, e);
        if (rc == 0)
            rc = store_signed_terms(l->db, l->arena, r->pk, f->model, &signed_it, &terms, e);
        if (rc == 0) {
            f->upgrade_from = signed_it ? terms.upgrade_from : 0;
            l->fit_count += f->sequence != 0; /* without one it is offered to nobody */
        }
    }
    return rc;
}

static const struct fit *fit_of(const struct looking *l, const char *model)
{
    for (size_t i = 0; i < l->fit_count; i++)
        if (strcmp(l->fits[i].model, model) == 0)
            return &l->fits[i];
    return NULL;
}

/* As ota/select decides for a new deployment; TOO_OLD is what the device itself will say. */
static int judge(struct looking *l, const char *model, const char *version, enum verdict *out, struct err *e)
{
    const struct fit *f = fit_of(l, model);
    int64_t runs = 0;
    int rc = 0;
    if (f != NULL && version != NULL)
        rc = store_sequence_of_version(l->db, model, version, &runs, e);
    if (rc != 0)
        return rc;
    if (f == NULL)
        *out = OTHER_MODEL;
    else if (version != NULL && strcmp(version, l->c->release.version) == 0)
        *out = ALREADY;
    else if (f->sequence <= runs)
        *out = l->c->d.policy.allow_downgrade ? GOES_BACK : NEWER;
    else
        *out = runs != 0 && runs < f->upgrade_from ? TOO_OLD : GETS;
    return 0;
}

static bool same(const struct group *g, const char *model, const char *version)
{
    return strcmp(g->model, model) == 0 &&
           (version == NULL ? g->version == NULL : g->version != NULL && strcmp(g->version, version) == 0);
}

static size_t hash(const char *model, const char *version)
{
    uint64_t h = hash_byte(hash_text(HASH_START, model), 0xff); /* which is in no text */
    return (size_t)hash_finish(hash_text(h, version != NULL ? version : "")) & (SLOTS - 1);
}

static int keep(struct looking *l, size_t slot, const struct group *found, struct err *e)
{
    struct group *g = arena_new(l->arena, struct group);
    if (g == NULL)
        return no_memory(e);
    *g = *found;
    g->model = arena_dup_str(l->arena, str_of(found->model));
    g->version = found->version != NULL ? arena_dup_str(l->arena, str_of(found->version)) : NULL;
    if (g->model == NULL || (found->version != NULL && g->version == NULL))
        return no_memory(e);
    l->slots[slot] = l->groups[l->group_count++] = g;
    return 0;
}

/* So many more devices run that. Past GROUPS_MAX they still count, but are not told apart. */
static int count(struct looking *l, const char *model, const char *version, int64_t n, enum verdict *verdict,
                 struct err *e)
{
    size_t slot = hash(model, version);
    while (l->slots[slot] != NULL && !same(l->slots[slot], model, version))
        slot = (slot + 1) & (SLOTS - 1);
    struct group *g = l->slots[slot], found = {.model = model, .version = version, .devices = n};
    int rc = 0;
    if (g != NULL) {
        g->devices += n;
        *verdict = g->verdict;
    } else {
        rc = judge(l, model, version, &found.verdict, e);
        if (rc == 0 && l->group_count < GROUPS_MAX)
            rc = keep(l, slot, &found, e);
        *verdict = found.verdict;
    }
    if (rc == 0)
        l->count[*verdict] += n;
    return rc;
}

/* As ota/prepare has it: what is too old is offered the release, and refuses it. */
static bool takes_share(enum verdict v)
{
    return v == GETS || v == GOES_BACK || v == TOO_OLD;
}

/* --- by numbers that are kept already ------------------------------------------------------------------ */

static int sample_group(struct looking *l, const struct group *g, size_t most, struct err *e)
{
    const char *ids[PREVIEW_SAMPLE];
    size_t n = 0;
    size_t room = PREVIEW_SAMPLE - l->out->sample_count;
    int rc = store_preview_some(l->db, l->arena, g->model, g->version, most < room ? most : room, ids, &n, e);
    for (size_t i = 0; i < n && rc == 0; i++)
        l->out->sample[l->out->sample_count++] = (struct preview_device){ids[i], g->model, g->version};
    return rc;
}

static int tally_model(struct looking *l, const char *model, struct err *e)
{
    struct preview_tally *list;
    size_t n;
    bool more;
    enum verdict verdict;
    int64_t members = 0;
    int rc = store_preview_tally(l->db, l->arena, model, TALLY_MAX, &list, &n, &more, e);
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = count(l, list[i].model, list[i].version, list[i].devices, &verdict, e);
        members += takes_share(verdict) ? list[i].devices : 0;
    }
    if (rc == 0 && more)
        l->out->complete = false;
    for (; rc == 0 && members > 0; members--)
        shares_take(&l->shares, shares_phase_of(&l->shares, 0));
    return rc;
}

/* All devices of one model, or of all; the release's models are few. */
static int look_at_numbers(struct looking *l, const char *model, struct err *e)
{
    int64_t devices = 0, revoked = 0, others = 0;
    int rc = model != NULL ? store_preview_revoked(l->db, model, &revoked, e)
                           : store_preview_fleet(l->db, &devices, &revoked, e);
    if (model != NULL && rc == 0)
        rc = tally_model(l, model, e);
    for (size_t i = 0; model == NULL && i < l->fit_count && rc == 0; i++)
        rc = tally_model(l, l->fits[i].model, e);
    if (rc != 0)
        return rc;
    l->count[REVOKED] = revoked;
    l->out->no_clock = -1;
    for (int v = 0; v < VERDICTS; v++)
        others += l->count[v];
    if (model == NULL && l->out->complete && devices > others)
        l->count[OTHER_MODEL] = devices - others;
    return 0;
}

/* --- by looking at the devices ------------------------------------------------------------------------- */

static int look_at(struct looking *l, const struct preview_row *r, struct err *e)
{
    struct preview *p = l->out;
    enum verdict verdict;
    if (r->revoked) {
        l->count[REVOKED]++;
        return 0;
    }
    int rc = count(l, r->model, r->version, 1, &verdict, e);
    if (rc != 0 || !takes_share(verdict))
        return rc;
    shares_take(&l->shares, l->c->d.kind == TARGET_DEVICE ? 0 : shares_phase_of(&l->shares, r->matches));
    if (verdict != GETS && verdict != GOES_BACK)
        return 0;
    p->no_clock += r->no_clock;
    if (p->sample_count == PREVIEW_SAMPLE)
        return 0;
    struct preview_device d = {
        .id = arena_dup_str(l->arena, str_of(r->id)),
        .model = arena_dup_str(l->arena, str_of(r->model)),
        .version = r->version != NULL ? arena_dup_str(l->arena, str_of(r->version)) : NULL,
    };
    if (d.id == NULL || d.model == NULL || (r->version != NULL && d.version == NULL))
        return no_memory(e);
    p->sample[p->sample_count++] = d;
    return 0;
}

/* False: what was found so far counts. */
static bool in_time(struct looking *l)
{
    if (clock_mono_ms(l->ota->clock) >= l->until)
        l->out->complete = false;
    return l->out->complete;
}

static int look_from(struct looking *l, const struct preview_search *q, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, SLICE_BYTES);
    struct preview_place at = {.id = ""};
    char last[DEVICE_ID_MAX] = "";
    bool end = false;
    while (!end && in_time(l)) {
        size_t n = 0;
        struct preview_row *rows = arena_array(&a, struct preview_row, PREVIEW_SLICE);
        if (rows == NULL)
            return no_memory(e);
        int rc = store_preview_slice(l->db, &a, q, &at, rows, &n, &end, e);
        for (size_t i = 0; i < n && rc == 0; i++)
            rc = look_at(l, &rows[i], e);
        if (rc != 0)
            return rc;
        if (n > 0 && q->by == PREVIEW_BY_TAG) {
            snprintf(last, sizeof last, "%s", at.id);
            at.id = last;
        }
        arena_recycle(&a);
    }
    return 0;
}

static int by_pk(const void *a, const void *b)
{
    const struct preview_row *x = a, *y = b;
    return (x->pk > y->pk) - (x->pk < y->pk);
}

/* Those with these ids, in the order in which they will fall to phases. */
static int look_at_named(struct looking *l, const struct preview_search *q, const struct str *ids, size_t n,
                         struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, WORK_BYTES);
    struct preview_row *rows = arena_array(&a, struct preview_row, n + PREVIEW_SLICE);
    size_t have = 0;
    int rc = 0;
    if (rows == NULL)
        return no_memory(e);
    for (size_t i = 0; i < n && rc == 0 && in_time(l); i++) {
        struct preview_place at = {.id = arena_dup_str(&a, ids[i])};
        size_t found = 0;
        bool end;
        rc = at.id != NULL ? store_preview_slice(l->db, &a, q, &at, &rows[have], &found, &end, e)
                           : no_memory(e);
        have += found;
    }
    qsort(rows, have, sizeof rows[0], by_pk);
    for (size_t i = 0; i < have && rc == 0; i++)
        rc = look_at(l, &rows[i], e);
    return rc;
}

/* filtered: a phase has a filter, so that it matters in which order devices are looked at. */
static int look_at_devices(struct looking *l, const struct filter *filter, bool filtered, struct err *e)
{
    struct preview_search q = {
        .by = l->c->d.kind == TARGET_TAG && !filtered ? PREVIEW_BY_TAG : PREVIEW_BY_PK,
        .tag = l->c->target,
        .filter = filter,
        .phase_count = l->shares.count,
        .now_ms = clock_unix_ms(l->ota->clock),
    };
    const struct str *ids;
    size_t n;
    memcpy(q.phases, l->shares.filters, sizeof q.phases);
    if (!filter_ids(filter, &ids, &n))
        return look_from(l, &q, e);
    q.by = PREVIEW_BY_ID;
    return look_at_named(l, &q, ids, n, e);
}

/* --- all of it ----------------------------------------------------------------------------------------- */

static int look(struct looking *l, struct err *e)
{
    static const struct phase whole = {.name = "", .filter = "", .success_percent = 100};
    const struct deploy *d = &l->c->d;
    const char *text = deployment_filter(d->kind, l->c->target, l->arena);
    const struct filter *filter;
    bool filtered = false;
    if (text == NULL)
        return no_memory(e);
    int rc = filter_parse(str_of(text), l->arena, &filter, e);
    if (rc == 0)
        rc = shares_init(&l->shares, l->arena, d->phases != NULL ? d->phases : &whole,
                         d->phases != NULL ? d->phase_count : 1, e);
    if (rc == 0)
        rc = read_fits(l, e);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < l->shares.count; i++)
        filtered = filtered || l->shares.filters[i] != NULL;
    if (!filtered && (d->kind == TARGET_MODEL || filter_is_all(filter)))
        return look_at_numbers(l, d->kind == TARGET_MODEL ? l->c->target : NULL, e);
    return look_at_devices(l, filter, filtered, e);
}

static int most_first(const void *a, const void *b)
{
    const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
    return x->devices != y->devices ? (x->devices < y->devices ? 1 : -1) : strcmp(x->model, y->model);
}

static bool will_get(const struct group *g)
{
    return g->verdict == GETS || g->verdict == GOES_BACK;
}

static int add_changes(struct looking *l, struct arena *a, struct err *e)
{
    struct preview *p = l->out;
    bool sample = p->sample_count == 0; /* no device was looked at */
    int rc = 0;
    qsort(l->groups, l->group_count, sizeof(struct group *), most_first);
    for (size_t i = 0; i < l->group_count && p->change_count < PREVIEW_CHANGES && rc == 0; i++) {
        const struct group *g = l->groups[i];
        if (!will_get(g))
            continue;
        struct preview_change *c = &p->changes[p->change_count++];
        *c = (struct preview_change){
            .model = arena_dup_str(a, str_of(g->model)),
            .version = g->version != NULL ? arena_dup_str(a, str_of(g->version)) : NULL,
            .devices = g->devices,
        };
        if (c->model == NULL || (g->version != NULL && c->version == NULL))
            return no_memory(e);
        if (sample && p->sample_count < PREVIEW_SAMPLE)
            rc = sample_group(l, g, PREVIEW_SAMPLE / 2, e);
    }
    return rc;
}

/* Texts of the sample were in the arena that goes. */
static int keep_sample(struct preview *p, struct arena *a, struct err *e)
{
    for (size_t i = 0; i < p->sample_count; i++) {
        struct preview_device *d = &p->sample[i];
        d->id = arena_dup_str(a, str_of(d->id));
        d->model = arena_dup_str(a, str_of(d->model));
        bool oom = d->id == NULL || d->model == NULL;
        if (d->version != NULL) {
            d->version = arena_dup_str(a, str_of(d->version));
            oom = oom || d->version == NULL;
        }
        if (oom)
            return no_memory(e);
    }
    return 0;
}

static int add_excluded(struct looking *l, struct arena *a, struct err *e)
{
    const struct release *r = &l->c->release;
    struct preview *p = l->out;
    const struct preview_excluded all[PREVIEW_REASONS] = {
        {"revoked", "they are revoked", l->count[REVOKED]},
        {"model", arena_printf(a, "%s %s does not fit their model", r->name, r->version),
         l->count[OTHER_MODEL]},
        {"not_newer",
         arena_printf(a, "%s %s is not newer than what they run, and going back is not allowed", r->name,
                      r->version),
         l->count[NEWER]},
        {"too_old",
         arena_printf(a, "what they run is too old to go to %s %s at once, as its vendor says", r->name,
                      r->version),
         l->count[TOO_OLD]},
    };
    for (size_t i = 0; i < PREVIEW_REASONS; i++) {
        if (all[i].reason == NULL)
            return no_memory(e);
        if (all[i].devices > 0)
            p->excluded[p->excluded_count++] = all[i];
    }
    return 0;
}

static int conclude(struct looking *l, struct arena *a, struct err *e)
{
    struct preview *p = l->out;
    p->devices = l->count[GETS] + l->count[GOES_BACK];
    p->older = l->count[GOES_BACK];
    p->already = l->count[ALREADY];
    p->phase_count = l->shares.count;
    for (size_t i = 0; i < p->phase_count; i++) /* the names live as long as what was asked */
        p->phases[i] = (struct preview_phase){l->shares.phases[i].name, l->shares.taken[i]};
    int rc = add_changes(l, a, e);
    if (rc == 0)
        rc = keep_sample(p, a, e);
    if (rc == 0)
        rc = add_excluded(l, a, e);
    return rc != 0 ? rc : preview_warn(l->ota, l->db, a, l->c, p, e);
}

int ota_preview(struct ota *ota, struct db *db, struct arena *a, const struct deploy *asked,
                struct preview *out, struct err *e)
{
    auto_arena struct arena work;
    arena_init(&work, WORK_BYTES);
    struct deploy_checked c;
    struct looking *l = arena_new(&work, struct looking);
    if (l == NULL)
        return no_memory(e);
    if (asked->kind == TARGET_LIST || asked->kind == TARGET_DEPLOYMENT)
        return err_set(e, ERR_INVALID, "only what people ask for can be tried first");
    int64_t over = db_deadline(db);
    l->until = clock_mono_ms(ota->clock) + PREVIEW_MS;
    if (over != 0 && over - PREVIEW_SPARE_MS < l->until)
        l->until = over - PREVIEW_SPARE_MS;
    *out = (struct preview){.complete = true};
    int rc = ota_deploy_check(ota, db, a, asked, &c, e);
    l->ota = ota;
    l->db = db;
    l->arena = &work;
    l->c = &c;
    l->out = out;
    if (rc == 0)
        rc = look(l, e);
    return rc != 0 ? rc : conclude(l, a, e);
}
