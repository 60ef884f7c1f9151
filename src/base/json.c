#include "base/json.h"

#include <stdlib.h>

/* The nesting is bounded on the text, before yyjson builds a tree that would have to be walked. */
static bool depth_ok(struct str text)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX)
                return false;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return true;
}

struct name {
    const char *p;
    size_t n;
};

static int compare_names(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int c = n > 0 ? memcmp(x->p, y->p, n) : 0;
    return c != 0 ? c : (x->n > y->n) - (x->n < y->n);
}

static int check_object(yyjson_val *obj, struct err *e)
{
    size_t count = yyjson_obj_size(obj);
    if (count < 2)
        return 0;
    struct name *names = calloc(count, sizeof *names);
    if (names == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read the JSON text");
    size_t i, max;
    yyjson_val *key, *val;
    yyjson_obj_foreach(obj, i, max, key, val)
    {
        names[i] = (struct name){.p = yyjson_get_str(key), .n = yyjson_get_len(key)};
    }
    qsort(names, count, sizeof *names, compare_names);
    int rc = 0;
    for (i = 1; i < count && rc == 0; i++)
        if (compare_names(&names[i - 1], &names[i]) == 0)
            rc = err_set(e, ERR_INVALID, "the JSON text names \"%.*s\" twice in one object",
                         (int)(names[i].n < 64 ? names[i].n : 64), names[i].p);
    free(names);
    return rc;
}

static int check_duplicates(yyjson_val *v, struct err *e)
{
    size_t i, max;
    yyjson_val *key, *item;
    int rc = 0;
    if (yyjson_is_obj(v)) {
        rc = check_object(v, e);
        if (rc != 0)
            return rc;
        yyjson_obj_foreach(v, i, max, key, item)
        {
            rc = check_duplicates(item, e);
            if (rc != 0)
                return rc;
        }
    } else if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, i, max, item)
        {
            rc = check_duplicates(item, e);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

static int parse(struct str text, yyjson_read_flag flags, yyjson_doc **out, struct err *e)
{
    if (!depth_ok(text))
        return err_set(e, ERR_INVALID, "the JSON text nests deeper than %d levels", JSON_DEPTH_MAX);
    yyjson_read_err why = {0};
    /* Without the in-situ flag yyjson does not write to the text. */
    char *bytes = (char *)(uintptr_t)text.p;
    auto_json yyjson_doc *doc = yyjson_read_opts(bytes, text.n, flags, NULL, &why);
    if (doc == NULL)
        return err_set(e, ERR_INVALID, "not valid JSON at byte %zu: %s", why.pos,
                       why.msg != NULL ? why.msg : "empty text");
    int rc = check_duplicates(yyjson_doc_get_root(doc), e);
    if (rc != 0)
        return rc;
    *out = doc;
    doc = NULL;
    return 0;
}

int json_parse(struct str text, yyjson_doc **out, struct err *e)
{
    return parse(text, YYJSON_READ_NOFLAG, out, e);
}

int json_parse_lenient(struct str text, yyjson_doc **out, struct err *e)
{
    return parse(text, YYJSON_READ_ALLOW_INVALID_UNICODE, out, e);
}

int json_parse_object(struct str text, yyjson_doc **out, struct err *e)
{
    auto_json yyjson_doc *doc = NULL;
    int rc = json_parse(text, &doc, e);
    if (rc != 0)
        return rc;
    if (!yyjson_is_obj(yyjson_doc_get_root(doc)))
        return err_set(e, ERR_INVALID, "the JSON text must be an object");
    *out = doc;
    doc = NULL;
    return 0;
}

static bool is_text_with_returns(struct str s)
{
    struct str part;
    while (str_split(&s, '\r', &part))
        if (!str_is_text(part))
            return false;
    return true;
}

static int get_text(yyjson_val *obj, const char *key, size_t max, bool (*valid)(struct str), struct str *out,
                    struct err *e)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    if (v == NULL || yyjson_is_null(v)) {
        *out = (struct str){.p = NULL, .n = 0};
        return 0;
    }
    if (!yyjson_is_str(v))
        return err_set(e, ERR_INVALID, "\"%s\" must be a string", key);
    struct str s = {.p = yyjson_get_str(v), .n = yyjson_get_len(v)};
    if (s.n > max)
        return err_set(e, ERR_INVALID, "\"%s\" is longer than %zu bytes", key, max);
    if (!valid(s))
        return err_set(e, ERR_INVALID, "\"%s\" contains control characters", key);
    *out = s;
    return 0;
}

int json_get_str(yyjson_val *obj, const char *key, size_t max, struct str *out, struct err *e)
{
    return get_text(obj, key, max, str_is_text, out, e);
}

int json_get_pem(yyjson_val *obj, const char *key, size_t max, struct str *out, struct err *e)
{
    return get_text(obj, key, max, is_text_with_returns, out, e);
}

int json_get_i64(yyjson_val *obj, const char *key, int64_t min, int64_t max, int64_t missing, int64_t *out,
                 struct err *e)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    if (v == NULL || yyjson_is_null(v)) {
        *out = missing;
        return 0;
    }
    /* yyjson keeps non-negative integers unsigned: one past INT64_MAX must not wrap into range. */
    bool fits = yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX);
    if (!fits || yyjson_get_sint(v) < min || yyjson_get_sint(v) > max)
        return err_set(e, ERR_INVALID, "\"%s\" must be a whole number from %lld to %lld", key, (long long)min,
                       (long long)max);
    *out = yyjson_get_sint(v);
    return 0;
}

struct str json_write(yyjson_mut_doc *doc, struct arena *a)
{
    size_t n = 0;
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_NOFLAG, &n);
    if (text == NULL)
        return (struct str){.p = NULL, .n = 0};
    char *copy = arena_dup(a, text, n);
    free(text);
    return (struct str){.p = copy, .n = copy != NULL ? n : 0};
}
