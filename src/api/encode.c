#include "api/encode.h"

#include "base/clock.h"

int api_no_memory(struct call *c)
{
    return err_set(&c->err, ERR_NOMEM, "no memory left for this request");
}

/* --- reading ----------------------------------------------------------------------------------------- */

static int query_get(struct call *c, const char *name, struct str *out)
{
    return http_query_get(c->req, name, c->arena, out, &c->err);
}

int api_query_limit(struct call *c, size_t *out)
{
    struct str s;
    uint64_t v = API_LIMIT_DEFAULT;
    int rc = query_get(c, "limit", &s);
    if (rc != 0)
        return rc;
    if (s.n > 0 && (str_to_u64(s, API_LIMIT_MAX, &v) != 0 || v == 0))
        return err_set(&c->err, ERR_INVALID, "limit= must be a whole number from 1 to %d", API_LIMIT_MAX);
    *out = (size_t)v;
    return 0;
}

int api_query_text(struct call *c, const char *name, bool (*valid)(struct str), const char **out)
{
    struct str s;
    int rc = query_get(c, name, &s);
    if (rc != 0)
        return rc;
    if (s.n == 0) {
        *out = NULL;
        return 0;
    }
    if (!valid(s))
        return err_set(&c->err, ERR_INVALID, "%s= has characters or a length that it cannot have", name);
    const char *text = arena_dup_str(c->arena, s);
    if (text == NULL)
        return api_no_memory(c);
    *out = text;
    return 0;
}

int api_query_id(struct call *c, const char *name, int64_t *out)
{
    struct str s;
    uint64_t v = 0;
    int rc = query_get(c, name, &s);
    if (rc != 0)
        return rc;
    if (s.n > 0 && str_to_u64(s, API_ID_MAX, &v) != 0)
        return err_set(&c->err, ERR_INVALID, "%s= must be a whole number below 2147483648", name);
    *out = (int64_t)v;
    return 0;
}

int api_query_bool(struct call *c, const char *name, int *out)
{
    struct str s;
    int rc = query_get(c, name, &s);
    if (rc != 0)
        return rc;
    if (s.n == 0)
        *out = -1;
    else if (str_is(s, "true"))
        *out = 1;
    else if (str_is(s, "false"))
        *out = 0;
    else
        return err_set(&c->err, ERR_INVALID, "%s= must be true or false", name);
    return 0;
}

int api_param_id(struct call *c, size_t index, int64_t *out)
{
    uint64_t v = 0;
    if (str_to_u64(c->param[index], API_ID_MAX, &v) != 0 || v == 0)
        return err_set(&c->err, ERR_NOT_FOUND, "there is nothing at this path: ids are whole numbers");
    *out = (int64_t)v;
    return 0;
}

int api_param_text(struct call *c, size_t index, bool (*valid)(struct str), const char **out)
{
    if (!valid(c->param[index]))
        return err_set(&c->err, ERR_NOT_FOUND, "there is nothing at this path: no name is written like that");
    const char *text = arena_dup_str(c->arena, c->param[index]);
    if (text == NULL)
        return api_no_memory(c);
    *out = text;
    return 0;
}

int api_body(struct call *c, yyjson_doc **doc)
{
    struct str body = c->req->body.n > 0 ? c->req->body : STR("{}");
    return json_parse_object(body, doc, &c->err);
}

static int keep(struct call *c, struct str s, const char **out)
{
    const char *text = s.p != NULL ? arena_dup_str(c->arena, s) : NULL;
    if (s.p != NULL && text == NULL)
        return api_no_memory(c);
    *out = text;
    return 0;
}

int api_get_text(struct call *c, yyjson_val *obj, const char *key, size_t max, const char **out)
{
    struct str s;
    int rc = json_get_str(obj, key, max, &s, &c->err);
    return rc != 0 ? rc : keep(c, s, out);
}

static int keep_needed(struct call *c, const char *key, struct str s, const char **out)
{
    if (s.n == 0)
        return err_set(&c->err, ERR_INVALID, "the body lacks \"%s\"", key);
    return keep(c, s, out);
}

int api_need_text(struct call *c, yyjson_val *obj, const char *key, size_t max, const char **out)
{
    struct str s;
    int rc = json_get_str(obj, key, max, &s, &c->err);
    return rc != 0 ? rc : keep_needed(c, key, s, out);
}

int api_need_pem(struct call *c, yyjson_val *obj, const char *key, size_t max, const char **out)
{
    struct str s;
    int rc = json_get_pem(obj, key, max, &s, &c->err);
    return rc != 0 ? rc : keep_needed(c, key, s, out);
}

/* --- writing ----------------------------------------------------------------------------------------- */

void api_put_time(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, int64_t ms)
{
    char text[CLOCK_TEXT_MAX];
    if (ms == 0)
        yyjson_mut_obj_add_null(doc, obj, key);
    else
        yyjson_mut_obj_add_strcpy(doc, obj, key, clock_format(ms, text));
}

void api_put_some(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, int64_t n)
{
    if (n == 0)
        yyjson_mut_obj_add_null(doc, obj, key);
    else
        yyjson_mut_obj_add_sint(doc, obj, key, n);
}

void api_put_text(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, const char *text)
{
    if (text == NULL)
        yyjson_mut_obj_add_null(doc, obj, key);
    else
        yyjson_mut_obj_add_str(doc, obj, key, text);
}

yyjson_mut_doc *api_doc(struct call *c)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc != NULL ? yyjson_mut_obj(doc) : NULL;
    if (root == NULL) {
        yyjson_mut_doc_free(doc);
        (void)api_no_memory(c);
        return NULL;
    }
    yyjson_mut_doc_set_root(doc, root);
    return doc;
}

int api_list_begin(struct call *c, struct api_list *l)
{
    yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *items = yyjson_mut_obj_add_arr(doc, yyjson_mut_doc_get_root(doc), "items");
    if (items == NULL) {
        yyjson_mut_doc_free(doc);
        return api_no_memory(c);
    }
    *l = (struct api_list){.doc = doc, .items = items};
    return 0;
}

yyjson_mut_val *api_list_add(struct api_list *l)
{
    return yyjson_mut_arr_add_obj(l->doc, l->items);
}

void api_list_end(struct call *c, struct api_list *l, const char *next)
{
    api_put_text(l->doc, yyjson_mut_doc_get_root(l->doc), "next", next);
    http_reply_json(c->res, c->arena, 200, l->doc);
    yyjson_mut_doc_free(l->doc);
    *l = (struct api_list){0};
}
