/* GET /healthz: the process answers. GET /readyz: it can do its work. */
#include "server/server.h"

#define DISK_LEAST (64 << 20) /* bytes free below which uploads and commits are about to fail */
#define FAILURE_MS 30000      /* a failed commit counts this long */

static int healthz(struct call *c)
{
    http_reply(c->res, 200, "text/plain", STR("ok\n"));
    http_set(c->res, "Cache-Control", "no-store");
    return CALL_NEXT;
}

static int readyz(struct call *c)
{
    struct server *s = c->server;
    struct store_health h;
    store_health(s->store, &h);
    int64_t now = clock_unix_ms(s->clock);
    http_set(c->res, "Cache-Control", "no-store");
    if (s->drain_until_ms != 0)
        return err_set(&c->err, ERR_BUSY, "the server is stopping");
    if (h.disk_free_bytes < DISK_LEAST)
        return err_set(&c->err, ERR_FULL, "less than 64 MiB are free on the disk of the data folder");
    if (h.last_failure_ms != 0 && now - h.last_failure_ms < FAILURE_MS)
        return err_set(&c->err, ERR_BUSY,
                       "a commit to the database failed less than 30 s ago; the log says why");
    http_reply(c->res, 200, "text/plain", STR("ready\n"));
    return CALL_NEXT;
}

static const struct route rows[] = {
    {HTTP_GET, "/healthz", WHO_ANYONE | WHO_LOCAL, BODY_NONE, 0, {{LANE_READ, healthz}}},
    {HTTP_GET, "/readyz", WHO_ANYONE | WHO_LOCAL, BODY_NONE, 0, {{LANE_FILE, readyz}}}, /* asks the disk */
};

const struct route_table server_health_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
