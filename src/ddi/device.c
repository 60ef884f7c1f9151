#include "ddi/device.h"

#include <stdarg.h>
#include <stdio.h>

#define TENANT "DEFAULT"
#define ACTION_ID_MAX 0x7FFFFFFF
#define HREF_MAX 1024 /* bytes of a link's path */

int device_no_memory(struct call *c)
{
    return err_set(&c->err, ERR_NOMEM, "no memory left for this request");
}

int device_begin(struct call *c)
{
    if (!str_eq_nocase(c->param[0], STR(TENANT)))
        return err_set(&c->err, ERR_NOT_FOUND, "there is no such tenant: it is %s", TENANT);
    /* Whoever let the request in has looked at this already. */
    if (!str_is(c->param[1], c->who->id))
        return err_set(&c->err, ERR_DENIED, "this is another device's path");
    return 0;
}

const char *device_href(struct call *c, const char *base, const char *fmt, ...)
{
    char rest[HREF_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(rest, sizeof rest, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof rest)
        return NULL;
    const struct str parts[] = {str_of(base),           STR("/"),           c->param[0],
                                STR("/controller/v1/"), str_of(c->who->id), {.p = rest, .n = (size_t)n}};
    return arena_join(c->arena, parts, sizeof parts / sizeof parts[0]);
}

int device_param_id(struct call *c, size_t index, int64_t *out)
{
    uint64_t v = 0;
    if (str_to_u64(c->param[index], ACTION_ID_MAX, &v) != 0 || v == 0)
        return err_set(&c->err, ERR_NOT_FOUND, "there is nothing at this path: ids are whole numbers");
    *out = (int64_t)v;
    return 0;
}

int device_begin_feedback(struct call *c, int64_t *action, yyjson_doc **body)
{
    int rc = device_begin(c);
    if (rc == 0)
        rc = device_param_id(c, 2, action);
    return rc != 0 ? rc : ddi_body_read(c, body);
}

int device_put_link(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *links, const char *rel,
                    const char *href)
{
    yyjson_mut_val *link = href != NULL ? yyjson_mut_obj_add_obj(doc, links, rel) : NULL;
    return yyjson_mut_obj_add_str(doc, link, "href", href) ? 0 : device_no_memory(c);
}

int device_refused(struct call *c, int rc)
{
    if (rc == ERR_TOO_LARGE)
        c->status = 429;
    return rc;
}

int device_done(struct call *c)
{
    http_reply_empty(c->res, 200);
    return CALL_NEXT;
}
