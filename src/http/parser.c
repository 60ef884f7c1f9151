#include "http/parser.h"

#include <stdlib.h>

#include "http/lexer.h"
#include "http/request.h"
#include "http/scan.h"

/* A chunk's size line: 16 hexadecimal digits and room for an extension that nobody reads. */
#define CHUNK_LINE_MAX 256

/* What the next byte belongs to. */
enum phase {
    PHASE_BLANK, /* nothing yet, or the one empty line that may stand before a request */
    PHASE_HEAD,
    PHASE_BODY,  /* as llhttp counts it; nothing when there is no body */
    PHASE_CHUNK, /* a chunk's size line */
    PHASE_TRAILER,
    PHASE_END,
    PHASE_BAD,
};

struct http_parser {
    struct http_limits limits;
    struct http_lexer *lexer;
    struct http_request *req;
    struct arena *arena;
    struct http_scan scan;
    struct buf head; /* a head that comes in pieces, until it is whole */
    size_t head_bytes;
    enum phase phase;
    bool blank_cr, blank_line, too_many;
    int status; /* of PHASE_BAD */
    struct err why;
};

static void take_header(void *ctx, struct str name, struct str value)
{
    struct http_parser *p = ctx;
    if (p->req->header_count == HTTP_HEADERS_MAX)
        p->too_many = true;
    else
        p->req->headers[p->req->header_count++] = (struct http_header){.name = name, .value = value};
}

struct http_parser *http_parser_new(const struct http_limits *limits)
{
    struct http_parser *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->limits = *limits;
    p->phase = PHASE_END;
    buf_init(&p->head, 0);
    p->lexer = http_lexer_new(take_header);
    if (p->lexer == NULL) {
        free(p);
        return NULL;
    }
    return p;
}

void http_parser_set_limits(struct http_parser *p, const struct http_limits *limits)
{
    p->limits = *limits;
}

void http_parser_free(struct http_parser *p)
{
    if (p == NULL)
        return;
    http_lexer_free(p->lexer);
    buf_fini(&p->head);
    free(p);
}

void http_parser_begin(struct http_parser *p, struct http_request *req, struct arena *a)
{
    http_request_init(req);
    p->req = req;
    p->arena = a;
    p->phase = PHASE_BLANK;
    p->blank_cr = p->blank_line = p->too_many = false;
    p->head_bytes = 0;
    buf_release(&p->head);
    p->head.max = p->limits.head_max;
    p->scan = (struct http_scan){
        .kind = HTTP_SCAN_HEAD, .max = p->limits.head_max, .target_max = p->limits.target_max};
    http_lexer_begin(p->lexer, p);
}

void http_parser_end(struct http_parser *p)
{
    buf_release(&p->head);
    p->req = NULL;
    p->arena = NULL;
    p->phase = PHASE_END;
}

bool http_parser_in_request(const struct http_parser *p)
{
    return p->phase != PHASE_BLANK && p->phase != PHASE_END;
}

static enum http_event bad(struct http_parser *p, int *status, struct err *e)
{
    p->phase = PHASE_BAD;
    buf_release(&p->head);
    *status = p->status;
    if (e != NULL)
        *e = p->why;
    return HTTP_BAD;
}

static enum http_event refuse(struct http_parser *p, int *status, struct err *e, int what, int code,
                              const char *why)
{
    p->status = what;
    err_set(&p->why, code, "%s", why);
    return bad(p, status, e);
}

static enum http_event lexer_bad(struct http_parser *p, int *status, struct err *e)
{
    const char *why;
    switch (http_lexer_fault(p->lexer, &why)) {
    case HTTP_FAULT_METHOD:
        return refuse(p, status, e, 501, ERR_UNSUPPORTED, "this server does not know the request's method");
    case HTTP_FAULT_CODING:
        if (http_header_get(p->req, "Content-Length").p != NULL)
            return refuse(p, status, e, 400, ERR_INVALID,
                          "the request has both Content-Length and Transfer-Encoding");
        return refuse(p, status, e, 501, ERR_UNSUPPORTED, "the only Transfer-Encoding served is chunked");
    default:
        p->status = 400;
        err_set(&p->why, ERR_INVALID, "the request is malformed: %s", why);
        return bad(p, status, e);
    }
}

static void scan_next(struct http_parser *p, enum http_scan_kind kind)
{
    bool line = kind == HTTP_SCAN_CHUNK;
    p->scan = (struct http_scan){
        .kind = kind, .max = line ? CHUNK_LINE_MAX : p->limits.head_max, .total = line ? 0 : p->head_bytes};
    p->phase = line ? PHASE_CHUNK : PHASE_TRAILER;
}

/* The whole head, in one piece in the arena. */
static enum http_event head_whole(struct http_parser *p, const char *head, size_t n, int *status,
                                  struct err *e)
{
    struct str text = {.p = head, .n = n};
    p->head_bytes = n;
    const char *cr = memchr(head, '\r', n);
    struct str line = {.p = head, .n = (size_t)(cr - head)}; /* the scan saw a CR LF */
    int minor = 0;
    if (http_request_line(p->req, line, &minor, &p->status, &p->why) != 0)
        return bad(p, status, e);
    size_t used;
    struct str none;
    enum http_lex lex = http_lexer_feed(p->lexer, text.p, text.n, &used, &none);
    if (lex == HTTP_LEX_BAD)
        return lexer_bad(p, status, e);
    if (lex != HTTP_LEX_HEAD || used != n)
        return refuse(p, status, e, 400, ERR_INVALID, "the request's head is malformed");
    if (p->too_many)
        return refuse(p, status, e, 431, ERR_TOO_LARGE,
                      "the request has more header fields than this server takes");
    if (http_request_fields(p->req, minor, &p->status, &p->why) != 0)
        return bad(p, status, e);
    p->phase = PHASE_BODY;
    if (p->req->chunked)
        scan_next(p, HTTP_SCAN_CHUNK);
    return HTTP_HEAD_DONE;
}

static enum http_event parse_head(struct http_parser *p, const char *data, size_t n, size_t *used,
                                  int *status, struct err *e)
{
    enum http_scan_result r = http_scan(&p->scan, data, n, used, &p->status, &p->why);
    if (r == HTTP_SCAN_BAD)
        return bad(p, status, e);
    struct str text = {.p = data, .n = *used};
    if (r == HTTP_SCAN_MORE || p->head.n > 0) {
        if (buf_add(&p->head, text.p, text.n) != 0)
            return refuse(p, status, e, 503, ERR_NOMEM, "there is no memory for the request's head");
        text = buf_str(&p->head);
    }
    if (r == HTTP_SCAN_MORE)
        return HTTP_MORE;
    const char *head = arena_dup_str(p->arena, text);
    size_t head_n = text.n;
    buf_release(&p->head);
    if (head == NULL)
        return refuse(p, status, e, 431, ERR_TOO_LARGE,
                      "the request's head is larger than this server has room for");
    return head_whole(p, head, head_n, status, e);
}

/* RFC 9112 section 2.2: an empty line before the request line is skipped; one is enough. */
static enum http_event parse_blank(struct http_parser *p, const char *data, size_t n, size_t *used,
                                   int *status, struct err *e)
{
    while (*used < n) {
        char c = data[*used];
        if (p->blank_cr && c != '\n')
            return refuse(p, status, e, 400, ERR_INVALID, "a carriage return stands without its line feed");
        if (p->blank_cr) {
            p->blank_cr = false;
            p->blank_line = true;
        } else if (c == '\r' && !p->blank_line) {
            p->blank_cr = true;
        } else {
            p->phase = PHASE_HEAD;
            return HTTP_MORE;
        }
        ++*used;
    }
    return HTTP_MORE;
}

static enum http_event parse_body(struct http_parser *p, const char *data, size_t n, size_t *used,
                                  struct str *piece, int *status, struct err *e)
{
    switch (http_lexer_feed(p->lexer, data, n, used, piece)) {
    case HTTP_LEX_MORE:
        return HTTP_MORE;
    case HTTP_LEX_BODY:
        return HTTP_BODY;
    case HTTP_LEX_CHUNK_END:
        scan_next(p, HTTP_SCAN_CHUNK);
        return HTTP_MORE;
    case HTTP_LEX_END:
        p->phase = PHASE_END;
        return HTTP_END;
    default:
        return lexer_bad(p, status, e);
    }
}

/* A chunk's size line or the trailers: scanned first, then llhttp gets exactly what was scanned, and both
   must agree on where it ends. What llhttp objects to before the byte that the scan does counts first, so
   that the answer does not hang on how the bytes were cut. */
static enum http_event parse_lines(struct http_parser *p, const char *data, size_t n, size_t *used,
                                   int *status, struct err *e)
{
    int scan_status = 0;
    struct err scan_why;
    enum http_scan_result r = http_scan(&p->scan, data, n, used, &scan_status, &scan_why);
    size_t sound = r == HTTP_SCAN_BAD ? *used - 1 : *used;
    enum http_lex ends_in = p->phase == PHASE_CHUNK ? HTTP_LEX_CHUNK : HTTP_LEX_END, lex;
    size_t fed = 0;
    do {
        size_t m = 0;
        struct str none;
        lex = http_lexer_feed(p->lexer, data + fed, sound - fed, &m, &none);
        fed += m;
    } while (lex == HTTP_LEX_CHUNK_END);
    if (lex == HTTP_LEX_BAD)
        return lexer_bad(p, status, e);
    if (fed != sound || lex != (r == HTTP_SCAN_END ? ends_in : HTTP_LEX_MORE))
        return refuse(p, status, e, 400, ERR_INVALID, "the chunked body is malformed");
    if (r == HTTP_SCAN_BAD) {
        p->status = scan_status;
        p->why = scan_why;
        return bad(p, status, e);
    }
    if (lex == HTTP_LEX_END) {
        p->phase = PHASE_END;
        return HTTP_END;
    }
    if (lex == HTTP_LEX_CHUNK && http_lexer_chunk_size(p->lexer) == 0)
        scan_next(p, HTTP_SCAN_TRAILER);
    else if (lex == HTTP_LEX_CHUNK)
        p->phase = PHASE_BODY;
    return HTTP_MORE;
}

enum http_event http_parse(struct http_parser *p, const char *data, size_t n, size_t *used, struct str *piece,
                           int *status, struct err *e)
{
    *used = 0;
    for (;;) {
        size_t m = 0;
        const char *from = n > *used ? data + *used : "";
        size_t rest = n - *used;
        enum phase before = p->phase;
        enum http_event ev;
        switch (p->phase) {
        case PHASE_BLANK:
            ev = parse_blank(p, from, rest, &m, status, e);
            break;
        case PHASE_HEAD:
            ev = parse_head(p, from, rest, &m, status, e);
            break;
        case PHASE_BODY:
            ev = parse_body(p, from, rest, &m, piece, status, e);
            break;
        case PHASE_CHUNK:
        case PHASE_TRAILER:
            ev = parse_lines(p, from, rest, &m, status, e);
            break;
        case PHASE_END:
            return HTTP_END;
        default:
            return bad(p, status, e);
        }
        *used += m;
        if (ev != HTTP_MORE || (*used == n && p->phase == before))
            return ev;
    }
}
