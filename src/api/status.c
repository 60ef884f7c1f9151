/* GET /api/status: the fleet and the server in numbers. */
#include "api/api.h"
#include "api/encode.h"
#include "ota/status.h"

static void put_fleet(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct summary *s)
{
    yyjson_mut_val *devices = yyjson_mut_obj_add_obj(doc, root, "devices");
    yyjson_mut_obj_add_sint(doc, devices, "total", s->devices);
    yyjson_mut_obj_add_sint(doc, devices, "revoked", s->revoked);
    yyjson_mut_obj_add_sint(doc, devices, "seen_last_day", s->seen);
    yyjson_mut_val *transport = yyjson_mut_obj_add_obj(doc, devices, "transport");
    for (int i = 0; i < SUMMARY_TRANSPORTS; i++)
        yyjson_mut_obj_add_sint(doc, transport, summary_transport_text[i], s->transport[i]);
    yyjson_mut_val *versions = yyjson_mut_obj_add_arr(doc, root, "versions");
    for (size_t i = 0; i < s->version_count; i++) {
        yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, versions);
        yyjson_mut_obj_add_str(doc, row, "model", s->versions[i].model);
        api_put_text(doc, row, "version", s->versions[i].version);
        yyjson_mut_obj_add_sint(doc, row, "devices", s->versions[i].devices);
    }
    yyjson_mut_obj_add_sint(doc, root, "deployments_running", s->deployments_running);
    yyjson_mut_obj_add_sint(doc, root, "deployments_paused", s->deployments_paused);
    yyjson_mut_obj_add_sint(doc, root, "deployments_approval", s->deployments_approval);
    yyjson_mut_val *actions = yyjson_mut_obj_add_obj(doc, root, "actions");
    yyjson_mut_val *open = yyjson_mut_obj_add_obj(doc, actions, "open");
    yyjson_mut_val *closed = yyjson_mut_obj_add_obj(doc, actions, "last_day");
    for (unsigned i = 0; i < ACTION_STATES; i++) {
        enum action_state state = (enum action_state)i;
        bool final = action_is_final(state);
        yyjson_mut_obj_add_sint(doc, final ? closed : open, action_state_word(state),
                                final ? s->closed[i] : s->open[i]);
    }
}

static void put_store(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct store_health *h)
{
    yyjson_mut_val *store = yyjson_mut_obj_add_obj(doc, root, "store");
    yyjson_mut_obj_add_uint(doc, store, "queue", h->queue);
    yyjson_mut_obj_add_sint(doc, store, "db_bytes", h->db_bytes);
    yyjson_mut_obj_add_sint(doc, store, "wal_bytes", h->wal_bytes);
    yyjson_mut_obj_add_sint(doc, store, "disk_free_bytes", h->disk_free_bytes);
    yyjson_mut_obj_add_uint(doc, store, "commits", h->commits);
    yyjson_mut_obj_add_uint(doc, store, "jobs", h->jobs);
    api_put_time(doc, store, "last_failure", h->last_failure_ms);
}

static void put_broker(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct ota_status *s)
{
    static const char *const words[] = {
        [OTA_BROKER_OFF] = "off", [OTA_BROKER_DOWN] = "down", [OTA_BROKER_UP] = "up"};
    yyjson_mut_val *mqtt = yyjson_mut_obj_add_obj(doc, root, "mqtt");
    yyjson_mut_obj_add_str(doc, mqtt, "broker", words[s->broker]);
    yyjson_mut_obj_add_sint(doc, mqtt, "announcements", s->announcements);
    yyjson_mut_obj_add_sint(doc, mqtt, "events", s->events);
    api_put_time(doc, mqtt, "waiting_since", s->waiting_since_ms);
}

static void put_trust(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct ota_status *s)
{
    yyjson_mut_val *trust = yyjson_mut_obj_add_obj(doc, root, "trust");
    yyjson_mut_obj_add_bool(doc, trust, "unsigned_allowed", s->unsigned_allowed);
    if (s->ends.version == 0) {
        yyjson_mut_obj_add_null(doc, trust, "ends_first");
        return;
    }
    yyjson_mut_val *ends = yyjson_mut_obj_add_obj(doc, trust, "ends_first");
    yyjson_mut_obj_add_str(doc, ends, "repository", s->ends.repository);
    yyjson_mut_obj_add_strcpy(doc, ends, "role", s->ends.role);
    api_put_time(doc, ends, "expires", s->ends.expires_ms);
}

static int status(struct call *c)
{
    struct ota_status s;
    int rc = ota_status(c->ota, c->db, c->arena, &s, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_obj_add_str(doc, root, "version", PQOTA_VERSION);
    api_put_time(doc, root, "started", s.started_ms);
    api_put_time(doc, root, "now", s.now_ms);
    put_fleet(doc, root, &s.fleet);
    put_store(doc, root, &s.store);
    put_broker(doc, root, &s);
    put_trust(doc, root, &s);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

static const struct route rows[] = {
    {HTTP_GET, "/api/status", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, status}}},
};

const struct route_table api_status_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
