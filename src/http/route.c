#include "http/route.h"

#include <stdio.h>
#include <string.h>

#include "http/query.h"

#define SEGMENTS_MAX 16 /* more than any row has */

struct segments {
    struct str part[SEGMENTS_MAX];
    size_t count;
    bool empty; /* one of them is empty, or there are too many: no row matches */
};

/* The path's segments, decoded. A slash, NUL or control character that comes encoded is an attack or a
   mistake (a proxy before us may have read it differently). */
static int cut_path(struct str path, struct arena *a, struct segments *out, struct err *e)
{
    struct str rest = path, part;
    *out = (struct segments){.count = 0};
    if (path.n == 0 || path.p[0] != '/')
        return err_set(e, ERR_INVALID, "the request's path must begin with a slash");
    rest.p++, rest.n--;
    if (rest.n == 0)
        return 0;
    while (str_split(&rest, '/', &part)) {
        struct str text = part;
        if (memchr(part.n > 0 ? part.p : "", '%', part.n) != NULL) {
            int rc = http_unescape(part, false, a, &text);
            if (rc == ERR_NOMEM)
                return err_set(e, rc, "there is no memory to read the request's path");
            if (rc != 0 || memchr(text.n > 0 ? text.p : "", '/', text.n) != NULL)
                return err_set(
                    e, ERR_INVALID,
                    "the request's path has a bad percent escape, or one for a slash or control character");
        }
        if (text.n == 0 || out->count == SEGMENTS_MAX)
            out->empty = true;
        else
            out->part[out->count++] = text;
    }
    return 0;
}

/* --- keys ---------------------------------------------------------------------------------------------- */

#define HASH_MASK 0xFFFFFFFull

/* FNV-1a, folded to 28 bits. */
static uint64_t hash_of(struct str part)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < part.n; i++)
        h = (h ^ (unsigned char)part.p[i]) * 16777619u;
    return (h ^ h >> 28) & HASH_MASK;
}

/* How many segments there are, and hashes of the first two: few rows share both. */
#define KEY_COUNT 0xFFull
#define KEY_SHIFT(i) (8 + 28 * (i))
#define KEY_PARTS 2

static uint64_t key_of(const struct segments *s)
{
    uint64_t key = s->count;
    for (size_t i = 0; i < KEY_PARTS && i < s->count; i++)
        key |= hash_of(s->part[i]) << KEY_SHIFT(i);
    return key;
}

static struct route_key row_key(const char *row)
{
    struct route_key key = {.mask = KEY_COUNT};
    struct str rest = str_of(row + 1), part;
    for (size_t i = 0; rest.n > 0 && str_split(&rest, '/', &part); i++) {
        key.want++;
        if (i >= KEY_PARTS || str_is(part, "{}"))
            continue;
        key.want |= hash_of(part) << KEY_SHIFT(i);
        key.mask |= HASH_MASK << KEY_SHIFT(i);
    }
    return key;
}

void route_keys(struct route_table *table, struct route_key *out)
{
    struct route_key *common = &table->common;
    for (size_t i = 0; i < table->count; i++) {
        out[i] = row_key(table->rows[i].path);
        common->want = i == 0 ? out[i].want : common->want;
        common->mask = (i == 0 ? out[i].mask : common->mask & out[i].mask) & ~(common->want ^ out[i].want);
    }
    table->keys = out;
}

static bool has_chance(const struct route_key *k, uint64_t key)
{
    return ((k->want ^ key) & k->mask) == 0;
}

/* --- finding ------------------------------------------------------------------------------------------- */

/* 0: no match. Else the more the earlier a literal stands where the other row has {}. */
static unsigned match(const char *row, const struct segments *s)
{
    unsigned score = 1u << SEGMENTS_MAX;
    const char *p = row;
    for (size_t i = 0; i < s->count; i++) {
        if (*p++ != '/')
            return 0;
        const struct str *part = &s->part[i];
        if (p[0] == '{' && p[1] == '}') {
            p += 2;
        } else if (p[0] == part->p[0] && strncmp(p, part->p, part->n) == 0) {
            p += part->n;
            score |= 1u << (SEGMENTS_MAX - 1 - i);
        } else {
            return 0;
        }
        if (*p != '/' && *p != '\0')
            return 0;
    }
    bool root = s->count == 0 && strcmp(p, "/") == 0;
    return *p == '\0' || root ? score : 0;
}

static bool answers(const struct route *row, enum http_method m)
{
    return row->method == m || (m == HTTP_HEAD && row->method == HTTP_GET);
}

static void take_params(const char *row, const struct segments *s, struct str param[CALL_PARAMS_MAX])
{
    struct str rest = str_of(row + 1), part;
    size_t n = 0;
    for (size_t i = 0; i < CALL_PARAMS_MAX; i++)
        param[i] = (struct str){.p = NULL, .n = 0};
    for (size_t i = 0; i < s->count && str_split(&rest, '/', &part); i++)
        if (str_is(part, "{}") && n < CALL_PARAMS_MAX)
            param[n++] = s->part[i];
}

static const char *allowed(unsigned methods, struct arena *a)
{
    static const char *const names[] = {[HTTP_GET] = "GET",
                                        [HTTP_HEAD] = "HEAD",
                                        [HTTP_POST] = "POST",
                                        [HTTP_PUT] = "PUT",
                                        [HTTP_DELETE] = "DELETE"};
    char text[64] = "";
    size_t n = 0;
    for (unsigned m = HTTP_GET; m <= HTTP_DELETE; m++)
        if (methods & 1u << m)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n > 0 ? ", " : "", names[m]);
    return arena_dup(a, text, n);
}

int route_find(const struct route_table *tables, size_t table_count, const struct http_request *req,
               struct arena *a, struct route_found *out, struct err *e)
{
    struct segments s;
    int rc = cut_path(req->path, a, &s, e);
    if (rc != 0)
        return rc;
    const struct route *best = NULL;
    const struct route_table *table = NULL;
    unsigned best_score = 0, methods = 0;
    const uint64_t key = key_of(&s);
    for (size_t t = 0; t < table_count && !s.empty; t++) {
        if (!has_chance(&tables[t].common, key))
            continue;
        for (size_t i = 0; i < tables[t].count; i++) {
            if (tables[t].keys != NULL && !has_chance(&tables[t].keys[i], key))
                continue;
            const struct route *r = &tables[t].rows[i];
            unsigned score = match(r->path, &s);
            if (score == 0)
                continue;
            if (methods == 0)
                table = &tables[t];
            methods |= 1u << r->method;
            if (r->method == HTTP_GET)
                methods |= 1u << HTTP_HEAD;
            if (answers(r, req->method) && score > best_score) {
                best = r;
                table = &tables[t];
                best_score = score;
            }
        }
    }
    if (best != NULL) {
        *out = (struct route_found){.table = table, .row = best};
        take_params(best->path, &s, out->param);
        return 0;
    }
    if (methods == 0)
        return err_set(e, ERR_NOT_FOUND, "there is nothing at this path");
    const char *text = allowed(methods, a);
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "there is no memory to say which methods are served");
    *out = (struct route_found){.table = table, .allow = text};
    return err_set(e, ERR_UNSUPPORTED, "this path is served with other methods only: %s", text);
}
