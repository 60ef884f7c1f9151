#include "http/message.h"

#include <assert.h>
#include <unistd.h>

#include "base/json.h"

static const char problem_text[] =
    "{\"type\":\"about:blank#no-memory\",\"title\":\"Internal Server Error\",\"status\":500,"
    "\"detail\":\"The answer needs more memory than one request may use.\"}";

struct str http_header_get(const struct http_request *r, const char *name)
{
    struct str wanted = str_of(name);
    for (size_t i = 0; i < r->header_count; i++)
        if (str_eq_nocase(r->headers[i].name, wanted))
            return r->headers[i].value;
    return (struct str){.p = NULL, .n = 0};
}

void http_request_init(struct http_request *r)
{
    const struct str none = {.p = NULL, .n = 0};
    r->method = HTTP_OTHER;
    r->method_text = r->target = r->path = r->query = r->body = none;
    r->header_count = 0;
    r->content_length = 0;
    r->minor = 0;
    r->has_length = r->chunked = r->expect_continue = r->keep_alive = false;
}

void http_response_init(struct http_response *r)
{
    r->status = 500;
    r->header_count = r->part_count = 0;
    r->file = -1;
    r->file_done = NULL;
    r->close = r->stream = false;
}

static void drop_body(struct http_response *r)
{
    if (r->file >= 0 && r->file_done != NULL)
        r->file_done(r->file_owner, r->file);
    else if (r->file >= 0)
        close(r->file);
    r->file = -1;
    r->part_count = 0;
}

void http_response_fini(struct http_response *r)
{
    drop_body(r);
}

void http_set(struct http_response *r, const char *name, const char *value)
{
    struct http_header h = {.name = str_of(name), .value = str_of(value)};
    for (size_t i = 0; i < r->header_count; i++)
        if (str_eq_nocase(r->headers[i].name, h.name)) {
            r->headers[i] = h;
            return;
        }
    assert(r->header_count < HTTP_HEADERS_MAX);
    if (r->header_count < HTTP_HEADERS_MAX)
        r->headers[r->header_count++] = h;
}

void http_unset(struct http_response *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (str_eq_nocase(r->headers[i].name, str_of(name))) {
            r->headers[i] = r->headers[--r->header_count];
            return;
        }
}

void http_reply(struct http_response *r, int status, const char *content_type, struct str body)
{
    drop_body(r);
    r->status = status;
    http_set(r, "Content-Type", content_type);
    if (body.n > 0)
        r->parts[r->part_count++] =
            (struct http_part){.kind = HTTP_PART_BYTES, .bytes = body, .length = body.n};
}

void http_reply_json(struct http_response *r, struct arena *a, int status, yyjson_mut_doc *doc)
{
    struct str text = json_write(doc, a);
    if (text.p == NULL)
        http_reply_no_memory(r);
    else
        http_reply(r, status, "application/json", text);
}

void http_reply_empty(struct http_response *r, int status)
{
    drop_body(r);
    http_unset(r, "Content-Type");
    r->status = status;
}

void http_reply_no_memory(struct http_response *r)
{
    http_reply(r, 500, "application/problem+json", STR(problem_text));
}

uint64_t http_body_length(const struct http_response *r)
{
    uint64_t n = 0;
    for (size_t i = 0; i < r->part_count; i++)
        n += r->parts[i].length;
    return n;
}
