/* GET /api/fleet/history, GET /api/failures: how the fleet went, and what failed. */
#include "ota/fleet.h"
#include "api/api.h"
#include "api/encode.h"
#include "base/clock.h"

#define HISTORY_HOURS 168
#define FAILURES_HOURS 24
#define FAILURES_HOURS_MAX 8760

/* ?hours= */
static int query_hours(struct call *c, int64_t given, int64_t most, int64_t *out)
{
    const char *text;
    uint64_t hours = (uint64_t)given;
    int rc = api_query_text(c, "hours", str_is_text, &text);
    if (rc != 0)
        return rc;
    if (text != NULL && (str_to_u64(str_of(text), (uint64_t)most, &hours) != 0 || hours == 0))
        return err_set(&c->err, ERR_INVALID, "hours= must be a whole number from 1 to %lld", (long long)most);
    *out = (int64_t)hours;
    return 0;
}

static void put_series(yyjson_mut_doc *doc, yyjson_mut_val *row, const struct fleet_series *s, size_t n)
{
    api_put_text(doc, row, "model", s->model);
    api_put_text(doc, row, "version", s->version);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, row, "devices");
    for (size_t i = 0; i < n; i++)
        if (s->devices[i] == FLEET_UNKNOWN)
            yyjson_mut_arr_add_null(doc, list);
        else
            yyjson_mut_arr_add_sint(doc, list, s->devices[i]);
}

static int history(struct call *c)
{
    struct fleet_history h;
    const char *model;
    int64_t hours;
    int rc = query_hours(c, HISTORY_HOURS, FLEET_HOURS_MAX, &hours);
    if (rc == 0)
        rc = api_query_text(c, "model", str_is_name, &model);
    if (rc == 0)
        rc = ota_fleet_history(c->ota, c->db, c->arena, hours, model, &h, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_obj_add_sint(doc, root, "step_seconds", h.step_seconds);
    yyjson_mut_val *times = yyjson_mut_obj_add_arr(doc, root, "times");
    for (size_t i = 0; i < h.time_count; i++) {
        char text[CLOCK_TEXT_MAX];
        yyjson_mut_arr_add_strcpy(doc, times, clock_format(h.times[i], text));
    }
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "series");
    for (size_t i = 0; i < h.series_count; i++)
        put_series(doc, yyjson_mut_arr_add_obj(doc, list), &h.series[i], h.time_count);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

static bool is_cursor(struct str s)
{
    return s.n <= 64 && str_is_text(s);
}

static void put_failure(yyjson_mut_doc *doc, yyjson_mut_val *row, const struct failure *f)
{
    api_put_text(doc, row, "device", f->device);
    yyjson_mut_obj_add_sint(doc, row, "deployment", f->deployment);
    yyjson_mut_val *release = yyjson_mut_obj_add_obj(doc, row, "release");
    api_put_text(doc, release, "name", f->release_name);
    api_put_text(doc, release, "version", f->release_version);
    api_put_time(doc, row, "at", f->at);
    api_put_text(doc, row, "message", f->message);
}

static int failures(struct call *c)
{
    struct failure *found;
    size_t limit, count;
    const char *after, *next;
    int64_t hours;
    struct api_list l;
    int rc = query_hours(c, FAILURES_HOURS, FAILURES_HOURS_MAX, &hours);
    if (rc == 0)
        rc = api_query_limit(c, &limit);
    if (rc == 0)
        rc = api_query_text(c, "after", is_cursor, &after);
    if (rc == 0)
        rc = ota_failures(c->ota, c->db, c->arena, hours, after, limit, &found, &count, &next, &c->err);
    if (rc == 0)
        rc = api_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        put_failure(l.doc, api_list_add(&l), &found[i]);
    api_list_end(c, &l, next);
    return 0;
}

static const struct route rows[] = {
    {HTTP_GET, "/api/fleet/history", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, history}}},
    {HTTP_GET, "/api/failures", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, failures}}},
};
const struct route_table api_fleet_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
