/* PUT /api/firmware/{name}/{version}/{filename}: one file becomes a published firmware. */
#include "api/api.h"
#include "api/digest.h"
#include "api/firmware_json.h"
#include "ota/publish.h"

static int read_query(struct call *c, const char *name, struct str *out)
{
    struct str s;
    int rc = http_query_get(c->req, name, c->arena, &s, &c->err);
    if (rc == 0)
        *out = s.n > 0 ? s : (struct str){.p = NULL, .n = 0};
    return rc;
}

/* The body must be the file itself, whole (RFC 9110 sections 8.4 and 14.5). */
static int check_headers(struct call *c)
{
    struct str coding = http_header_get(c->req, "Content-Encoding");
    if (http_header_get(c->req, "Content-Range").p != NULL)
        return err_set(&c->err, ERR_INVALID, "Content-Range: a file is published whole or not at all");
    if (coding.n > 0 && !str_eq_nocase(coding, STR("identity")))
        return err_set(&c->err, ERR_UNSUPPORTED,
                       "Content-Encoding: send the file's own bytes, without a coding");
    return 0;
}

/* What the head says stays with the request: only the file itself is looked at after it. */
static int early(struct call *c)
{
    struct publish *p = arena_new(c->arena, struct publish);
    if (p == NULL)
        return api_no_memory(c);
    *p = (struct publish){.name = c->param[0], .version = c->param[1], .filename = c->param[2]};
    int rc = check_headers(c);
    if (rc == 0)
        rc = read_query(c, "model", &p->models);
    if (rc == 0)
        rc = read_query(c, "notes", &p->notes);
    if (rc == 0)
        rc = read_query(c, "type", &p->type);
    if (rc == 0)
        rc = ota_publish_early(c->db, c->arena, p, &c->err);
    c->carry = p;
    return rc;
}

static int keep(struct call *c)
{
    struct publish *p = c->carry;
    p->sha256 = c->spool->sha256;
    p->sha1 = c->spool->sha1;
    p->md5 = c->spool->md5;
    p->size = c->spool->size > INT64_MAX ? 0 : (int64_t)c->spool->size;
    int rc = digest_check(c->req, c->arena, p->sha256, &c->err);
    if (rc == 0)
        rc = ota_publish_keep(c->ota, c->arena, p, c->spool->path, &c->err);
    return rc;
}

static int publish(struct call *c)
{
    struct release r;
    bool made;
    int rc = ota_publish(c->ota, c->db, c->arena, c->who->id, c->carry, &r, &made, &c->err);
    if (rc != 0)
        return rc;
    const char *location = arena_printf(c->arena, "/api/firmware/%lld", (long long)r.pk);
    if (location == NULL)
        return api_no_memory(c);
    http_set(c->res, "Location", location);
    return firmware_reply(c, made ? 201 : 200, &r);
}

static const struct route rows[] = {
    {HTTP_PUT,
     "/api/firmware/{}/{}/{}",
     WHO_WRITERS,
     BODY_SPOOL,
     0,
     {{LANE_HEAD, early}, {LANE_FILE, keep}, {LANE_WRITE, publish}}},
};

const struct route_table api_upload_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
