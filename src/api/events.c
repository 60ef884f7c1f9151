/* GET /api/events: what happened, newest first. */
#include "api/api.h"
#include "api/encode.h"
#include "ota/event.h"

#define TEXT_MAX 256

static bool is_subject(struct str s)
{
    return s.n <= TEXT_MAX && str_is_text(s);
}

static void put_event(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct event *v)
{
    yyjson_mut_obj_add_sint(doc, obj, "id", v->id);
    api_put_time(doc, obj, "at", v->at);
    api_put_text(doc, obj, "kind", v->kind);
    api_put_text(doc, obj, "who", v->who);
    api_put_text(doc, obj, "subject", v->subject);
    api_put_text(doc, obj, "detail", v->detail);
    api_put_text(doc, obj, "address", v->address);
}

static int list(struct call *c)
{
    const char *subject = NULL, *kind = NULL;
    struct event *events = NULL;
    size_t count = 0, limit = 0;
    int64_t before = 0;
    int rc = api_query_limit(c, &limit);
    if (rc == 0)
        rc = api_query_text(c, "subject", is_subject, &subject);
    if (rc == 0)
        rc = api_query_text(c, "kind", str_is_name, &kind);
    if (rc == 0)
        rc = api_query_id(c, "after", &before);
    if (rc == 0)
        rc = ota_event_list(c->db, c->arena, subject, kind, before, limit + 1, &events, &count, &c->err);
    if (rc != 0)
        return rc;
    bool more = api_list_cut(&count, limit);
    const char *next = more ? arena_printf(c->arena, "%lld", (long long)events[count - 1].id) : NULL;
    if (more && next == NULL)
        return api_no_memory(c);
    struct api_list l;
    rc = api_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        put_event(l.doc, api_list_add(&l), &events[i]);
    api_list_end(c, &l, next);
    return CALL_NEXT;
}

static const struct route rows[] = {
    {HTTP_GET, "/api/events", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list}}},
};
const struct route_table api_events_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
