/* The console's pages: files in the program's memory. */
#include <stdio.h>
#include <string.h>

#include "http/condition.h"
#include "server/console.h"
#include "server/web.h"

#define NAME_MAX_BYTES 128

static const struct web_file *find(const char *name)
{
    for (size_t i = 0; i < web_file_count; i++)
        if (strcmp(web_files[i].name, name) == 0)
            return &web_files[i];
    return NULL;
}

/* RFC 9110 section 12.5.3, as far as browsers and curl go: gzip is named and not refused. */
static bool takes_gzip(const struct http_request *req)
{
    struct str rest = http_header_get(req, "accept-encoding"), one;
    while (str_split(&rest, ',', &one)) {
        struct str coding;
        if (!str_split(&one, ';', &coding) || !str_eq_nocase(str_trim(coding), STR("gzip")))
            continue;
        struct str weight = str_trim(one);
        return !str_is(weight, "q=0") && !str_is(weight, "q=0.0") && !str_is(weight, "q=0.00") &&
               !str_is(weight, "q=0.000");
    }
    return false;
}

static int send_page(struct call *c, const char *name)
{
    const struct web_file *f = find(name);
    if (f == NULL)
        return err_set(&c->err, ERR_NOT_FOUND, "the console has no such page");
    bool packed = takes_gzip(c->req);
    const char *etag = packed ? f->packed_etag : f->etag;
    http_set(c->res, "ETag", etag);
    http_set(c->res, "Vary", "Accept-Encoding");
    http_set(c->res, "Cache-Control",
             "no-cache"); /* kept, and asked for again: another version is seen at once */
    if (http_condition_check(c->req, str_of(etag), HTTP_NO_DATE) == HTTP_COND_NOT_MODIFIED) {
        http_reply_empty(c->res, 304);
        return CALL_NEXT;
    }
    if (packed)
        http_set(c->res, "Content-Encoding", "gzip");
    const struct str body = {.p = (const char *)(packed ? f->packed : f->whole),
                             .n = packed ? f->packed_size : f->whole_size};
    http_reply(c->res, 200, f->type, body);
    return CALL_NEXT;
}

static int front_page(struct call *c)
{
    return send_page(c, "index.html");
}

static int send_in(struct call *c, const char *folder)
{
    char name[NAME_MAX_BYTES];
    int n = snprintf(name, sizeof name, "%s" STR_FMT, folder, STR_ARG(c->param[0]));
    return send_page(c, n > 0 && (size_t)n < sizeof name ? name : "");
}

static int send_top(struct call *c)
{
    return send_in(c, "");
}

static int send_view(struct call *c)
{
    return send_in(c, "views/");
}

static int send_strings(struct call *c)
{
    return send_in(c, "strings/");
}

#define WHO_EVER (WHO_ANYONE | WHO_READERS)

static const struct route rows[] = {
    {HTTP_GET, "/", WHO_EVER, BODY_NONE, 0, {{LANE_READ, front_page}}},
    {HTTP_GET, "/{}", WHO_EVER, BODY_NONE, 0, {{LANE_READ, send_top}}},
    {HTTP_GET, "/views/{}", WHO_EVER, BODY_NONE, 0, {{LANE_READ, send_view}}},
    {HTTP_GET, "/strings/{}", WHO_EVER, BODY_NONE, 0, {{LANE_READ, send_strings}}},
};

const struct route_table console_page_routes = {
    .rows = rows, .count = sizeof rows / sizeof rows[0], .face = FACE_CONSOLE};
