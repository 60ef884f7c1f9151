#include "http/lexer.h"

#include <llhttp.h>
#include <stdlib.h>

struct http_lexer {
    llhttp_t p;
    llhttp_settings_t settings;
    http_lex_header *header;
    void *ctx;
    struct str name, value, piece;
    enum http_lex event;
    bool in_head;
};

static struct http_lexer *self(llhttp_t *p)
{
    return p->data;
}

static int pause_with(llhttp_t *p, enum http_lex event)
{
    self(p)->event = event;
    return HPE_PAUSED;
}

/* llhttp may cut one field in several spans; they stand side by side in the one piece that was fed. */
static void extend(struct str *s, const char *at, size_t n)
{
    if (s->p == NULL)
        s->p = at;
    s->n = (size_t)(at + n - s->p);
}

static int on_header_field(llhttp_t *p, const char *at, size_t n)
{
    if (self(p)->in_head)
        extend(&self(p)->name, at, n);
    return 0;
}

static int on_header_value(llhttp_t *p, const char *at, size_t n)
{
    if (self(p)->in_head)
        extend(&self(p)->value, at, n);
    return 0;
}

static int on_header_value_complete(llhttp_t *p)
{
    struct http_lexer *l = self(p);
    if (l->in_head)
        l->header(l->ctx, l->name, str_trim(l->value));
    l->name = l->value = (struct str){.p = NULL, .n = 0};
    return 0;
}

static int on_headers_complete(llhttp_t *p)
{
    self(p)->in_head = false;
    p->upgrade = 0; /* no protocol is ever switched: what follows is HTTP */
    return pause_with(p, HTTP_LEX_HEAD);
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
    if (n == 0)
        return 0;
    self(p)->piece = (struct str){.p = at, .n = n};
    return pause_with(p, HTTP_LEX_BODY);
}

static int on_chunk_header(llhttp_t *p)
{
    return pause_with(p, HTTP_LEX_CHUNK);
}

static int on_chunk_complete(llhttp_t *p)
{
    return pause_with(p, HTTP_LEX_CHUNK_END);
}

static int on_message_complete(llhttp_t *p)
{
    return pause_with(p, HTTP_LEX_END);
}

struct http_lexer *http_lexer_new(http_lex_header *header)
{
    struct http_lexer *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->header = header;
    llhttp_settings_init(&l->settings);
    l->settings.on_header_field = on_header_field;
    l->settings.on_header_value = on_header_value;
    l->settings.on_header_value_complete = on_header_value_complete;
    l->settings.on_headers_complete = on_headers_complete;
    l->settings.on_body = on_body;
    l->settings.on_chunk_header = on_chunk_header;
    l->settings.on_chunk_complete = on_chunk_complete;
    l->settings.on_message_complete = on_message_complete;
    http_lexer_begin(l, NULL);
    return l;
}

void http_lexer_free(struct http_lexer *l)
{
    free(l);
}

void http_lexer_begin(struct http_lexer *l, void *ctx)
{
    /* A fresh start rather than llhttp_reset: after "Connection: close" llhttp would refuse all that follows,
       and whether a request may follow is the connection's decision. */
    llhttp_init(&l->p, HTTP_REQUEST, &l->settings);
    l->p.data = l;
    l->ctx = ctx;
    l->name = l->value = (struct str){.p = NULL, .n = 0};
    l->in_head = true;
}

enum http_lex http_lexer_feed(struct http_lexer *l, const char *data, size_t n, size_t *used,
                              struct str *piece)
{
    llhttp_resume(&l->p);
    const char *from = n > 0 ? data : "";
    switch (llhttp_execute(&l->p, from, n)) {
    case HPE_OK:
        *used = n;
        return HTTP_LEX_MORE;
    case HPE_PAUSED:
        *used = (size_t)(llhttp_get_error_pos(&l->p) - from);
        if (l->event == HTTP_LEX_BODY)
            *piece = l->piece;
        return l->event;
    default:
        *used = 0;
        return HTTP_LEX_BAD;
    }
}

uint64_t http_lexer_chunk_size(const struct http_lexer *l)
{
    return l->p.content_length;
}

enum http_lex_fault http_lexer_fault(const struct http_lexer *l, const char **why)
{
    const char *reason = llhttp_get_error_reason(&l->p);
    *why = reason != NULL ? reason : "malformed";
    switch (llhttp_get_errno(&l->p)) {
    case HPE_INVALID_METHOD:
        return HTTP_FAULT_METHOD;
    case HPE_INVALID_TRANSFER_ENCODING:
        return HTTP_FAULT_CODING;
    default:
        return HTTP_FAULT_SYNTAX;
    }
}
