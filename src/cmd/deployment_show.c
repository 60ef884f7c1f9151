/* One deployment for a person: what it is, why it is in its state, and its phases. */
#include "cmd/deployment.h"
#include "model/deployment.h"

static const char *or_dash(const char *s)
{
    return s != NULL ? s : "-";
}

/* "90 s", "15 min", "4 h", "2 days", "1 day 2 h". */
static const char *span(struct operate *op, int64_t s)
{
    long long d = s / 86400, h = s % 86400 / 3600, m = s % 3600 / 60, rest = s % 60;
    if (rest != 0)
        return or_dash(arena_printf(&op->arena, "%lld s", (long long)s));
    if (m != 0)
        return or_dash(arena_printf(&op->arena, "%lld min", (long long)s / 60));
    if (d == 0 || (d < 3 && h != 0))
        return or_dash(arena_printf(&op->arena, "%lld h", (long long)s / 3600));
    const char *days = d == 1 ? "day" : "days";
    return or_dash(h == 0 ? arena_printf(&op->arena, "%lld %s", d, days)
                          : arena_printf(&op->arena, "%lld %s %lld h", d, days, h));
}

/* Says why, when there is a why. */
static const char *state_of(struct operate *op, yyjson_val *d)
{
    struct str state = operate_str(d, "state"), why = operate_str(d, "why");
    return or_dash(why.n == 0 ? arena_printf(&op->arena, "%.*s", (int)state.n, state.n > 0 ? state.p : "")
                              : arena_printf(&op->arena, STR_FMT ": " STR_FMT, STR_ARG(state), STR_ARG(why)));
}

static const char *prepared(struct operate *op, yyjson_val *d)
{
    yyjson_val *percent = yyjson_obj_get(d, "prepared_percent");
    if (yyjson_is_str(yyjson_obj_get(d, "prepared")))
        return NULL; /* all are found: nothing to say */
    return yyjson_is_int(percent)
               ? or_dash(arena_printf(&op->arena, "devices are being looked for: %lld %% so far",
                                      (long long)yyjson_get_sint(percent)))
               : NULL;
}

static void add_flag(struct grid *t, yyjson_val *d, const char *key, const char *name, const char *yes)
{
    if (yyjson_is_true(yyjson_obj_get(d, key)))
        operate_property(t, name, str_of(yes));
}

static void add_time(struct operate *op, struct grid *t, yyjson_val *d, const char *key, const char *name)
{
    if (yyjson_is_str(yyjson_obj_get(d, key)))
        operate_property(t, name, str_of(operate_when(op, d, key)));
}

static void add_window(struct operate *op, struct grid *t, yyjson_val *d)
{
    yyjson_val *w = yyjson_obj_get(d, "window");
    struct str schedule = operate_str(w, "schedule"), zone = operate_str(w, "zone");
    if (!yyjson_is_obj(w) || schedule.n == 0)
        return;
    operate_property(
        t, "window",
        str_of(or_dash(arena_printf(&op->arena, STR_FMT " for %s, %s%.*s", STR_ARG(schedule),
                                    span(op, operate_int(w, "seconds")),
                                    str_is(zone, "device") ? "each device's time" : "UTC offset ",
                                    str_is(zone, "device") ? 0 : (int)zone.n, zone.n > 0 ? zone.p : ""))));
}

static void add_policy(struct operate *op, struct grid *t, yyjson_val *d)
{
    struct str mode = operate_str(d, "mode");
    int64_t n;
    operate_property(t, "devices",
                     str_of(yyjson_is_true(yyjson_obj_get(d, "dynamic"))
                                ? "those that match, later ones too"
                                : "those that matched when it was made"));
    operate_property(t, "downgrade",
                     str_of(yyjson_is_true(yyjson_obj_get(d, "allow_downgrade")) ? "allowed" : "no"));
    if (!str_is(mode, "forced"))
        operate_property(t, "mode", mode);
    add_time(op, t, d, "force_at", "forced from");
    add_flag(t, d, "consent", "consent", "each device's user has to agree");
    if ((n = operate_int(d, "priority")) != DEPLOYMENT_PRIORITY_DEFAULT)
        operate_property(t, "priority", str_of(or_dash(arena_printf(&op->arena, "%lld", (long long)n))));
    add_time(op, t, d, "start_at", "starts");
    if ((n = operate_int(d, "per_minute")) != 0)
        operate_property(t, "speed",
                         str_of(or_dash(arena_printf(&op->arena, "%lld a minute", (long long)n))));
    add_window(op, t, d);
    if ((n = operate_int(d, "deadline_seconds")) != 0)
        operate_property(t, "deadline", str_of(span(op, n)));
    if ((n = operate_int(d, "retries")) != 0)
        operate_property(t, "retries",
                         str_of(or_dash(arena_printf(&op->arena, "%lld, the first after %s", (long long)n,
                                                     span(op, operate_int(d, "retry_seconds"))))));
    if ((n = operate_int(d, "rollback")) != 0)
        operate_property(t, "on errors",
                         str_of(or_dash(arena_printf(&op->arena, "back to release %lld", (long long)n))));
}

static const struct grid_column phase_columns[] = {
    {"PHASE", GRID_RIGHT},   {"NAME", GRID_LEFT},       {"TAKES", GRID_LEFT},      {"OPENED", GRID_LEFT},
    {"WAITING", GRID_RIGHT}, {"ACTIVE", GRID_RIGHT},    {"SUCCEEDED", GRID_RIGHT}, {"ALREADY", GRID_RIGHT},
    {"FAILED", GRID_RIGHT},  {"CANCELLED", GRID_RIGHT}, {"GOES ON AT", GRID_LEFT}, {"STOPS AT", GRID_LEFT},
};
#define PHASE_COLUMNS (sizeof phase_columns / sizeof phase_columns[0])

static const char *takes(struct operate *op, yyjson_val *p)
{
    int64_t percent = operate_int(p, "percent"), count = operate_int(p, "count");
    struct str filter = operate_str(p, "filter");
    if (percent != 0)
        return or_dash(arena_printf(&op->arena, "%lld %%", (long long)percent));
    if (count != 0 && filter.n != 0)
        return or_dash(arena_printf(&op->arena, "%lld of " STR_FMT, (long long)count, STR_ARG(filter)));
    if (count != 0)
        return or_dash(
            arena_printf(&op->arena, count == 1 ? "%lld device" : "%lld devices", (long long)count));
    return filter.n != 0 ? or_dash(arena_dup_str(&op->arena, filter)) : "the rest";
}

static const char *stops_at(struct operate *op, yyjson_val *p)
{
    int64_t percent = operate_int(p, "error_percent"), count = operate_int(p, "error_count");
    if (percent != 0 && count != 0)
        return or_dash(
            arena_printf(&op->arena, "%lld %% or %lld failed", (long long)percent, (long long)count));
    if (percent != 0)
        return or_dash(arena_printf(&op->arena, "%lld %% failed", (long long)percent));
    return count != 0 ? or_dash(arena_printf(&op->arena, "%lld failed", (long long)count)) : "-";
}

static int print_phases(struct operate *op, yyjson_val *d)
{
    struct grid t;
    yyjson_val *phases = yyjson_obj_get(d, "phases"), *p;
    yyjson_arr_iter it = yyjson_arr_iter_with(phases);
    size_t n = 0;
    grid_init(&t, &op->arena, phase_columns, PHASE_COLUMNS);
    while ((p = yyjson_arr_iter_next(&it)) != NULL) {
        grid_cellf(&t, "%zu", ++n);
        grid_cell(&t, operate_str(p, "name"));
        grid_cell_z(&t, takes(op, p));
        grid_cell_z(&t, operate_ago(op, p, "opened"));
        for (unsigned i = 0; i < MEMBER_STATES; i++)
            grid_cellf(&t, "%lld",
                       (long long)operate_int(yyjson_obj_get(p, "devices"),
                                              member_state_word((enum member_state)i)));
        if (n < yyjson_arr_size(phases))
            grid_cellf(&t, "%lld %%", (long long)operate_int(p, "success_percent"));
        else
            grid_cell_z(&t, "-");
        grid_cell_z(&t, stops_at(op, p));
    }
    if (n > 0)
        putchar('\n');
    return n > 0 ? operate_print_grid(op, &t) : 0;
}

int deployment_print(struct operate *op, yyjson_doc *doc)
{
    if (op->json)
        return operate_print_json(op, doc) == 0 ? CMD_OK : operate_fail(op);
    yyjson_val *d = yyjson_doc_get_root(doc);
    struct grid t;
    operate_properties(op, &t);
    grid_cell_z(&t, "id");
    grid_cellf(&t, "%lld", (long long)operate_int(d, "id"));
    operate_property(&t, "release", str_of(operate_release(op, d, "release")));
    operate_property(&t, "to", str_of(deployment_target(op, d)));
    operate_property(&t, "state", str_of(state_of(op, d)));
    if (prepared(op, d) != NULL)
        operate_property(&t, "preparing", str_of(prepared(op, d)));
    add_policy(op, &t, d);
    operate_property(&t, "created", str_of(operate_when(op, d, "created")));
    operate_property(&t, "by", operate_str(d, "created_by"));
    add_time(op, &t, d, "approved", "approved");
    if (operate_str(d, "approved_by").n > 0)
        operate_property(&t, "approved by", operate_str(d, "approved_by"));
    if (operate_int(d, "rolls_back") != 0)
        operate_property(&t, "takes back",
                         str_of(or_dash(arena_printf(&op->arena, "deployment %lld",
                                                     (long long)operate_int(d, "rolls_back")))));
    operate_property(&t, "closed", str_of(operate_when(op, d, "closed")));
    operate_property(&t, "attempts", str_of(deployment_counts(op, yyjson_obj_get(d, "actions"))));
    if (operate_int(d, "retrying") != 0)
        operate_property(&t, "to try again",
                         str_of(or_dash(arena_printf(&op->arena, "%lld of those that wait",
                                                     (long long)operate_int(d, "retrying")))));
    if (operate_print_grid(op, &t) != 0)
        return operate_fail(op);
    return print_phases(op, d) == 0 ? CMD_OK : operate_fail(op);
}
