#include "trust/canon.h"

#include <assert.h>

#include "trust/internal.h"

int canon_compare(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n > 0 ? memcmp(a.p, b.p, n) : 0;
    return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

static int compare(yyjson_val *a, yyjson_val *b)
{
    return canon_compare(json_text(a), json_text(b));
}

/* The child that is larger goes up until v has its place. */
static void sift(yyjson_val **a, size_t at, size_t n)
{
    yyjson_val *v = a[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            break;
        if (child + 1 < n && compare(a[child], a[child + 1]) < 0)
            child++;
        if (compare(v, a[child]) >= 0)
            break;
        a[at] = a[child];
        at = child;
    }
    a[at] = v;
}

static bool in_order(yyjson_val **a, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (compare(a[i - 1], a[i]) >= 0)
            return false;
    return true;
}

/* Heapsort: no memory, and no input makes it slow. Most files are sorted already. */
bool canon_sort(yyjson_val **strings, size_t n)
{
    if (in_order(strings, n))
        return true;
    for (size_t i = n / 2; i-- > 0;)
        sift(strings, i, n);
    for (size_t end = n; end-- > 1;) {
        yyjson_val *last = strings[end];
        strings[end] = strings[0];
        strings[0] = last;
        sift(strings, 0, end);
    }
    return in_order(strings, n);
}

int canon_names(yyjson_val *obj, struct trust_space *space, yyjson_val ***names, size_t *count, struct err *e)
{
    size_t n = yyjson_obj_size(obj), at = 0;
    yyjson_val **list = space_take(space, n * sizeof *list);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "the memory given is too small to sort an object's names");
    yyjson_obj_iter it = yyjson_obj_iter_with(obj);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&it)) != NULL)
        list[at++] = key;
    assert(at == n);
    if (!canon_sort(list, n)) {
        size_t i = 1;
        while (compare(list[i - 1], list[i]) != 0)
            i++;
        return err_set(e, ERR_INVALID, "the member %s is there twice", trust_show(json_text(list[i])).z);
    }
    *names = list;
    *count = n;
    return 0;
}

static int too_deep(struct err *e)
{
    return err_set(e, ERR_INVALID, "nested deeper than %d", CANON_DEPTH_MAX);
}

static int check(yyjson_val *v, int depth, struct trust_space *space, struct err *e)
{
    if (!yyjson_is_ctn(v))
        return 0;
    if (depth > CANON_DEPTH_MAX)
        return too_deep(e);
    int rc = 0;
    yyjson_val *one;
    if (yyjson_is_arr(v)) {
        yyjson_arr_iter it = yyjson_arr_iter_with(v);
        while (rc == 0 && (one = yyjson_arr_iter_next(&it)) != NULL)
            rc = check(one, depth + 1, space, e);
        return rc;
    }
    size_t mark = space_mark(space), n;
    yyjson_val **names;
    rc = canon_names(v, space, &names, &n, e);
    space_release(space, mark);
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    while (rc == 0 && (one = yyjson_obj_iter_next(&it)) != NULL)
        rc = check(yyjson_obj_iter_get_val(one), depth + 1, space, e);
    return rc;
}

int canon_check(yyjson_val *v, struct trust_space *space, struct err *e)
{
    return check(v, 1, space, e);
}

/* --- how long it is ------------------------------------------------------------------------------------- */

static size_t string_size(yyjson_val *v)
{
    struct str s = json_text(v);
    size_t n = s.n + 2;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '"' || s.p[i] == '\\';
    return n;
}

static struct shown number_text(yyjson_val *v)
{
    if (!yyjson_is_uint(v) || yyjson_get_uint(v) <= INT64_MAX)
        return trust_number(yyjson_get_sint(v));
    /* Above INT64_MAX: all but the last digit, and that. */
    uint64_t u = yyjson_get_uint(v);
    struct shown s = trust_number((int64_t)(u / 10));
    size_t n = strlen(s.z);
    s.z[n] = (char)('0' + u % 10);
    s.z[n + 1] = '\0';
    return s;
}

static int measure(yyjson_val *v, int depth, size_t *n, struct err *e);

static int measure_inside(yyjson_val *v, int depth, size_t *n, struct err *e)
{
    if (depth > CANON_DEPTH_MAX)
        return too_deep(e);
    size_t members = yyjson_get_len(v);
    *n += 2 + (members > 0 ? members - 1 : 0);
    int rc = 0;
    yyjson_val *one;
    if (yyjson_is_arr(v)) {
        yyjson_arr_iter it = yyjson_arr_iter_with(v);
        while (rc == 0 && (one = yyjson_arr_iter_next(&it)) != NULL)
            rc = measure(one, depth + 1, n, e);
        return rc;
    }
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    while (rc == 0 && (one = yyjson_obj_iter_next(&it)) != NULL) {
        *n += string_size(one) + 1;
        rc = measure(yyjson_obj_iter_get_val(one), depth + 1, n, e);
    }
    return rc;
}

static int measure(yyjson_val *v, int depth, size_t *n, struct err *e)
{
    if (yyjson_is_ctn(v))
        return measure_inside(v, depth, n, e);
    if (yyjson_is_str(v))
        *n += string_size(v);
    else if (yyjson_is_int(v))
        *n += strlen(number_text(v).z);
    else if (yyjson_is_bool(v) || yyjson_is_null(v))
        *n += yyjson_is_false(v) ? 5 : 4;
    else
        return err_set(e, ERR_INVALID, "a number that is no integer of 64 bits");
    return 0;
}

/* --- writing -------------------------------------------------------------------------------------------- */

struct writer {
    char *p;
    size_t n, size;
    struct trust_space *space;
};

static void put(struct writer *w, const char *p, size_t n)
{
    assert(n <= w->size - w->n); /* it was measured */
    memcpy(w->p + w->n, p, n);
    w->n += n;
}

static void put_text(struct writer *w, yyjson_val *v)
{
    struct str s = json_text(v);
    size_t from = 0;
    put(w, "\"", 1);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '"' && s.p[i] != '\\')
            continue;
        put(w, s.p + from, i - from);
        put(w, "\\", 1);
        from = i;
    }
    put(w, s.p + from, s.n - from);
    put(w, "\"", 1);
}

static int put_value(struct writer *w, yyjson_val *v, struct err *e);

static int put_object(struct writer *w, yyjson_val *v, struct err *e)
{
    size_t mark = space_mark(w->space), n = 0;
    yyjson_val **names = NULL;
    int rc = canon_names(v, w->space, &names, &n, e);
    put(w, "{", 1);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (i > 0)
            put(w, ",", 1);
        put_text(w, names[i]);
        put(w, ":", 1);
        rc = put_value(w, yyjson_obj_iter_get_val(names[i]), e);
    }
    if (rc == 0)
        put(w, "}", 1);
    space_release(w->space, mark);
    return rc;
}

static int put_array(struct writer *w, yyjson_val *v, struct err *e)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    yyjson_val *one;
    int rc = 0;
    put(w, "[", 1);
    for (bool first = true; rc == 0 && (one = yyjson_arr_iter_next(&it)) != NULL; first = false) {
        if (!first)
            put(w, ",", 1);
        rc = put_value(w, one, e);
    }
    if (rc == 0)
        put(w, "]", 1);
    return rc;
}

/* The depth was checked when it was measured. */
static int put_value(struct writer *w, yyjson_val *v, struct err *e)
{
    if (yyjson_is_obj(v))
        return put_object(w, v, e);
    if (yyjson_is_arr(v))
        return put_array(w, v, e);
    if (yyjson_is_str(v)) {
        put_text(w, v);
        return 0;
    }
    struct shown s = {.z = "null"};
    if (yyjson_is_int(v))
        s = number_text(v);
    else if (yyjson_is_bool(v))
        memcpy(s.z, yyjson_is_true(v) ? "true" : "false", yyjson_is_true(v) ? 5 : 6);
    put(w, s.z, strlen(s.z));
    return 0;
}

int canon_write(yyjson_val *v, struct trust_space *space, struct str *out, struct err *e)
{
    size_t mark = space_mark(space);
    struct writer w = {.space = space};
    int rc = measure(v, 1, &w.size, e);
    if (rc != 0)
        return rc;
    w.p = space_take(space, w.size);
    if (w.p == NULL)
        return err_set(e, ERR_NOMEM, "the memory given is too small for the canonical form");
    rc = put_value(&w, v, e);
    if (rc != 0) {
        space_release(space, mark);
        return rc;
    }
    assert(w.n == w.size);
    *out = (struct str){.p = w.p, .n = w.n};
    return 0;
}
