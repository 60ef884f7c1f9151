/* GET .../deploymentBase/{action}, and the same form for confirmationBase and installedBase: what an update
   consists of. */
#include <string.h>

#include "ddi/device.h"
#include "ota/feedback.h"

/* Module types as devices know them: Zephyr takes bApp alone. */
static const char *part_of(const char *type)
{
    static const struct {
        const char *type, *part;
    } parts[] = {{"application", "bApp"}, {"runtime", "jvm"}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcmp(type, parts[i].type) == 0)
            return parts[i].part;
    return type;
}

static bool put_metadata(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct ddi_chunk *chunk)
{
    if (chunk->metadata_count == 0)
        return true;
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, obj, "metadata");
    for (size_t i = 0; i < chunk->metadata_count; i++) {
        yyjson_mut_val *m = yyjson_mut_arr_add_obj(doc, list);
        if (!yyjson_mut_obj_add_str(doc, m, "key", chunk->metadata[i].key) ||
            !yyjson_mut_obj_add_str(doc, m, "value", chunk->metadata[i].value))
            return false;
    }
    return true;
}

static int put_chunk(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *list, const struct ddi_chunk *chunk)
{
    yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, list);
    yyjson_mut_obj_add_str(doc, obj, "part", part_of(chunk->module.type));
    yyjson_mut_obj_add_str(doc, obj, "version", chunk->module.version);
    yyjson_mut_obj_add_str(doc, obj, "name", chunk->module.name);
    if (chunk->module.encrypted)
        yyjson_mut_obj_add_bool(doc, obj, "encrypted", true);
    yyjson_mut_val *artifacts = yyjson_mut_obj_add_arr(doc, obj, "artifacts");
    int rc = device_put_artifacts(c, doc, artifacts, chunk);
    if (rc == 0 && !put_metadata(doc, obj, chunk))
        rc = device_no_memory(c);
    return rc;
}

static int put_terms(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct poll_terms *t)
{
    static const char *const words[] = {
        [POLL_FORCED] = "forced", [POLL_ATTEMPT] = "attempt", [POLL_SKIP] = "skip"};
    yyjson_mut_obj_add_str(doc, obj, "download", words[t->download]);
    bool fine = yyjson_mut_obj_add_str(doc, obj, "update", words[t->install]);
    if (fine && t->window != SELECT_WINDOW_NONE)
        fine = yyjson_mut_obj_add_str(doc, obj, "maintenanceWindow",
                                      t->window == SELECT_WINDOW_OPEN ? "available" : "unavailable");
    return fine ? 0 : device_no_memory(c);
}

static int put_history(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *root, const struct ddi_view *v)
{
    if (v->history_count == 0)
        return 0;
    yyjson_mut_val *history = yyjson_mut_obj_add_obj(doc, root, "actionHistory");
    yyjson_mut_obj_add_str(doc, history, "status", v->status);
    yyjson_mut_val *messages = yyjson_mut_obj_add_arr(doc, history, "messages");
    for (size_t i = 0; i < v->history_count; i++)
        if (!yyjson_mut_arr_add_str(doc, messages, v->history[i]))
            return device_no_memory(c);
    return 0;
}

static int reply(struct call *c, const char *key, const struct ddi_view *v)
{
    auto_json_mut yyjson_mut_doc *doc = ddi_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    const char *id = arena_printf(c->arena, "%lld", (long long)v->action.pk);
    if (id == NULL || !yyjson_mut_obj_add_str(doc, root, "id", id))
        return device_no_memory(c);
    yyjson_mut_val *obj = yyjson_mut_obj_add_obj(doc, root, key);
    int rc = put_terms(c, doc, obj, &v->terms);
    yyjson_mut_val *chunks = yyjson_mut_obj_add_arr(doc, obj, "chunks");
    for (size_t i = 0; i < v->chunk_count && rc == 0; i++)
        rc = put_chunk(c, doc, chunks, &v->chunks[i]);
    if (rc == 0)
        rc = put_history(c, doc, root, v);
    return rc != 0 ? rc : ddi_body_reply(c, doc);
}

/* ?actionHistory=n: 0 is none, less than that all that are told. */
static int history_wanted(struct call *c, int64_t *out)
{
    struct str s;
    uint64_t n = 0;
    int rc = http_query_get(c->req, "actionHistory", c->arena, &s, &c->err);
    if (rc != 0)
        return rc;
    bool minus = s.n > 1 && s.p[0] == '-';
    struct str digits = minus ? (struct str){.p = s.p + 1, .n = s.n - 1} : s;
    if (s.n > 0 && str_to_u64(digits, INT32_MAX, &n) != 0)
        return err_set(&c->err, ERR_INVALID, "actionHistory= must be a whole number");
    *out = minus ? -(int64_t)n : (int64_t)n;
    return 0;
}

int device_show(struct call *c, enum ddi_subject subject, const char *key)
{
    struct ddi_view v;
    int64_t action, history;
    int rc = device_begin(c);
    if (rc == 0)
        rc = device_param_id(c, 2, &action);
    if (rc == 0)
        rc = history_wanted(c, &history);
    if (rc == 0)
        rc = ota_ddi_view(c->ota, c->db, c->arena, c->who->id, action, subject, history, &v, &c->err);
    if (rc == 0 && subject == DDI_FOR_DEPLOYMENT && c->req->method == HTTP_GET)
        rc = ota_note_retrieved(c->ota, c->db, c->writing, c->arena, &v.action, &c->err);
    if (rc == FEEDBACK_UPGRADE)
        return CALL_UPGRADE;
    return rc != 0 ? rc : reply(c, key, &v);
}

int device_deployment(struct call *c)
{
    return device_show(c, DDI_FOR_DEPLOYMENT, "deployment");
}
