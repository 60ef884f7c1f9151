/* POST /api/renew: a device's next certificate. */
#include "api/api.h"
#include "api/certificate.h"
#include "api/encode.h"
#include "ota/renew.h"

#define BODY_MAX 65536

struct renew_call {
    struct renewal renewal;
    struct str roots;
};

static int check(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    const char *csr = NULL;
    struct renew_call *rn = arena_new(c->arena, struct renew_call);
    if (rn == NULL)
        return api_no_memory(c);
    int rc = api_body(c, &body);
    if (rc == 0)
        rc = api_need_pem(c, yyjson_doc_get_root(body), "csr", API_CSR_MAX, &csr);
    if (rc != 0)
        return rc;
    rn->renewal.csr = str_of(csr);
    c->carry = rn;
    return ota_renew_check(&rn->renewal, &c->err);
}

static int look(struct call *c)
{
    struct renew_call *rn = c->carry;
    return ota_renew_look(c->ota, c->db, c->arena, c->who, &rn->renewal, &c->err);
}

static int sign(struct call *c)
{
    struct renew_call *rn = c->carry;
    int rc = api_read_bundle(c, c->ota->server_roots_file, &rn->roots);
    return rc != 0 ? rc : ota_renew_sign(c->ota, c->arena, &rn->renewal, &c->err);
}

static int store(struct call *c)
{
    struct renew_call *rn = c->carry;
    struct renewal *r = &rn->renewal;
    int rc = ota_renew_store(c->ota, c->db, c->arena, c->who, r, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    api_put_issued(doc, yyjson_mut_doc_get_root(doc), r->pem, rn->roots, r->cert.not_after);
    http_reply_json(c->res, c->arena, r->again ? 200 : 201, doc);
    return CALL_NEXT;
}

static const struct route rows[] = {
    {HTTP_POST,
     "/api/renew",
     WHO_DEVICE | WHO_EXPIRED,
     BODY_JSON,
     BODY_MAX,
     {{LANE_SIGN, check}, {LANE_READ, look}, {LANE_SIGN, sign}, {LANE_WRITE, store}}},
};
const struct route_table api_renew_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
