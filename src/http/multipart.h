/*
 * multipart/form-data (RFC 7578, RFC 2046 section 5.1), read as it comes: the body is fed in pieces of any
 * size, and of a part's content nothing is kept but how much of a boundary was seen.
 *
 * Strict where readers could differ: lines end in CRLF, nothing stands between a boundary and the end of its
 * line, a line that only begins with the boundary is an error, header fields are not folded.
 */
#ifndef PQOTA_HTTP_MULTIPART_H
#define PQOTA_HTTP_MULTIPART_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define MULTIPART_BOUNDARY_MAX 70 /* RFC 2046 section 5.1.1 */
#define MULTIPART_HEAD_MAX 4096   /* bytes of a part's header fields */
#define MULTIPART_PARTS_MAX 16
#define MULTIPART_AROUND_MAX                                                                                 \
    1024 /* bytes before the first boundary, and bytes behind the last: both skipped */

/* Names are UTF-8 without control characters. A path in a file name is as the client sent it. */
struct multipart_part {
    struct str name;     /* never empty */
    struct str filename; /* .p NULL: not given */
    struct str type;     /* the Content-Type; .p NULL: not given, which means text/plain */
};

enum multipart_event {
    MULTIPART_MORE, /* what was fed is used up */
    MULTIPART_PART, /* a part begins: m->part holds until the next one */
    MULTIPART_DATA, /* a piece of its content, never empty, until the next call */
    MULTIPART_PART_END,
    MULTIPART_BAD, /* the body is not to be used, and *e says why: ERR_INVALID, ERR_TOO_LARGE */
};

/* To be embedded, not to be copied: `part` points into it. Holds no memory of its own. The members but `part`
   are private. */
struct multipart {
    struct multipart_part part;
    int state;
    char delimiter[4 + MULTIPART_BOUNDARY_MAX]; /* CR LF - - boundary */
    size_t delimiter_n;
    size_t matched; /* bytes of the delimiter seen in what came before */
    size_t hidden;  /* of these, from the first on: no content, should it be no delimiter */
    char head[MULTIPART_HEAD_MAX];
    size_t head_n;
    size_t around;
    int parts;
};

/* The boundary in a Content-Type, a view into it. ERR_UNSUPPORTED: another type than multipart/form-data. */
int multipart_boundary(struct str content_type, struct str *boundary, struct err *e) MUST_CHECK;

/* ERR_INVALID: no boundary (RFC 2046 section 5.1.1). */
int multipart_init(struct multipart *m, struct str boundary, struct err *e) MUST_CHECK;

/* Goes on to the next event in *fed, cutting off what it used; to be called until MULTIPART_MORE. *piece is
   set with MULTIPART_DATA: a view into what was fed, or into m. */
enum multipart_event multipart_next(struct multipart *m, struct str *fed, struct str *piece, struct err *e);

/* The body is over. 0 when it was whole; only then do its parts count. */
int multipart_end(const struct multipart *m, struct err *e) MUST_CHECK;

#endif
