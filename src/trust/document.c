#include "trust/document.h"

#include "trust/canon.h"
#include "trust/internal.h"

#define SPEC_MAJOR "1" /* versions 1.x of the specification are read */

const char *tuf_type_word(enum tuf_type t)
{
    static const char *const words[] = {"root", "timestamp", "snapshot", "targets"};
    return words[t];
}

/* --- yyjson in the space -------------------------------------------------------------------------------- */

static void *pool_malloc(void *ctx, size_t n)
{
    return space_take(ctx, n);
}

/* It has one piece at a time, so that it is the last one and grows where it is. NULL: it stays as it was. */
static void *pool_realloc(void *ctx, void *p, size_t old, size_t n)
{
    struct trust_space *s = ctx;
    size_t used = s->used;
    space_shrink(s, p, old);
    if (s->used == used) {
        space_release(s, (size_t)((unsigned char *)p - s->p));
        if (space_take(s, n) != NULL)
            return p;
    }
    s->used = used;
    return NULL;
}

/* All of it is given back together, with its document. */
static void pool_free(void *ctx, void *p)
{
    (void)ctx;
    (void)p;
}

/* text: n bytes and DOC_PADDING more, which become the document's. */
static int parse(char *text, size_t n, struct trust_space *space, yyjson_val **root, struct err *e)
{
    yyjson_alc alc = {.malloc = pool_malloc, .realloc = pool_realloc, .free = pool_free, .ctx = space};
    yyjson_read_err why;
    memset(text + n, 0, DOC_PADDING);
    yyjson_doc *doc = yyjson_read_opts(text, n, YYJSON_READ_INSITU, &alc, &why);
    if (doc == NULL && why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return err_set(e, ERR_NOMEM, "the memory given is too small for a file of %lu bytes",
                       (unsigned long)n);
    if (doc == NULL)
        return err_set(e, ERR_INVALID, "no JSON: %s, at byte %lu", why.msg, (unsigned long)why.pos);
    *root = yyjson_doc_get_root(doc);
    /* It asked for room for as many values as there could be; what is behind the last one goes back. */
    space_shrink(space, doc, (size_t)((char *)(*root + yyjson_doc_get_val_count(doc)) - (char *)doc));
    return 0;
}

/* --- the envelope --------------------------------------------------------------------------------------- */

static int check_signatures(yyjson_val *list, struct err *e)
{
    yyjson_val *ids[TUF_SIGNATURES_MAX];
    size_t n = 0;
    if (!yyjson_is_arr(list))
        return err_set(e, ERR_INVALID, "\"signatures\" is missing or no list");
    if (yyjson_arr_size(list) > TUF_SIGNATURES_MAX)
        return err_set(e, ERR_INVALID, "more than %d signatures", TUF_SIGNATURES_MAX);
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    yyjson_val *one;
    while ((one = yyjson_arr_iter_next(&it)) != NULL) {
        ids[n] = yyjson_obj_get(one, "keyid");
        if (!yyjson_is_str(ids[n]) || !yyjson_is_str(yyjson_obj_get(one, "sig")))
            return err_set(e, ERR_INVALID, "a signature without \"keyid\" or \"sig\", which are texts");
        n++;
    }
    if (!canon_sort(ids, n))
        return err_set(e, ERR_INVALID, "two signatures with the same \"keyid\"");
    return 0;
}

/* Names in "signed" are looked at when its canonical form is made. */
static int check_envelope(yyjson_val *root, struct trust_space *space, struct err *e)
{
    size_t mark = space_mark(space), n;
    yyjson_val **names;
    if (!yyjson_is_obj(root))
        return err_set(e, ERR_INVALID, "no JSON object");
    int rc = canon_names(root, space, &names, &n, e);
    space_release(space, mark);
    yyjson_obj_iter it = yyjson_obj_iter_with(root);
    yyjson_val *key;
    while (rc == 0 && (key = yyjson_obj_iter_next(&it)) != NULL)
        if (!yyjson_equals_str(key, "signed"))
            rc = canon_check(yyjson_obj_iter_get_val(key), space, e);
    return rc != 0 ? rc : check_signatures(yyjson_obj_get(root, "signatures"), e);
}

/* --- the body ------------------------------------------------------------------------------------------- */

static bool is_number(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

/* "1.2" as old repositories have it, or "1.2.3". */
static bool is_spec_version(struct str text)
{
    struct str part;
    int parts = 0;
    while (str_split(&text, '.', &part)) {
        if (!is_number(part) || (parts == 0 && !str_is(part, SPEC_MAJOR)))
            return false;
        parts++;
    }
    return parts == 2 || parts == 3;
}

static int read_common(yyjson_val *body, struct tuf_doc *d, struct err *e)
{
    if (!yyjson_is_obj(body))
        return err_set(e, ERR_INVALID, "\"signed\" is missing or no object");
    struct str type = trust_text_at(body, "_type"), spec = trust_text_at(body, "spec_version");
    if (!str_is(type, tuf_type_word(d->type)))
        return err_set(e, ERR_INVALID, "\"_type\" is %s, not %s",
                       type.p != NULL ? trust_show(type).z : "missing", tuf_type_word(d->type));
    if (!is_spec_version(spec))
        return err_set(e, ERR_INVALID, "\"spec_version\" is %s; versions " SPEC_MAJOR ".x are read",
                       spec.p != NULL ? trust_show(spec).z : "missing");
    if (!trust_is_count(yyjson_obj_get(body, "version"), 1, &d->version))
        return err_set(e, ERR_INVALID, "\"version\" is missing or no integer from 1 up");
    struct str expires = trust_text_at(body, "expires");
    if (expires.p == NULL || tuf_time_read(expires, &d->expires_s) != 0)
        return err_set(e, ERR_INVALID, "\"expires\" is missing or no time like 2026-11-22T13:26:49Z");
    d->body = body;
    return 0;
}

static int check_body(const struct tuf_doc *d, struct trust_space *space, struct err *e)
{
    if (d->type == TUF_ROOT)
        return doc_check_root(d->body, e);
    return d->type == TUF_TARGETS ? doc_check_targets(d->body, space, e) : doc_check_metas(d, e);
}

static int open_text(char *text, size_t n, struct trust_space *space, struct tuf_doc *d, struct err *e)
{
    yyjson_val *root = NULL;
    int rc = parse(text, n, space, &root, e);
    if (rc == 0)
        rc = check_envelope(root, space, e);
    if (rc == 0)
        rc = read_common(yyjson_obj_get(root, "signed"), d, e);
    if (rc == 0)
        d->signatures = yyjson_obj_get(root, "signatures");
    return rc;
}

static char *room_for_text(struct trust_space *space, size_t n, struct err *e)
{
    char *p = n <= SIZE_MAX - DOC_PADDING ? space_take(space, n + DOC_PADDING) : NULL;
    if (p == NULL)
        (void)err_set(e, ERR_NOMEM, "the memory given is too small for a file of %lu bytes",
                      (unsigned long)n);
    return p;
}

int doc_read(struct str text, enum tuf_type type, struct trust_space *space, struct tuf_doc *out,
             struct err *e)
{
    size_t mark = space_mark(space);
    struct tuf_doc d = {.type = type, .text = text};
    char *copy = room_for_text(space, text.n, e);
    if (copy == NULL)
        return ERR_NOMEM;
    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    int rc = open_text(copy, text.n, space, &d, e);
    /* The canonical form first: it proves that nothing is nested deep or named twice. */
    if (rc == 0)
        rc = canon_write(d.body, space, &d.canon, e);
    if (rc == 0)
        rc = check_body(&d, space, e);
    if (rc != 0) {
        space_release(space, mark);
        return rc;
    }
    *out = d;
    return 0;
}

int doc_read_again(char *text, size_t n, enum tuf_type type, struct trust_space *space, struct tuf_doc *out,
                   struct err *e)
{
    struct tuf_doc d = {.type = type};
    int rc = open_text(text, n, space, &d, e);
    if (rc == 0)
        *out = d;
    return rc;
}

int tuf_doc_read(struct str text, enum tuf_type type, struct trust_space *space, struct tuf_doc *out,
                 struct err *e)
{
    size_t mark = space_mark(space);
    char *copy = room_for_text(space, text.n, e);
    if (copy == NULL)
        return ERR_NOMEM;
    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    int rc = doc_read((struct str){.p = copy, .n = text.n}, type, space, out, e);
    if (rc != 0)
        space_release(space, mark);
    return rc;
}
