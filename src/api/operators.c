/* /api/operators: who may work with this server. */
#include "api/api.h"
#include "api/certificate.h"
#include "api/encode.h"
#include "ota/operators.h"

#define CHAIN_MAX 65536       /* bytes of PEM */
#define OPERATORS_PER_PAGE 50 /* each with its certificates */

static void put_operator(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct operator_account *o)
{
    api_put_text(doc, obj, "name", o->name);
    api_put_text(doc, obj, "role", o->role);
    api_put_time(doc, obj, "created", o->created_at);
    api_put_time(doc, obj, "revoked", o->revoked_at);
    api_put_certificates(doc, obj, o->certificates, o->certificate_count);
}

static int check(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    const char *pem = NULL;
    struct registration *r = arena_new(c->arena, struct registration);
    if (r == NULL)
        return api_no_memory(c);
    int rc = api_body(c, &body);
    yyjson_val *root = rc == 0 ? yyjson_doc_get_root(body) : NULL;
    if (rc == 0)
        rc = api_need_text(c, root, "name", 128, &r->name);
    if (rc == 0)
        rc = api_need_text(c, root, "role", 32, &r->role);
    if (rc == 0)
        rc = api_need_pem(c, root, "certificate", CHAIN_MAX, &pem);
    if (rc != 0)
        return rc;
    r->pem = str_of(pem);
    c->carry = r;
    return ota_operator_check(c->ota, r, &c->err);
}

static int enter(struct call *c)
{
    return ota_operator_register(c->ota, c->db, c->arena, c->who, c->carry, &c->err);
}

static int admit(struct call *c)
{
    struct registration *r = c->carry;
    int rc = ota_operator_admit(c->ota, r, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    put_operator(doc, yyjson_mut_doc_get_root(doc), &r->account);
    http_reply_json(c->res, c->arena, 201, doc);
    return CALL_NEXT;
}

static int list(struct call *c)
{
    const char *after = NULL;
    struct operator_account *operators = NULL;
    size_t count = 0, limit = 0;
    int rc = api_query_limit(c, &limit);
    if (rc == 0)
        rc = api_query_text(c, "after", str_is_name, &after);
    if (limit > OPERATORS_PER_PAGE)
        limit = OPERATORS_PER_PAGE;
    if (rc == 0)
        rc = ota_operator_list(c->db, c->arena, after, limit + 1, &operators, &count, &c->err);
    if (rc != 0)
        return rc;
    bool more = api_list_cut(&count, limit);
    struct api_list l;
    rc = api_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        put_operator(l.doc, api_list_add(&l), &operators[i]);
    api_list_end(c, &l, more ? operators[count - 1].name : NULL);
    return CALL_NEXT;
}

static int revoke(struct call *c)
{
    const char *name = NULL;
    int rc = api_param_text(c, 0, str_is_name, &name);
    if (rc == 0)
        rc = ota_operator_revoke(c->ota, c->db, c->arena, c->who, name, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

static const struct route rows[] = {
    {HTTP_POST,
     "/api/operators",
     WHO_ADMIN,
     BODY_JSON,
     2 * CHAIN_MAX,
     {{LANE_SIGN, check}, {LANE_WRITE, enter}, {LANE_READ, admit}}},
    {HTTP_GET, "/api/operators", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list}}},
    {HTTP_POST, "/api/operators/{}/revoke", WHO_ADMIN, BODY_JSON, 4096, {{LANE_WRITE, revoke}}},
};
const struct route_table api_operators_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
