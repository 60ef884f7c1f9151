/*
 * What the parser makes of a byte stream, as text, so that two ways of cutting the stream can be compared.
 * Each piece is fed from a heap block of exactly its size, so that ASan sees a read past it.
 */
#ifndef PQOTA_TEST_TRANSCRIPT_H
#define PQOTA_TEST_TRANSCRIPT_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/parser.h"

struct transcript {
    struct http_parser *parser;
    struct arena arena;
    struct http_request req;
    struct buf out;
    struct buf body;
    bool bad;
};

static inline void transcript_must(int rc)
{
    if (rc != 0)
        abort();
}

static inline void transcript_init(struct transcript *t, const struct http_limits *limits, size_t arena_max)
{
    *t = (struct transcript){.parser = http_parser_new(limits)};
    if (t->parser == NULL)
        abort();
    arena_init(&t->arena, arena_max);
    buf_init(&t->out, 1 << 24);
    buf_init(&t->body, 1 << 24);
    transcript_must(buf_add(&t->out, "", 0));
    http_parser_begin(t->parser, &t->req, &t->arena);
}

static inline void transcript_fini(struct transcript *t)
{
    http_parser_free(t->parser);
    arena_fini(&t->arena);
    buf_fini(&t->out);
    buf_fini(&t->body);
}

static inline void transcript_head(struct transcript *t)
{
    const struct http_request *r = &t->req;
    transcript_must(buf_printf(&t->out, "%d %.*s path=%.*s query=%.*s 1.%d", (int)r->method,
                               STR_ARG(r->method_text), STR_ARG(r->path),
                               r->query.p != NULL ? (int)r->query.n : 1,
                               r->query.p != NULL ? r->query.p : "-", r->minor));
    if (r->has_length)
        transcript_must(buf_printf(&t->out, " length=%llu", (unsigned long long)r->content_length));
    transcript_must(buf_printf(&t->out, "%s%s%s\n", r->chunked ? " chunked" : "",
                               r->expect_continue ? " expect" : "", r->keep_alive ? " keep" : " close"));
    for (size_t i = 0; i < r->header_count; i++)
        transcript_must(
            buf_printf(&t->out, "%.*s=%.*s\n", STR_ARG(r->headers[i].name), STR_ARG(r->headers[i].value)));
}

static inline void transcript_feed(struct transcript *t, const char *data, size_t n)
{
    char *piece_of = malloc(n > 0 ? n : 1);
    if (piece_of == NULL)
        abort();
    memcpy(piece_of, data, n);
    size_t at = 0;
    for (bool more = true; more && !t->bad;) {
        size_t used = 0;
        struct str piece = {.p = NULL, .n = 0};
        int status = 0;
        struct err e = {0};
        enum http_event ev = http_parse(t->parser, piece_of + at, n - at, &used, &piece, &status, &e);
        if (used > n - at)
            abort();
        at += used;
        switch (ev) {
        case HTTP_MORE:
            if (at != n)
                abort();
            more = false;
            break;
        case HTTP_HEAD_DONE:
            transcript_head(t);
            break;
        case HTTP_BODY:
            if (piece.n == 0 || piece.p < piece_of || piece.p + piece.n > piece_of + n)
                abort();
            transcript_must(buf_add_str(&t->body, piece));
            break;
        case HTTP_END:
            transcript_must(buf_add(&t->out, "[", 1));
            transcript_must(buf_add_str(&t->out, buf_str(&t->body)));
            transcript_must(buf_add(&t->out, "]\n", 2));
            buf_clear(&t->body);
            arena_reset(&t->arena);
            if (http_parser_in_request(t->parser))
                abort();
            http_parser_begin(t->parser, &t->req, &t->arena);
            more = at < n;
            break;
        case HTTP_BAD:
            if (status < 400 || e.text[0] == '\0')
                abort();
            transcript_must(buf_printf(&t->out, "bad %d\n", status));
            t->bad = true;
            break;
        }
    }
    free(piece_of);
}

/* A stream that ends inside a request says so. */
static inline void transcript_end(struct transcript *t)
{
    if (!t->bad && http_parser_in_request(t->parser))
        transcript_must(buf_printf(&t->out, "open %zu\n", t->body.n));
}

#endif
