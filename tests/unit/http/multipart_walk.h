/* A body through multipart_next, as a text of what came out; for the unit test and the fuzz target. */
#ifndef PQOTA_TEST_HTTP_MULTIPART_WALK_H
#define PQOTA_TEST_HTTP_MULTIPART_WALK_H

#include <stdlib.h>

#include "base/buf.h"
#include "http/multipart.h"

struct walk {
    struct multipart m;
    struct buf out; /* {name|filename|type}content{end}, and at last {whole} or {bad: why} */
    bool bad, open;
};

static inline void walk_need(bool ok)
{
    if (!ok)
        abort();
}

static inline void walk_add(struct walk *w, struct str s)
{
    walk_need(s.n == 0 || buf_add_str(&w->out, s) == 0);
}

static inline void walk_begin(struct walk *w, struct str boundary)
{
    memset(w, 0, sizeof *w);
    buf_init(&w->out, 1 << 24);
    walk_need(multipart_init(&w->m, boundary, NULL) == 0);
}

static inline void walk_part(struct walk *w)
{
    const struct multipart_part *p = &w->m.part;
    walk_need(!w->open && p->name.n > 0);
    w->open = true;
    walk_add(w, STR("{"));
    walk_add(w, p->name);
    walk_add(w, STR("|"));
    walk_add(w, p->filename.p != NULL ? p->filename : STR("-"));
    walk_add(w, STR("|"));
    walk_add(w, p->type.p != NULL ? p->type : STR("-"));
    walk_add(w, STR("}"));
}

static inline void walk_bad(struct walk *w, const struct err *e)
{
    walk_need(e->text[0] != '\0' && e->code < 0);
    w->bad = true;
    walk_add(w, STR("{bad: "));
    walk_add(w, str_of(e->text));
    walk_add(w, STR("}"));
}

static inline void walk_feed(struct walk *w, struct str fed)
{
    struct err e = {0};
    struct str piece = {.p = NULL, .n = 0};
    enum multipart_event event = MULTIPART_MORE;
    if (w->bad)
        return;
    while ((event = multipart_next(&w->m, &fed, &piece, &e)) != MULTIPART_MORE) {
        switch (event) {
        case MULTIPART_PART:
            walk_part(w);
            break;
        case MULTIPART_DATA:
            walk_need(w->open && piece.n > 0);
            walk_add(w, piece);
            break;
        case MULTIPART_PART_END:
            walk_need(w->open);
            w->open = false;
            walk_add(w, STR("{end}"));
            break;
        default:
            walk_bad(w, &e);
            walk_need(multipart_next(&w->m, &fed, &piece, NULL) == MULTIPART_BAD || fed.n == 0);
            return;
        }
    }
    walk_need(fed.n == 0);
}

static inline void walk_end(struct walk *w)
{
    struct err e = {0};
    int rc = multipart_end(&w->m, &e);
    walk_need(!w->bad || rc != 0);
    if (rc == 0)
        walk_need(!w->open);
    if (rc == 0)
        walk_add(w, STR("{whole}"));
    else if (!w->bad)
        walk_bad(w, &e);
}

#endif
