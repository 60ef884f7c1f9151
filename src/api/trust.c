/* Signed update metadata: served under /tuf/, and /api/trust, where signed files come back. */
#include "api/api.h"
#include "api/encode.h"
#include "api/firmware_json.h"
#include "http/condition.h"
#include "ota/catalogue.h"
#include "ota/modules.h"
#include "ota/trust.h"
#include "ota/trust_accept.h"
#include "ota/trust_files.h"
#include "ota/trust_show.h"

/* Bytes of a file that a loop thread reads from the database; larger ones are read elsewhere. */
#define ON_THE_LOOP 65536
#define FOR_EVER "public, max-age=31536000, immutable"

/* --- /tuf/image/..., /tuf/director/... ------------------------------------------------------------------ */

struct asked {
    struct metadata m;
    const char *etag;
    struct trust_file *file;
};

static void free_asked(void *carry)
{
    trust_file_unref(((struct asked *)carry)->file);
}

static int reply_file(struct call *c, const struct asked *f)
{
    http_set(c->res, "ETag", f->etag);
    http_set(c->res, "Cache-Control", strcmp(f->m.role, "timestamp") == 0 ? "no-cache" : FOR_EVER);
    if (f->file != NULL)
        http_reply(c->res, 200, "application/json", trust_file_body(f->file));
    else
        http_reply_empty(c->res, 304);
    return CALL_REPLY;
}

static int send_file(struct call *c)
{
    struct asked *f = c->carry;
    int rc = trust_file_get(trust_files_of(c->ota), c->db, &f->m, &f->file, &c->err);
    return rc != 0 ? rc : reply_file(c, f);
}

static bool is_root(struct str name)
{
    static const char end[] = ".root.json";
    const size_t n = sizeof end - 1;
    return name.n > n && memcmp(name.p + name.n - n, end, n) == 0;
}

static int look_file(struct call *c, enum repository r)
{
    struct asked *f = arena_new(c->arena, struct asked);
    if (f == NULL)
        return api_no_memory(c);
    c->carry = f;
    c->carry_free = free_asked;
    int rc = ota_trust_file(c->db, c->arena, r, c->param[0], &f->m, &c->err);
    /* TUF 5.3.3: clients ask for the next root until there is none. */
    c->usual = rc == ERR_NOT_FOUND && is_root(c->param[0]);
    if (rc != 0)
        return rc;
    f->etag = arena_printf(c->arena, "\"%s\"", f->m.sha256);
    if (f->etag == NULL)
        return api_no_memory(c);
    switch (http_condition_check(c->req, str_of(f->etag), INT64_MAX)) {
    case HTTP_COND_FAILED:
        http_reply_problem_status(c->res, c->arena, 412, "this is not the version that was asked for");
        return CALL_REPLY;
    case HTTP_COND_NOT_MODIFIED:
        return reply_file(c, f);
    case HTTP_COND_PROCEED:
        break;
    }
    f->file = trust_file_find(trust_files_of(c->ota), f->m.sha256);
    if (f->file != NULL)
        return reply_file(c, f);
    return f->m.size <= ON_THE_LOOP ? send_file(c) : CALL_NEXT;
}

static int look_image(struct call *c)
{
    return look_file(c, REPOSITORY_IMAGE);
}

static int look_director(struct call *c)
{
    return look_file(c, REPOSITORY_DIRECTOR);
}

static int look_target(struct call *c)
{
    struct release *r = arena_new(c->arena, struct release);
    const char *device = c->who->who == WHO_DEVICE ? c->who->id : NULL, *model = NULL;
    if (r == NULL)
        return api_no_memory(c);
    int rc = ota_catalogue_model(c->db, c->arena, device, &model, &c->err);
    if (rc == 0)
        rc = ota_trust_target(c->db, c->arena, c->param, model, r, &c->err);
    c->carry = r;
    return rc;
}

static int send_target(struct call *c)
{
    return firmware_send_file(c, c->carry);
}

/* --- GET /api/trust ------------------------------------------------------------------------------------- */

static void put_role(yyjson_mut_doc *doc, yyjson_mut_val *list, const struct trust_role_view *v)
{
    char expires[TUF_TIME_SIZE];
    yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, list);
    tuf_time_write(v->m.expires_at / 1000, expires);
    yyjson_mut_obj_add_str(doc, row, "role", v->m.role);
    yyjson_mut_obj_add_sint(doc, row, "version", v->m.version);
    yyjson_mut_obj_add_strcpy(doc, row, "expires", expires);
    api_put_time(doc, row, "since", v->m.created_at);
    yyjson_mut_obj_add_sint(doc, row, "threshold", v->threshold);
    yyjson_mut_obj_add_sint(doc, row, "ml_dsa", v->counts.need[TRUST_POST_QUANTUM]);
    yyjson_mut_obj_add_sint(doc, row, "classical", v->counts.need[TRUST_CLASSICAL]);
    if (!v->looked) {
        yyjson_mut_obj_add_null(doc, row, "signed_by");
        return;
    }
    yyjson_mut_val *signers = yyjson_mut_obj_add_arr(doc, row, "signed_by");
    for (size_t i = 0; i < v->signer_count; i++) {
        yyjson_mut_val *signer = yyjson_mut_arr_add_obj(doc, signers);
        yyjson_mut_obj_add_str(doc, signer, "keyid", v->signers[i].keyid);
        api_put_text(doc, signer, "scheme", v->signers[i].scheme);
    }
}

static void put_drafts(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *key, const struct release *list,
                       size_t count)
{
    yyjson_mut_val *drafts = yyjson_mut_obj_add_arr(doc, root, key);
    for (size_t i = 0; i < count; i++) {
        yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, drafts);
        yyjson_mut_obj_add_sint(doc, row, "id", list[i].pk);
        yyjson_mut_obj_add_str(doc, row, "name", list[i].name);
        yyjson_mut_obj_add_str(doc, row, "version", list[i].version);
        yyjson_mut_val *models = yyjson_mut_obj_add_arr(doc, row, "models");
        for (size_t m = 0; m < list[i].model_count; m++)
            yyjson_mut_arr_add_str(doc, models, list[i].models[m]);
    }
}

static int show(struct call *c)
{
    struct trust_overview o;
    int rc = ota_trust_show(c->ota, c->db, c->arena, &o, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    for (int r = 0; r < REPOSITORIES; r++) {
        yyjson_mut_val *repository = yyjson_mut_obj_add_obj(doc, root, repository_word((enum repository)r));
        yyjson_mut_val *roles = yyjson_mut_obj_add_arr(doc, repository, "roles");
        for (size_t i = 0; i < o.count[r]; i++)
            put_role(doc, roles, &o.roles[r][i]);
    }
    yyjson_mut_obj_add_bool(doc, root, "unsigned_allowed", o.unsigned_allowed);
    put_drafts(doc, root, "drafts", o.drafts, o.draft_count);
    http_reply_json(c->res, c->arena, 200, doc);
    return CALL_NEXT;
}

/* --- GET /api/trust/releases/{id} ----------------------------------------------------------------------- */

static int show_release(struct call *c)
{
    struct release r;
    struct trust_standing *standings;
    int64_t id;
    int rc = api_param_id(c, 0, &id);
    if (rc == 0)
        rc = ota_catalogue_show(c->db, c->arena, id, NULL, &r, &c->err);
    if (rc == 0)
        rc = ota_trust_standings(c->db, c->arena, &r, &standings, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_obj_add_sint(doc, root, "id", r.pk);
    yyjson_mut_val *models = yyjson_mut_obj_add_arr(doc, root, "models");
    for (size_t i = 0; i < r.model_count; i++) {
        yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, models);
        yyjson_mut_obj_add_str(doc, row, "model", r.models[i]);
        yyjson_mut_obj_add_sint(doc, row, "sequence", standings[i].sequence);
        yyjson_mut_obj_add_bool(doc, row, "signed", standings[i].signed_it);
    }
    yyjson_mut_obj_add_bool(doc, root, "unsigned_allowed",
                            ota_unsigned_release(c->ota, r.models, r.model_count));
    http_reply_json(c->res, c->arena, 200, doc);
    return CALL_NEXT;
}

/* --- POST /api/trust ------------------------------------------------------------------------------------ */

static void free_accept(void *carry)
{
    accept_free(carry);
}

/* With an error, and after the last step: the next upload need not wait for whoever reads the answer. */
static int after_step(struct call *c, int rc, bool last)
{
    if (rc < 0 || last) {
        accept_free(c->carry);
        c->carry = NULL;
    }
    return rc;
}

static int look_signed(struct call *c)
{
    struct trust_accept *t;
    int rc = accept_new(c->ota, &t, &c->err);
    if (rc != 0)
        return rc;
    c->carry = t;
    c->carry_free = free_accept;
    return after_step(c, accept_look(t, c->db, c->req->body, c->who, &c->err), false);
}

static int check_signed(struct call *c)
{
    return after_step(c, accept_check(c->carry, &c->err), false);
}

static int reply_accepted(struct call *c)
{
    const struct metadata *list;
    const struct release *published;
    size_t count, published_count = accept_published(c->carry, &published);
    int rc = accept_documents(c->carry, c->arena, &list, &count, &c->err);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? api_doc(c) : NULL;
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_val *documents = yyjson_mut_obj_add_arr(doc, root, "documents");
    for (size_t i = 0; i < count; i++) {
        char expires[TUF_TIME_SIZE];
        yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, documents);
        tuf_time_write(list[i].expires_at / 1000, expires);
        yyjson_mut_obj_add_str(doc, row, "repository", repository_word(list[i].repository));
        yyjson_mut_obj_add_str(doc, row, "role", list[i].role);
        yyjson_mut_obj_add_sint(doc, row, "version", list[i].version);
        yyjson_mut_obj_add_strcpy(doc, row, "expires", expires);
    }
    put_drafts(doc, root, "published", published, published_count);
    http_reply_json(c->res, c->arena, 200, doc);
    return CALL_NEXT;
}

static int write_signed(struct call *c)
{
    int rc = accept_write(c->carry, c->db, c->who->id, &c->err);
    return after_step(c, rc != 0 ? rc : reply_accepted(c), true);
}

/* --- */

#define WHO_SEES (WHO_DEVICE | WHO_READERS)

static const struct route rows[] = {
    {HTTP_GET, "/tuf/image/{}", WHO_ALL, BODY_NONE, 0, {{LANE_READ, look_image}, {LANE_QUERY, send_file}}},
    {HTTP_GET,
     "/tuf/director/{}",
     WHO_ALL,
     BODY_NONE,
     0,
     {{LANE_READ, look_director}, {LANE_QUERY, send_file}}},
    {HTTP_GET,
     "/tuf/image/targets/{}/{}/{}/{}",
     WHO_SEES,
     BODY_NONE,
     0,
     {{LANE_READ, look_target}, {LANE_FILE, send_target}}},
    {HTTP_GET, "/api/trust", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, show}}},
    {HTTP_GET, "/api/trust/releases/{}", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, show_release}}},
    {HTTP_POST,
     "/api/trust",
     WHO_WRITERS,
     BODY_JSON,
     REQUEST_MAX,
     {{LANE_QUERY, look_signed}, {LANE_SIGN, check_signed}, {LANE_WRITE, write_signed}}},
};

const struct route_table api_trust_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
