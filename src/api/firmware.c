/* GET /api/firmware..., DELETE /api/firmware/{id}: what is published. A device sees its own model alone. */
#include "api/api.h"
#include "api/firmware_json.h"
#include "ota/catalogue.h"
#include "ota/publish.h"
#include "ota/trust_show.h"

static const char *device_asking(const struct call *c)
{
    return c->who->who == WHO_DEVICE ? c->who->id : NULL;
}

/* ?model= for an operator (NULL: any); for a device always its own, and another is refused. */
static int model_asked(struct call *c, const char **out)
{
    int rc = api_query_text(c, "model", str_is_name, out);
    return rc != 0 ? rc : ota_catalogue_model(c->db, c->arena, device_asking(c), out, &c->err);
}

/* The firmware of the path's id, if the caller may see it. */
static int find(struct call *c, struct release *out)
{
    int64_t id;
    const char *model = NULL;
    int rc = api_param_id(c, 0, &id);
    if (rc == 0)
        rc = ota_catalogue_model(c->db, c->arena, device_asking(c), &model, &c->err);
    return rc != 0 ? rc : ota_catalogue_show(c->db, c->arena, id, model, out, &c->err);
}

static int latest(struct call *c)
{
    const char *model = NULL;
    struct release r;
    int rc = api_query_text(c, "model", str_is_name, &model);
    if (rc == 0)
        rc = ota_catalogue_latest(c->db, c->arena, device_asking(c), model, &r, &c->err);
    return rc != 0 ? rc : firmware_reply(c, 200, &r);
}

/* What the vendor's signature says, for each model that it is over. */
static void put_signed(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct release *r,
                       const struct trust_standing *standings)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "signed");
    for (size_t i = 0; i < r->model_count; i++) {
        const struct signed_terms *t = &standings[i].terms;
        if (!standings[i].signed_it)
            continue;
        yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, list);
        yyjson_mut_obj_add_str(doc, row, "model", r->models[i]);
        yyjson_mut_obj_add_sint(doc, row, "sequence", t->sequence);
        yyjson_mut_obj_add_sint(doc, row, "upgrade_from", t->upgrade_from);
        yyjson_mut_obj_add_sint(doc, row, "counter", t->counter);
        yyjson_mut_obj_add_sint(doc, row, "unpacked_size", t->unpacked_size);
        yyjson_mut_obj_add_bool(doc, row, "security", t->security);
        yyjson_mut_obj_add_str(doc, row, "advisory", t->advisory);
    }
}

static int show(struct call *c)
{
    struct release r;
    struct trust_standing *standings;
    int rc = find(c, &r);
    if (rc == 0)
        rc = ota_trust_standings(c->db, c->arena, &r, &standings, &c->err);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? api_doc(c) : NULL;
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    rc = firmware_put(c, doc, root, &r);
    if (rc != 0)
        return rc;
    put_signed(doc, root, &r, standings);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

static int read_filter(struct call *c, struct release_filter *f, enum release_state *state)
{
    const char *word = NULL;
    int rc = model_asked(c, &f->model);
    if (rc == 0)
        rc = api_query_text(c, "name", str_is_name, &f->name);
    if (rc == 0)
        rc = api_query_text(c, "state", str_is_name, &word);
    if (rc != 0 || word == NULL)
        return rc;
    if (release_state_parse(str_of(word), state) != 0)
        return err_set(&c->err, ERR_INVALID, "state= is draft, signed or published");
    f->state = state;
    return 0;
}

static int put_list(struct call *c, const struct release *list, size_t count, bool more)
{
    struct api_list l;
    int rc = api_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = firmware_put(c, l.doc, api_list_add(&l), &list[i]);
    const char *next = more ? arena_printf(c->arena, "%lld", (long long)list[count - 1].pk) : NULL;
    if (rc == 0 && more && next == NULL)
        rc = api_no_memory(c);
    if (rc != 0)
        yyjson_mut_doc_free(l.doc);
    else
        api_list_end(c, &l, next);
    return rc;
}

static int list_firmware(struct call *c)
{
    struct release_filter filter = {0};
    enum release_state state = RELEASE_PUBLISHED;
    int64_t after;
    size_t limit, count;
    bool more;
    struct release *list;
    int rc = read_filter(c, &filter, &state);
    if (rc == 0)
        rc = api_query_limit(c, &limit);
    if (rc == 0)
        rc = api_query_id(c, "after", &after);
    if (rc != 0)
        return rc;
    if (c->who->who == WHO_DEVICE) {
        if (filter.state != NULL && state != RELEASE_PUBLISHED)
            return err_set(&c->err, ERR_DENIED, "state=: a device sees published firmware alone");
        filter.state = &state;
    }
    rc = ota_catalogue_list(c->db, c->arena, &filter, after, limit, &list, &count, &more, &c->err);
    return rc != 0 ? rc : put_list(c, list, count, more);
}

static int file_find(struct call *c)
{
    struct release *r = arena_new(c->arena, struct release);
    if (r == NULL)
        return api_no_memory(c);
    int rc = find(c, r);
    if (rc == 0 && r->artifact_count != 1)
        rc = err_set(&c->err, ERR_CONFLICT, "%s %s has %zu files, not one", r->name, r->version,
                     r->artifact_count);
    c->carry = r;
    return rc;
}

static int file_send(struct call *c)
{
    return firmware_send_file(c, c->carry);
}

static int delete(struct call *c)
{
    int64_t id;
    int rc = api_param_id(c, 0, &id);
    if (rc == 0)
        rc = ota_unpublish(c->ota, c->db, c->arena, c->who->id, id, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

#define WHO_SEES (WHO_DEVICE | WHO_READERS)

static const struct route rows[] = {
    {HTTP_GET, "/api/firmware/latest", WHO_SEES, BODY_NONE, 0, {{LANE_READ, latest}}},
    {HTTP_GET, "/api/firmware", WHO_SEES, BODY_NONE, 0, {{LANE_QUERY, list_firmware}}},
    {HTTP_GET, "/api/firmware/{}", WHO_SEES, BODY_NONE, 0, {{LANE_READ, show}}},
    {HTTP_GET,
     "/api/firmware/{}/file",
     WHO_SEES,
     BODY_NONE,
     0,
     {{LANE_READ, file_find}, {LANE_FILE, file_send}}},
    {HTTP_DELETE, "/api/firmware/{}", WHO_WRITERS, BODY_NONE, 0, {{LANE_WRITE, delete}}},
};

const struct route_table api_firmware_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
