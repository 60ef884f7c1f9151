#include "http/multipart.h"

#include "http/multipart_head.h"

enum state {
    BEFORE,      /* the first boundary */
    BOUNDARY,    /* the byte behind one: CR, or a dash where it is the last */
    BOUNDARY_CR, /* the LF that ends its line */
    BOUNDARY_DASH,
    HEAD,
    CONTENT,
    LAST, /* the byte behind the last boundary's dashes, if there is one */
    LAST_CR,
    AFTER,
    BROKEN,
};

int multipart_init(struct multipart *m, struct str boundary, struct err *e)
{
    if (!multipart_is_boundary(boundary))
        return err_set(e, ERR_INVALID, "that is no boundary of multipart/form-data");
    /* A body begins as if a line had just ended: the first boundary may be its first bytes. */
    *m = (struct multipart){.state = BEFORE, .delimiter_n = 4 + boundary.n, .matched = 2, .hidden = 2};
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.p, boundary.n);
    return 0;
}

static enum multipart_event bad(struct multipart *m, struct err *e, int code, const char *why)
{
    m->state = BROKEN;
    err_set(e, code, "multipart/form-data: %s", why);
    return MULTIPART_BAD;
}

static void cut(struct str *s, size_t n)
{
    s->p += n;
    s->n -= n;
}

/* How many bytes at the beginning of s are no delimiter and no beginning of one that goes on behind s. A
   boundary has no CR, so that one is looked for only at a CR. */
static size_t plain_bytes(const struct multipart *m, struct str s)
{
    for (size_t at = 0; at < s.n; at++) {
        const char *cr = memchr(s.p + at, '\r', s.n - at);
        if (cr == NULL)
            return s.n;
        at = (size_t)(cr - s.p);
        size_t left = s.n - at;
        if (memcmp(cr, m->delimiter, left < m->delimiter_n ? left : m->delimiter_n) == 0)
            return at;
    }
    return s.n;
}

enum scan { SCAN_MORE, SCAN_PIECE, SCAN_DELIMITER };

/* Content up to the next delimiter. What looked like one in what was fed before is told from m->delimiter. */
static enum scan scan(struct multipart *m, struct str *fed, struct str *piece)
{
    while (fed->n > 0) {
        if (m->matched == 0) {
            size_t n = plain_bytes(m, *fed);
            if (n > 0) {
                *piece = (struct str){.p = fed->p, .n = n};
                cut(fed, n);
                return SCAN_PIECE;
            }
        }
        while (fed->n > 0 && m->matched < m->delimiter_n && fed->p[0] == m->delimiter[m->matched]) {
            m->matched++;
            cut(fed, 1);
        }
        if (m->matched == m->delimiter_n) {
            m->matched = m->hidden = 0;
            return SCAN_DELIMITER;
        }
        if (fed->n == 0)
            return SCAN_MORE;
        *piece = (struct str){.p = m->delimiter + m->hidden, .n = m->matched - m->hidden};
        m->matched = m->hidden = 0;
        if (piece->n > 0)
            return SCAN_PIECE;
    }
    return SCAN_MORE;
}

static enum multipart_event skip_before(struct multipart *m, struct str *fed, struct err *e)
{
    struct str piece;
    switch (scan(m, fed, &piece)) {
    case SCAN_DELIMITER:
        m->state = BOUNDARY;
        break;
    case SCAN_PIECE:
        m->around += piece.n;
        if (m->around > MULTIPART_AROUND_MAX)
            return bad(m, e, ERR_INVALID,
                       "the body does not begin with the boundary that its Content-Type names");
        break;
    case SCAN_MORE:
        break;
    }
    return MULTIPART_MORE;
}

/* A boundary's line is over: so is the part before it. */
static enum multipart_event end_part(struct multipart *m, enum state next)
{
    bool within = m->parts > 0;
    m->state = (int)next;
    if (next == HEAD) {
        m->parts++;
        m->head_n = 0;
    } else {
        m->around = 0;
    }
    return within ? MULTIPART_PART_END : MULTIPART_MORE;
}

/* One byte of a boundary's line behind the boundary, or of what stands behind the last. */
static enum multipart_event boundary_byte(struct multipart *m, char c, struct err *e)
{
    if (m->state == BOUNDARY && (c == '\r' || c == '-')) {
        m->state = c == '-' ? BOUNDARY_DASH : BOUNDARY_CR;
    } else if (m->state == BOUNDARY_DASH && c == '-') {
        if (m->parts == 0)
            return bad(m, e, ERR_INVALID, "the body has no part");
        return end_part(m, LAST);
    } else if (m->state == BOUNDARY_CR && c == '\n') {
        if (m->parts == MULTIPART_PARTS_MAX)
            return bad(m, e, ERR_TOO_LARGE, "the body has more than 16 parts");
        return end_part(m, HEAD);
    } else if (m->state == LAST && c == '\r') {
        m->state = LAST_CR;
    } else if (m->state == LAST_CR && c == '\n') {
        m->state = AFTER;
    } else if (m->state == LAST || m->state == LAST_CR) {
        return bad(m, e, ERR_INVALID, "something stands on the line of the last boundary");
    } else {
        return bad(m, e, ERR_INVALID,
                   "a line begins with the boundary and goes on: it ends in CRLF, or in two dashes");
    }
    return MULTIPART_MORE;
}

static enum multipart_event head_byte(struct multipart *m, char c, struct err *e)
{
    if (m->head_n == MULTIPART_HEAD_MAX)
        return bad(m, e, ERR_TOO_LARGE, "a part's head has more than 4096 bytes");
    m->head[m->head_n++] = c;
    const char *end = m->head + m->head_n;
    bool over = (m->head_n == 2 && memcmp(end - 2, "\r\n", 2) == 0) ||
                (m->head_n >= 4 && memcmp(end - 4, "\r\n\r\n", 4) == 0);
    if (!over)
        return MULTIPART_MORE;
    int rc = multipart_read_head(m->head, m->head_n, &m->part, e);
    if (rc != 0) {
        m->state = BROKEN;
        err_context(e, "multipart/form-data: part %d", m->parts);
        return MULTIPART_BAD;
    }
    m->state = CONTENT;
    /* The CRLF of the empty line may be the delimiter's: a part without content (RFC 2046 section 5.1.1). */
    m->matched = m->hidden = 2;
    return MULTIPART_PART;
}

static enum multipart_event skip_after(struct multipart *m, struct str *fed, struct err *e)
{
    m->around += fed->n;
    cut(fed, fed->n);
    if (m->around > MULTIPART_AROUND_MAX)
        return bad(m, e, ERR_TOO_LARGE, "more than 1024 bytes stand behind the last boundary");
    return MULTIPART_MORE;
}

static enum multipart_event content(struct multipart *m, struct str *fed, struct str *piece)
{
    switch (scan(m, fed, piece)) {
    case SCAN_PIECE:
        return MULTIPART_DATA;
    case SCAN_DELIMITER:
        m->state = BOUNDARY;
        break;
    case SCAN_MORE:
        break;
    }
    return MULTIPART_MORE;
}

static enum multipart_event one_byte(struct multipart *m, struct str *fed, struct err *e)
{
    char c = fed->p[0];
    cut(fed, 1);
    return m->state == HEAD ? head_byte(m, c, e) : boundary_byte(m, c, e);
}

enum multipart_event multipart_next(struct multipart *m, struct str *fed, struct str *piece, struct err *e)
{
    enum multipart_event event = MULTIPART_MORE;
    if (m->state == BROKEN)
        return bad(m, e, ERR_INVALID, "the body was malformed before");
    while (fed->n > 0 && event == MULTIPART_MORE) {
        if (m->state == BEFORE)
            event = skip_before(m, fed, e);
        else if (m->state == CONTENT)
            event = content(m, fed, piece);
        else if (m->state == AFTER)
            event = skip_after(m, fed, e);
        else
            event = one_byte(m, fed, e);
    }
    return event;
}

int multipart_end(const struct multipart *m, struct err *e)
{
    if (m->state == LAST || m->state == AFTER)
        return 0;
    if (m->state == BROKEN)
        return err_set(e, ERR_INVALID, "multipart/form-data: the body was malformed before");
    if (m->state == BEFORE)
        return err_set(e, ERR_INVALID,
                       "multipart/form-data: the body has no boundary as its Content-Type names it");
    return err_set(e, ERR_INVALID, "multipart/form-data: the body is cut off before its last boundary");
}
