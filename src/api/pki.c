/* GET /pki/...: what anybody needs to check certificates. */
#include "api/api.h"
#include "api/certificate.h"
#include "api/encode.h"
#include "ota/crl.h"

#define PEM_TYPE "application/x-pem-file"

static int reply_bundle(struct call *c, const char *file)
{
    struct str text;
    int rc = api_read_bundle(c, file, &text);
    if (rc != 0)
        return rc;
    http_reply(c->res, 200, PEM_TYPE, text);
    return CALL_NEXT;
}

static int server_roots(struct call *c)
{
    return reply_bundle(c, c->ota->server_roots_file);
}

static int device_roots(struct call *c)
{
    return reply_bundle(c, c->ota->device_roots_file);
}

static int device_crl(struct call *c)
{
    struct crl_file *f = arena_new(c->arena, struct crl_file);
    if (f == NULL)
        return api_no_memory(c);
    int rc = ota_crl_open(c->ota, f, &c->err);
    if (rc != 0)
        return rc;
    const struct http_file file = {
        .fd = f->fd,
        .size = f->size,
        .etag = f->etag,
        .modified_ms = f->modified_ms,
        .content_type = PEM_TYPE,
        .filename = CRL_FILE,
    };
    http_reply_file(c->req, c->res, c->arena, &file);
    return CALL_NEXT;
}

static const struct route rows[] = {
    {HTTP_GET, "/pki/server-roots.pem", WHO_ALL, BODY_NONE, 0, {{LANE_FILE, server_roots}}},
    {HTTP_GET, "/pki/device-roots.pem", WHO_ALL, BODY_NONE, 0, {{LANE_FILE, device_roots}}},
    {HTTP_GET, "/pki/device.crl", WHO_ALL, BODY_NONE, 0, {{LANE_FILE, device_crl}}},
};
const struct route_table api_pki_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
