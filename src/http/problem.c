#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "http/message.h"

static int status_of(int code)
{
    static const struct {
        int code, status;
    } map[] = {
        {ERR_INVALID, 400},   {ERR_UNAUTHENTICATED, 401}, {ERR_DENIED, 403},
        {ERR_NOT_FOUND, 404}, {ERR_CONFLICT, 409},        {ERR_GONE, 410},
        {ERR_TOO_LARGE, 413}, {ERR_UNSUPPORTED, 415},     {ERR_MISMATCH, 422},
        {ERR_BUSY, 503},      {ERR_TIMEOUT, 503},         {ERR_FULL, 507},
    };
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
        if (map[i].code == code)
            return map[i].status;
    return 500;
}

/* Sentences of the server's own trouble name paths and libraries: they are for its log. */
static const char *told(int status, const struct err *e)
{
    switch (status) {
    case 500:
        return "Something went wrong on the server; its log says what.";
    case 503:
        return "The server has too much to do at the moment; try again shortly.";
    case 507:
        return "The server's disk is full; its operator must make room.";
    default:
        return e->text;
    }
}

/* An error is no version of the thing asked for: what describes that thing goes. Allow, Retry-After and the
   like stay. */
static void drop_representation(struct http_response *r)
{
    static const char *const names[] = {
        "ETag",          "Last-Modified", "Accept-Ranges", "Content-Disposition",
        "Content-Range", "Cache-Control", "Location"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        http_unset(r, names[i]);
}

static void problem(struct http_response *r, struct arena *a, int status, const char *type,
                    const char *detail)
{
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    /* Bytes that are no UTF-8 cannot be told in JSON. */
    if (detail == NULL || !str_is_text(str_of(detail)))
        detail = http_status_text(status);
    if (root == NULL || !yyjson_mut_obj_add_str(doc, root, "type", type) ||
        !yyjson_mut_obj_add_str(doc, root, "title", http_status_text(status)) ||
        !yyjson_mut_obj_add_int(doc, root, "status", status) ||
        !yyjson_mut_obj_add_str(doc, root, "detail", detail)) {
        http_reply_no_memory(r);
        return;
    }
    http_reply_json(r, a, status, doc);
    if (r->status == status)
        http_set(r, "Content-Type", "application/problem+json");
}

static void problem_body(struct http_response *r, struct arena *a, int status, const struct err *e)
{
    char type[64];
    snprintf(type, sizeof type, "about:blank#%s", err_word(e->code));
    problem(r, a, status, e->code != 0 ? type : "about:blank", e->text);
}

void http_reply_error(struct http_response *r, struct arena *a, int status, const struct err *e,
                      http_error_body *write)
{
    if (status == 0)
        status = status_of(e->code);
    if (status >= 500 && e->code != 0)
        log_at(status == 503 ? LOG_WARN : LOG_ERROR, "http", "a request failed", LOG_I64("status", status),
               LOG_STR("code", err_word(e->code)), LOG_ERR(e));
    if (e->code == ERR_BUSY)
        http_set(r, "Retry-After", "1");
    drop_representation(r);
    struct err public = {.code = e->code};
    snprintf(public.text, sizeof public.text, "%s", told(status, e));
    (write != NULL ? write : problem_body)(r, a, status, &public);
}

void http_reply_problem(struct http_response *r, struct arena *a, const struct err *e)
{
    http_reply_error(r, a, 0, e, NULL);
}

void http_reply_problem_status(struct http_response *r, struct arena *a, int status, const char *detail)
{
    drop_representation(r);
    problem(r, a, status, "about:blank", detail);
}
