/* GET /openapi.json: what this interface is. */
#include "api/openapi.h"

#include "api/api.h"
#include "http/condition.h"
#include "ota/ota.h"

static int openapi(struct call *c)
{
    http_set(c->res, "ETag", openapi_etag);
    switch (http_condition_check(c->req, str_of(openapi_etag), c->ota->started_ms / 1000)) {
    case HTTP_COND_NOT_MODIFIED:
        http_reply_empty(c->res, 304);
        return 0;
    case HTTP_COND_FAILED:
        http_reply_problem_status(c->res, c->arena, 412, "the description of the interface is not that one");
        return 0;
    case HTTP_COND_PROCEED:
        break;
    }
    http_reply(c->res, 200, "application/json",
               (struct str){.p = (const char *)openapi_json, .n = openapi_size});
    return 0;
}

static const struct route rows[] = {
    {HTTP_GET, "/openapi.json", WHO_ALL, BODY_NONE, 0, {{LANE_READ, openapi}}},
};

const struct route_table api_openapi_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
