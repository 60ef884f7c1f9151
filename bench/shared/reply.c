#include "shared/reply.h"

static int on_head(llhttp_t *parser)
{
    struct reply *r = parser->data;
    r->status = llhttp_get_status_code(parser);
    r->length = (parser->flags & F_CONTENT_LENGTH) != 0 ? parser->content_length : 0;
    return r->head ? 1 : 0; /* 1: no body follows */
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct reply *r = parser->data;
    r->body += n;
    if (r->sink == NULL || r->sink(r, at, n))
        return 0;
    llhttp_set_error_reason(parser, "its body is refused");
    return HPE_USER;
}

static int on_complete(llhttp_t *parser)
{
    struct reply *r = parser->data;
    r->complete = true;
    r->keep_alive = llhttp_should_keep_alive(parser) == 1;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_head, .on_body = on_body, .on_message_complete = on_complete};

void reply_begin(struct reply *r)
{
    *r = (struct reply){0};
    llhttp_init(&r->parser, HTTP_RESPONSE, &settings);
    r->parser.data = r;
}

int reply_feed(struct reply *r, const char *p, size_t n, struct err *e)
{
    if (r->complete)
        return err_set(e, ERR_INVALID, "%zu bytes came that nobody asked for", n);
    llhttp_errno_t rc = llhttp_execute(&r->parser, p, n);
    if (rc == HPE_OK)
        return 0;
    if (rc != HPE_PAUSED)
        return err_set(e, ERR_INVALID, "the response is no HTTP: %s", llhttp_get_error_reason(&r->parser));
    const char *end = llhttp_get_error_pos(&r->parser);
    if (end != NULL && end < p + n)
        return err_set(e, ERR_INVALID, "%zu bytes came after the response", (size_t)(p + n - end));
    return 0;
}

int reply_end(struct reply *r, struct err *e)
{
    llhttp_errno_t rc = llhttp_finish(&r->parser);
    if (r->complete)
        return 0;
    return err_set(e, ERR_IO, "the server closed before the response was complete%s%s",
                   rc == HPE_OK ? "" : ": ", rc == HPE_OK ? "" : llhttp_get_error_reason(&r->parser));
}
