/*
 * llhttp in strict mode behind an interface of its own: its header defines HTTP_GET and other names that
 * are ours too. It pauses at every event, so that the caller pulls.
 */
#ifndef PQOTA_HTTP_LEXER_H
#define PQOTA_HTTP_LEXER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum http_lex {
    HTTP_LEX_MORE,
    HTTP_LEX_HEAD,      /* the head is over */
    HTTP_LEX_BODY,      /* *piece is a view into what was fed */
    HTTP_LEX_CHUNK,     /* a chunk's size line is over */
    HTTP_LEX_CHUNK_END, /* a chunk is over */
    HTTP_LEX_END,       /* the message is over */
    HTTP_LEX_BAD,       /* see http_lexer_fault */
};

enum http_lex_fault { HTTP_FAULT_SYNTAX, HTTP_FAULT_METHOD, HTTP_FAULT_CODING };

/* One header field of the head, whole; trailers are not told. The views are into what was fed. */
typedef void http_lex_header(void *ctx, struct str name, struct str value);

struct http_lexer;

struct http_lexer *http_lexer_new(http_lex_header *header); /* NULL: no memory */
void http_lexer_free(struct http_lexer *l);
void http_lexer_begin(struct http_lexer *l, void *ctx);
/* The head must be fed in one piece, so that a field is one view; what follows may come in any pieces. */
enum http_lex http_lexer_feed(struct http_lexer *l, const char *data, size_t n, size_t *used,
                              struct str *piece);
uint64_t http_lexer_chunk_size(const struct http_lexer *l); /* after HTTP_LEX_CHUNK */
enum http_lex_fault http_lexer_fault(const struct http_lexer *l, const char **why);

#endif
