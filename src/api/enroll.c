/* POST /api/enroll: a token and a request for a certificate. */
#include "api/api.h"
#include "api/certificate.h"
#include "api/encode.h"
#include "model/device.h"
#include "ota/enrol.h"

#define BODY_MAX 65536

struct enrol_call {
    struct enrolment en;
    struct str roots;
};

static int look(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    const char *token = NULL, *csr = NULL;
    struct enrol_call *ec = arena_new(c->arena, struct enrol_call);
    if (ec == NULL)
        return api_no_memory(c);
    int rc = api_body(c, &body);
    yyjson_val *root = rc == 0 ? yyjson_doc_get_root(body) : NULL;
    if (rc == 0)
        rc = api_need_text(c, root, "token", 256, &token);
    if (rc == 0)
        rc = api_need_pem(c, root, "csr", API_CSR_MAX, &csr);
    if (rc == 0)
        rc = api_get_text(c, root, "id", DEVICE_ID_MAX - 1, &ec->en.proposed_id);
    if (rc != 0)
        return rc;
    ec->en.token = str_of(token);
    ec->en.csr = str_of(csr);
    c->carry = ec;
    return ota_enrol_look(c->db, c->arena, &ec->en, &c->err);
}

static int check(struct call *c)
{
    struct enrol_call *ec = c->carry;
    return ota_enrol_check(&ec->en, &c->err);
}

static int reserve(struct call *c)
{
    struct enrol_call *ec = c->carry;
    return ota_enrol_reserve(c->ota, c->db, c->arena, &ec->en, &c->err);
}

static int sign(struct call *c)
{
    struct enrol_call *ec = c->carry;
    int rc = api_read_bundle(c, c->ota->server_roots_file, &ec->roots);
    return rc != 0 ? rc : ota_enrol_sign(c->ota, c->arena, &ec->en, &c->err);
}

static int store(struct call *c)
{
    struct enrol_call *ec = c->carry;
    struct enrolment *en = &ec->en;
    int rc = ota_enrol_store(c->ota, c->db, c->arena, en, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    api_put_text(doc, root, "id", en->id);
    api_put_text(doc, root, "model", en->model);
    api_put_issued(doc, root, en->pem, ec->roots, en->cert.not_after);
    http_reply_json(c->res, c->arena, en->again ? 200 : 201, doc);
    return CALL_NEXT;
}

static const struct route rows[] = {
    {HTTP_POST,
     "/api/enroll",
     WHO_ALL,
     BODY_JSON,
     BODY_MAX,
     {{LANE_READ, look}, {LANE_SIGN, check}, {LANE_WRITE, reserve}, {LANE_SIGN, sign}, {LANE_WRITE, store}}},
};
const struct route_table api_enroll_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
