#include "ddi/management.h"

#include <stdarg.h>

#include "base/clock.h"
#include "ota/ota.h"

#define LIMIT_DEFAULT 50
#define SORTS_MAX 4

int management_no_memory(struct call *c)
{
    return err_set(&c->err, ERR_NOMEM, "no memory left for this request");
}

/* --- reading ----------------------------------------------------------------------------------------- */

int management_id(struct call *c, size_t index, int64_t *out)
{
    uint64_t v = 0;
    if (str_to_u64(c->param[index], MANAGEMENT_ID_MAX, &v) != 0 || v == 0)
        return err_set(&c->err, ERR_NOT_FOUND, "there is nothing at this path: ids are whole numbers");
    *out = (int64_t)v;
    return 0;
}

int management_device(struct call *c, size_t index, const char **out)
{
    if (!str_is_device_id(c->param[index]))
        return err_set(&c->err, ERR_NOT_FOUND, "there is no target of that id");
    const char *id = arena_dup_str(c->arena, c->param[index]);
    if (id == NULL)
        return management_no_memory(c);
    *out = id;
    return 0;
}

int management_object(struct call *c, yyjson_doc **doc)
{
    struct str body = c->req->body.n > 0 ? c->req->body : STR("{}");
    return json_parse_object(body, doc, &c->err);
}

int management_array(struct call *c, yyjson_doc **doc, size_t *count)
{
    yyjson_doc *d = NULL;
    int rc = json_parse(c->req->body, &d, &c->err);
    if (rc != 0)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(d);
    size_t n = yyjson_is_obj(root) ? 1 : yyjson_arr_size(root);
    if (n == 0)
        rc = err_set(&c->err, ERR_INVALID, "the body must be a list of objects, with one at least");
    else if (n > MANAGEMENT_ITEMS_MAX)
        rc = management_refuse(c, 429,
                               err_set(&c->err, ERR_TOO_LARGE, "at most %d at once", MANAGEMENT_ITEMS_MAX));
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(root, i, max, item)
    {
        if (rc == 0 && !yyjson_is_obj(item))
            rc = err_set(&c->err, ERR_INVALID, "number %zu of the list is no object", i + 1);
    }
    if (rc != 0) {
        yyjson_doc_free(d);
        return rc;
    }
    *doc = d;
    *count = n;
    return 0;
}

yyjson_val *management_item(yyjson_doc *doc, size_t index)
{
    yyjson_val *root = yyjson_doc_get_root(doc);
    return yyjson_is_obj(root) ? root : yyjson_arr_get(root, index);
}

int management_create(struct call *c, management_create_fn *one)
{
    auto_json yyjson_doc *body = NULL;
    size_t count = 0;
    int rc = management_array(c, &body, &count);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? management_doc(c, true) : NULL;
    if (doc == NULL)
        return c->err.code;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = one(c, management_item(body, i), doc);
    if (rc == 0)
        http_reply_json(c->res, c->arena, 201, doc);
    return rc;
}

static bool is_there(yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return v != NULL && !yyjson_is_null(v);
}

int management_text(struct call *c, yyjson_val *obj, const char *key, size_t max, struct str *out)
{
    *out = (struct str){.p = NULL, .n = 0};
    return is_there(obj, key) ? json_get_str(obj, key, max, out, &c->err) : 0;
}

int management_need(struct call *c, yyjson_val *obj, const char *key, size_t max, struct str *out)
{
    int rc = management_text(c, obj, key, max, out);
    if (rc == 0 && out->n == 0)
        rc = err_set(&c->err, ERR_INVALID, "the body lacks \"%s\"", key);
    return rc;
}

int management_bool(struct call *c, yyjson_val *obj, const char *key, bool missing, bool *out)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    if (!is_there(obj, key)) {
        *out = missing;
        return 0;
    }
    if (!yyjson_is_bool(v))
        return err_set(&c->err, ERR_INVALID, "\"%s\" is true or false", key);
    *out = yyjson_get_bool(v);
    return 0;
}

int management_number(struct call *c, yyjson_val *obj, const char *key, int64_t min, int64_t max,
                      int64_t missing, int64_t *out)
{
    if (is_there(obj, key))
        return json_get_i64(obj, key, min, max, missing, out, &c->err);
    *out = missing;
    return 0;
}

/* --- pages ------------------------------------------------------------------------------------------- */

static int read_number(struct call *c, const char *name, uint64_t missing, size_t *out)
{
    struct str s;
    uint64_t v = missing;
    int rc = http_query_get(c->req, name, c->arena, &s, &c->err);
    if (rc == 0 && s.n > 0 && str_to_u64(s, MANAGEMENT_ID_MAX, &v) != 0)
        rc = err_set(&c->err, ERR_INVALID, "%s= must be a whole number below 2147483648", name);
    if (rc == 0)
        *out = (size_t)v;
    return rc;
}

static const char *column_of(const struct management_field *fields, struct str name)
{
    for (; fields->name != NULL; fields++)
        if (str_eq_nocase(name, str_of(fields->name)))
            return fields->column;
    return NULL;
}

static int read_sort(struct call *c, const struct management_field *fields, const char **order)
{
    struct str rest, one, name, way;
    const char *words = "";
    int rc = http_query_get(c->req, "sort", c->arena, &rest, &c->err);
    if (rc != 0 || rest.n == 0)
        return rc;
    for (int i = 0; str_split(&rest, ',', &one); i++) {
        way = str_trim(one);
        const char *column = str_split(&way, ':', &name) ? column_of(fields, str_trim(name)) : NULL;
        bool down = str_eq_nocase(str_trim(way), STR("DESC"));
        if (column == NULL || i == SORTS_MAX || (!down && !str_eq_nocase(str_trim(way), STR("ASC"))))
            return err_set(&c->err, ERR_INVALID,
                           "sort=: FIELD:ASC or FIELD:DESC, at most %d with commas between; the fields are "
                           "%s, %s and what else the answer's items have at their top",
                           SORTS_MAX, fields[0].name, fields[1].name);
        words = arena_printf(c->arena, "%s%s %s, ", words, column, down ? "DESC" : "ASC");
        if (words == NULL)
            return management_no_memory(c);
    }
    *order = arena_printf(c->arena, "%sd.pk", words);
    return *order != NULL ? 0 : management_no_memory(c);
}

int management_page(struct call *c, const struct management_field *fields, struct listing *out)
{
    struct listing l = {.now_ms = clock_unix_ms(c->ota->clock)};
    struct str q;
    int rc = read_number(c, "offset", 0, &l.offset);
    if (rc == 0)
        rc = read_number(c, "limit", LIMIT_DEFAULT, &l.limit);
    if (rc == 0)
        rc = read_sort(c, fields, &l.order);
    if (rc == 0)
        rc = http_query_get(c->req, "q", c->arena, &q, &c->err);
    if (rc == 0 && q.n > 0)
        rc = filter_parse(q, c->arena, &l.filter, &c->err);
    if (rc != 0)
        return rc;
    if (l.limit == 0)
        l.limit = LIMIT_DEFAULT;
    if (l.limit > LISTING_LIMIT_MAX)
        l.limit = LISTING_LIMIT_MAX; /* as hawkBit takes it */
    *out = l;
    return 0;
}

int management_plain_page(struct call *c, const struct management_field *fields, struct listing *out)
{
    struct listing l;
    int rc = management_page(c, fields, &l);
    if (rc == 0 && l.filter != NULL && filter_needs(l.filter) != 0)
        rc = err_set(&c->err, ERR_INVALID, "q=: only id, name, version and createdAt can be asked for here");
    if (rc == 0)
        *out = l;
    return rc;
}

/* --- writing ----------------------------------------------------------------------------------------- */

yyjson_mut_doc *management_doc(struct call *c, bool array)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = array ? yyjson_mut_arr(doc) : yyjson_mut_obj(doc);
    if (root == NULL) {
        yyjson_mut_doc_free(doc);
        (void)management_no_memory(c);
        return NULL;
    }
    yyjson_mut_doc_set_root(doc, root);
    return doc;
}

void management_put(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, const char *text)
{
    if (text != NULL)
        yyjson_mut_obj_add_str(doc, obj, key, text);
}

void management_put_base(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *by, int64_t created,
                         int64_t modified)
{
    yyjson_mut_obj_add_str(doc, obj, "createdBy", by);
    yyjson_mut_obj_add_sint(doc, obj, "createdAt", created);
    yyjson_mut_obj_add_str(doc, obj, "lastModifiedBy", by);
    yyjson_mut_obj_add_sint(doc, obj, "lastModifiedAt", modified);
}

void management_put_link(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *rel,
                         const char *fmt, ...)
{
    char path[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(path, sizeof path, fmt, args);
    va_end(args);
    const char *href = arena_printf(c->arena, "%s/rest/v1/%s", c->base_url, path);
    yyjson_mut_val *links = yyjson_mut_obj_get(obj, "_links");
    if (links == NULL)
        links = yyjson_mut_obj_add_obj(doc, obj, "_links");
    yyjson_mut_val *link = yyjson_mut_obj_add_obj(doc, links, rel);
    management_put(doc, link, "href", href);
}

int management_list_begin(struct call *c, struct management_list *l)
{
    l->doc = management_doc(c, false);
    if (l->doc == NULL)
        return c->err.code;
    l->content = yyjson_mut_obj_add_arr(l->doc, yyjson_mut_doc_get_root(l->doc), "content");
    return 0;
}

void management_list_end(struct call *c, struct management_list *l, int64_t total)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(l->doc);
    yyjson_mut_obj_add_sint(l->doc, root, "total", total);
    yyjson_mut_obj_add_uint(l->doc, root, "size", yyjson_mut_arr_size(l->content));
    http_reply_json(c->res, c->arena, 200, l->doc);
    yyjson_mut_doc_free(l->doc);
    *l = (struct management_list){0};
}
