#include "ota/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "ota/ota.h"
#include "store/db.h"

#define FINE_HOURS 48 /* up to here each sample is shown */
#define FINE_SECONDS 600
#define POINTS 360 /* about so many are shown of more */
#define SCRATCH_BYTES ((size_t)1 << 20)

struct telling {
    struct arena *arena;
    const char *model;
    int64_t since; /* numbers begin there; 0: there are none */
    const int64_t *times;
    size_t n;
    int64_t *total;  /* of all series */
    int64_t *shared; /* what the series held that rare ones share; at the end, at its last number */
    /* The one at hand. */
    int64_t series;
    int64_t *values;
    size_t filled;        /* of its values; from there on the last number holds */
    int64_t last, live;   /* last: FLEET_UNKNOWN before the first number */
    char *name, *version; /* free */
    /* Those kept: at most one more than are told. */
    struct fleet_series kept[FLEET_HISTORY_MAX + 1];
    size_t kept_count;
};

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for the history of the fleet");
}

/* --- times --------------------------------------------------------------------------------------------- */

static int64_t step_of(int64_t hours)
{
    static const int64_t wide[] = {1, 2, 3, 4, 6}; /* hours */
    if (hours <= FINE_HOURS)
        return FINE_SECONDS;
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
        if (hours / wide[i] <= POINTS)
            return wide[i] * 3600;
    return FLEET_HOURS_MAX / POINTS * 3600;
}

/* Whole steps since the epoch, and now. */
static int write_times(struct fleet_history *h, struct arena *a, int64_t hours, int64_t now, struct err *e)
{
    int64_t step = step_of(hours), ms = step * 1000;
    int64_t first = (now - hours * 3600 * 1000 + ms - 1) / ms * ms;
    h->step_seconds = step;
    h->times = arena_array(a, int64_t, FLEET_POINTS_MAX);
    if (h->times == NULL)
        return no_memory(e);
    for (int64_t at = first; at < now && h->time_count + 1 < FLEET_POINTS_MAX; at += ms)
        h->times[h->time_count++] = at;
    h->times[h->time_count++] = now;
    return 0;
}

/* --- series -------------------------------------------------------------------------------------------- */

static int64_t rank(const struct fleet_series *s, size_t n)
{
    return s->devices[n - 1];
}

/* Adds it to those that are told, from which the one with the lowest peak goes when they are too many. */
static int keep(struct telling *t, const char *model, const char *version, int64_t peak, struct err *e)
{
    struct fleet_series *least = &t->kept[0];
    for (size_t i = 1; i < t->kept_count; i++)
        if (t->kept[i].peak < least->peak)
            least = &t->kept[i];
    if (t->kept_count == FLEET_HISTORY_MAX && peak <= least->peak)
        return 0;
    struct fleet_series *s = t->kept_count < FLEET_HISTORY_MAX ? &t->kept[t->kept_count++] : least;
    int64_t *values = s->devices != NULL ? s->devices : arena_array(t->arena, int64_t, t->n);
    *s = (struct fleet_series){
        .model = arena_dup_str(t->arena, str_of(model)),
        .version = version != NULL ? arena_dup_str(t->arena, str_of(version)) : NULL,
        .peak = peak,
        .devices = values,
    };
    if (values == NULL || s->model == NULL || (version != NULL && s->version == NULL))
        return no_memory(e);
    memcpy(values, t->values, t->n * sizeof values[0]);
    return 0;
}

/* What had no number of its own then was nowhere, unless others without one were: it may be among them. */
static int64_t unnoted(const struct telling *t, size_t i)
{
    return t->shared[i] > 0 ? FLEET_UNKNOWN : 0;
}

/* The last number holds up to that time. */
static void fill(struct telling *t, int64_t until)
{
    for (; t->filled < t->n && t->times[t->filled] < until; t->filled++)
        t->values[t->filled] = t->last != FLEET_UNKNOWN ? t->last : unnoted(t, t->filled);
}

/* What was noted as none may have been among the rare ones; then it stays there until it is noted again. */
static int64_t now_of(const struct telling *t)
{
    return t->last == 0 && t->shared[t->n - 1] > 0 ? 0 : t->live;
}

static int end_series(struct telling *t, struct err *e)
{
    int64_t peak = 0;
    if (t->series == 0)
        return 0;
    fill(t, INT64_MAX);
    t->values[t->n - 1] = now_of(t);
    for (size_t i = 0; i < t->n; i++) {
        peak = t->values[i] > peak ? t->values[i] : peak;
        t->total[i] += t->values[i] > 0 ? t->values[i] : 0;
    }
    t->series = 0;
    return peak > 0 && t->name[0] != '\0' ? keep(t, t->name, t->version, peak, e) : 0;
}

static int begin_series(struct telling *t, const struct fleet_point *p, struct err *e)
{
    int rc = end_series(t, e);
    if (rc != 0)
        return rc;
    free(t->name);
    free(t->version);
    t->name = strdup(p->model);
    t->version = p->version != NULL ? strdup(p->version) : NULL;
    t->series = p->series;
    t->filled = 0;
    t->last = FLEET_UNKNOWN;
    t->live = p->live;
    return t->name != NULL && (p->version == NULL || t->version != NULL) ? 0 : no_memory(e);
}

static int on_point(void *ctx, const struct fleet_point *p, struct err *e)
{
    struct telling *t = ctx;
    int rc = p->series != t->series ? begin_series(t, p, e) : 0;
    if (rc != 0)
        return rc;
    fill(t, p->at);
    t->last = p->devices;
    return 0;
}

static int read_shared(struct telling *t, struct db *db, struct arena *scratch, struct err *e)
{
    int rc = store_fleet_each(db, scratch, "", t->times[0], on_point, t, e);
    if (rc != 0 || t->series == 0)
        return rc;
    fill(t, INT64_MAX);
    memcpy(t->shared, t->values, t->n * sizeof t->values[0]);
    t->series = 0;
    return 0;
}

/* What runs and has no series: since the last sample, or so rare that it was never told apart. */
static int add_new(struct telling *t, struct db *db, struct err *e)
{
    struct fleet_row rows[FLEET_HISTORY_MAX];
    size_t count;
    int rc = store_fleet_new(db, t->arena, t->model, FLEET_HISTORY_MAX, rows, &count, e);
    for (size_t i = 0; i < t->n; i++)
        t->values[i] = unnoted(t, i);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        t->values[t->n - 1] = rows[i].devices;
        rc = keep(t, rows[i].model, rows[i].version, rows[i].devices, e);
    }
    return rc;
}

/* All that is not told by itself, as one. Of one model's, what the rare ones were is not known. */
static int add_others(struct telling *t, struct err *e)
{
    struct fleet_series *s = &t->kept[t->kept_count];
    bool any = false;
    *s = (struct fleet_series){.others = true, .model = t->model, .version = "other", .devices = t->total};
    if (s->model != NULL && (s->model = arena_dup_str(t->arena, str_of(s->model))) == NULL)
        return no_memory(e);
    for (size_t i = 0; i < t->n; i++) {
        for (size_t k = 0; k < t->kept_count; k++)
            s->devices[i] -= t->kept[k].devices[i] > 0 ? t->kept[k].devices[i] : 0;
        any = any || s->devices[i] > 0;
        if (t->model != NULL && i + 1 < t->n && t->shared[i] > 0)
            s->devices[i] = FLEET_UNKNOWN;
    }
    t->kept_count += any;
    return 0;
}

static int by_rank(const void *a, const void *b, void *ctx)
{
    const struct fleet_series *x = a, *y = b;
    size_t n = *(size_t *)ctx;
    if (rank(x, n) != rank(y, n))
        return rank(x, n) < rank(y, n) ? 1 : -1;
    return (x->peak < y->peak) - (x->peak > y->peak);
}

/* Nothing is known of what was before the first number, but for now. */
static void blank(struct telling *t)
{
    for (size_t k = 0; k < t->kept_count; k++)
        for (size_t i = 0; i + 1 < t->n && (t->since == 0 || t->times[i] < t->since); i++)
            t->kept[k].devices[i] = FLEET_UNKNOWN;
}

static int tell(struct telling *t, struct db *db, struct err *e)
{
    auto_arena struct arena scratch;
    arena_init(&scratch, SCRATCH_BYTES);
    int rc = store_fleet_since(db, &t->since, e);
    if (rc == 0)
        rc = read_shared(t, db, &scratch, e);
    if (rc == 0)
        rc = store_fleet_each(db, &scratch, t->model, t->times[0], on_point, t, e);
    if (rc == 0)
        rc = end_series(t, e);
    if (rc == 0)
        rc = add_new(t, db, e);
    if (rc == 0)
        rc = store_fleet_now(db, t->model, &t->total[t->n - 1], e);
    if (rc != 0)
        return rc;
    qsort_r(t->kept, t->kept_count, sizeof t->kept[0], by_rank, &t->n);
    return add_others(t, e);
}

int ota_fleet_history(struct ota *ota, struct db *db, struct arena *a, int64_t hours, const char *model,
                      struct fleet_history *out, struct err *e)
{
    struct fleet_history h = {0};
    struct telling *t = arena_new(a, struct telling);
    int rc = write_times(&h, a, hours, clock_unix_ms(ota->clock), e);
    if (rc != 0 || t == NULL)
        return rc != 0 ? rc : no_memory(e);
    t->arena = a;
    t->model = model;
    t->times = h.times;
    t->n = h.time_count;
    t->total = arena_array(a, int64_t, t->n);
    t->values = arena_array(a, int64_t, t->n);
    t->shared = arena_array(a, int64_t, t->n);
    if (t->total == NULL || t->values == NULL || t->shared == NULL)
        return no_memory(e);
    rc = db_read_begin(db, e);
    if (rc == 0)
        rc = tell(t, db, e);
    db_read_end(db);
    free(t->name);
    free(t->version);
    if (rc != 0)
        return rc;
    blank(t);
    h.series = t->kept;
    h.series_count = t->kept_count;
    *out = h;
    return 0;
}

/* --- noting -------------------------------------------------------------------------------------------- */

int ota_fleet_sample(struct ota *ota, struct db *db, struct err *e)
{
    return store_fleet_sample(db, clock_unix_ms(ota->clock), e);
}

int ota_fleet_slice(struct ota *ota, struct db *db, bool *more, struct err *e)
{
    return store_fleet_thin(db, clock_unix_ms(ota->clock), more, e);
}

/* --- failures ------------------------------------------------------------------------------------------ */

static int read_cursor(const char *text, int64_t *at, int64_t *action, struct err *e)
{
    struct str rest = str_of(text), part;
    uint64_t v[2];
    size_t n = 0;
    for (; n < 2 && str_split(&rest, '.', &part); n++)
        if (str_to_u64(part, INT64_MAX, &v[n]) != 0)
            break;
    if (n < 2 || rest.p != NULL || v[0] == 0)
        return err_set(e, ERR_INVALID, "\"after\" is no cursor that a list of failures gave");
    *at = (int64_t)v[0];
    *action = (int64_t)v[1];
    return 0;
}

int ota_failures(struct ota *ota, struct db *db, struct arena *a, int64_t hours, const char *after,
                 size_t limit, struct failure **out, size_t *count, const char **next, struct err *e)
{
    int64_t since = clock_unix_ms(ota->clock) - hours * 3600 * 1000, at = 0, action = 0;
    size_t n;
    struct failure *list = arena_array(a, struct failure, limit + 1);
    if (list == NULL)
        return no_memory(e);
    int rc = after != NULL ? read_cursor(after, &at, &action, e) : 0;
    if (rc == 0)
        rc = store_failures(db, a, since, at, action, limit + 1, list, &n, e);
    if (rc != 0)
        return rc;
    const char *cursor = NULL;
    if (n > limit) {
        n = limit;
        cursor = arena_printf(a, "%lld.%lld", (long long)list[n - 1].at, (long long)list[n - 1].action);
        if (cursor == NULL)
            return no_memory(e);
    }
    *out = list;
    *count = n;
    *next = cursor;
    return 0;
}
