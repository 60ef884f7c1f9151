/* `pqota status`: the server and its fleet at a glance. */
#include <string.h>

#include "cmd/deployment.h"
#include "cmd/text.h"
#include "cmd/verbs.h"

static const struct grid_column version_columns[] = {
    {"MODEL", GRID_LEFT}, {"VERSION", GRID_LEFT}, {"DEVICES", GRID_RIGHT}};

static const struct {
    const char *key, *label;
    bool bytes;
} store_rows[] = {
    {"db_bytes", "database", true},
    {"wal_bytes", "write-ahead log", true},
    {"disk_free_bytes", "disk free", true},
    {"queue", "writes waiting", false},
};

static void add_store(struct operate *op, struct grid *t, yyjson_val *store)
{
    for (size_t i = 0; i < sizeof store_rows / sizeof store_rows[0]; i++) {
        if (!yyjson_is_int(yyjson_obj_get(store, store_rows[i].key)))
            continue;
        char size[TEXT_SHORT_MAX];
        int64_t n = operate_int(store, store_rows[i].key);
        grid_cell_z(t, store_rows[i].label);
        if (store_rows[i].bytes)
            grid_cell_z(t, text_size(n, size));
        else
            grid_cellf(t, "%lld", (long long)n);
    }
    if (operate_str(store, "last_failure").n > 0)
        operate_property(t, "last failed write", str_of(operate_when(op, store, "last_failure")));
}

/* Nothing where it is off, and from a server that has none. */
static void add_broker(struct grid *t, yyjson_val *mqtt)
{
    struct str broker = operate_str(mqtt, "broker");
    if (broker.n == 0 || str_is(broker, "off"))
        return;
    int64_t announcements = operate_int(mqtt, "announcements"), events = operate_int(mqtt, "events");
    grid_cell_z(t, "mqtt broker");
    if (announcements == 0 && events == 0)
        grid_cell(t, broker);
    else
        grid_cellf(t, STR_FMT ", %lld announcements and %lld events wait", STR_ARG(broker),
                   (long long)announcements, (long long)events);
}

/* Nothing from a server that has none. */
static void add_trust(struct operate *op, struct grid *t, yyjson_val *trust)
{
    yyjson_val *ends = yyjson_obj_get(trust, "ends_first");
    if (yyjson_is_true(yyjson_obj_get(trust, "unsigned_allowed")))
        operate_property(t, "firmware", STR("is published without a signature"));
    if (!yyjson_is_obj(ends))
        return;
    struct str role = operate_str(ends, "role"), repository = operate_str(ends, "repository");
    grid_cell_z(t, "signatures");
    grid_cellf(t, STR_FMT " " STR_FMT " expires first, %s", STR_ARG(repository), STR_ARG(role),
               operate_when(op, ends, "expires"));
}

/* How much of the fleet is safe from who records it today. Nothing from a server that does not know. */
static void add_transport(struct operate *op, struct grid *t, yyjson_val *transport)
{
    static const char *const keys[] = {"pq", "proxy", "classical", "plain"};
    static const char *const labels[] = {"post-quantum", "behind a proxy", "classical", "without TLS"};
    int64_t n[4], all = 0;
    for (int i = 0; i < 4; i++)
        all += n[i] = operate_int(transport, keys[i]);
    if (all == 0)
        return;
    int64_t percent = n[0] == all ? 100 : n[0] * 100 / all;
    const char *text = arena_printf(&op->arena, "%lld %% %s", (long long)percent, labels[0]);
    for (int i = 0; i < 4 && text != NULL; i++)
        if (n[i] > 0)
            text = arena_printf(&op->arena, "%s, %lld %s", text, (long long)n[i], labels[i]);
    operate_property(t, "transport", str_of(text != NULL ? text : "-"));
}

static int print_status(struct operate *op, yyjson_val *s)
{
    struct grid t, versions;
    yyjson_val *devices = yyjson_obj_get(s, "devices"), *actions = yyjson_obj_get(s, "actions"), *v;
    operate_properties(op, &t);
    operate_property(&t, "server", str_of(op->profile.server));
    operate_property(&t, "pqota", operate_str(s, "version"));
    operate_property(&t, "started", str_of(operate_when(op, s, "started")));
    grid_cell_z(&t, "devices");
    grid_cellf(&t, "%lld, %lld of them revoked, %lld seen in the last day",
               (long long)operate_int(devices, "total"), (long long)operate_int(devices, "revoked"),
               (long long)operate_int(devices, "seen_last_day"));
    add_transport(op, &t, yyjson_obj_get(devices, "transport"));
    grid_cell_z(&t, "deployments");
    grid_cellf(&t, "%lld running, %lld paused, %lld to be approved",
               (long long)operate_int(s, "deployments_running"),
               (long long)operate_int(s, "deployments_paused"),
               (long long)operate_int(s, "deployments_approval"));
    yyjson_obj_iter it = yyjson_obj_iter_with(actions);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it)) != NULL;)
        if (yyjson_is_obj(v = yyjson_obj_iter_get_val(key))) {
            grid_cellf(&t, "actions, %.32s", yyjson_get_str(key));
            grid_cell_z(&t, deployment_counts(op, v));
        }
    if (!yyjson_is_obj(yyjson_obj_get(actions, "open")))
        operate_property(&t, "actions", str_of(deployment_counts(op, actions)));
    add_store(op, &t, yyjson_obj_get(s, "store"));
    if (yyjson_is_obj(yyjson_obj_get(s, "mqtt")))
        add_broker(&t, yyjson_obj_get(s, "mqtt"));
    add_trust(op, &t, yyjson_obj_get(s, "trust"));
    int rc = operate_print_grid(op, &t);
    grid_init(&versions, &op->arena, version_columns, 3);
    yyjson_arr_iter vi = yyjson_arr_iter_with(yyjson_obj_get(s, "versions"));
    while ((v = yyjson_arr_iter_next(&vi)) != NULL) {
        grid_cell(&versions, operate_str(v, "model"));
        grid_cell(&versions, operate_str(v, "version"));
        grid_cellf(&versions, "%lld", (long long)operate_int(v, "devices"));
    }
    if (versions.rows > 0)
        putchar('\n');
    return rc == 0 ? operate_print_grid(op, &versions) : rc;
}

static int status(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/status", NULL) != 0 ||
        operate_call(&op, "GET", NULL, &doc) != 0)
        return operate_fail(&op);
    int rc = op.json ? operate_print_json(&op, doc) : print_status(&op, yyjson_doc_get_root(doc));
    return rc == 0 ? CMD_OK : operate_fail(&op);
}

static const struct line_sub subs[] = {
    {"", "", 0, 0, LINE_SERVER | LINE_JSON, NULL, status, "show the server and its fleet at a glance", NULL},
    {.name = NULL},
};

const struct line_verb line_status = {
    "status", "Shows the server and its fleet at a glance: devices, what they run, what is under way.", subs};

int cmd_status(int argc, char **argv)
{
    return line_run(&line_status, argc, argv);
}
