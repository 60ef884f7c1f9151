#include "http/basic.h"

#include "base/base64.h"

static int malformed(struct err *e)
{
    return err_set(e, ERR_UNAUTHENTICATED,
                   "the Authorization field is not \"Basic\" with the Base64 of name:password, in UTF-8");
}

/* The one Authorization field; p NULL: there is none. */
static int find(const struct http_request *req, struct str *out, struct err *e)
{
    *out = (struct str){.p = NULL, .n = 0};
    for (size_t i = 0; i < req->header_count; i++) {
        if (!str_eq_nocase(req->headers[i].name, STR("authorization")))
            continue;
        if (out->p != NULL)
            return err_set(e, ERR_INVALID, "the request has two Authorization fields");
        *out = req->headers[i].value;
    }
    return 0;
}

/* Cuts the scheme off *field. */
static bool is_basic(struct str *field)
{
    struct str scheme;
    if (field->p == NULL || !str_split(field, ' ', &scheme) || !str_eq_nocase(scheme, STR("basic")))
        return false;
    *field = str_trim(*field);
    return true;
}

int basic_read(const struct http_request *req, struct arena *a, struct str *name, struct str *password,
               struct err *e)
{
    struct str field;
    int rc = find(req, &field, e);
    if (rc != 0)
        return rc;
    if (!is_basic(&field))
        return 0;
    size_t n = 0;
    if (field.n == 0 || field.n > base64_size(BASIC_TEXT_MAX))
        return malformed(e);
    char *text = arena_alloc(a, field.n / 4 * 3 + 1);
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read the Authorization field");
    if (base64_decode(field, text, &n) != 0)
        return malformed(e);
    char *colon = memchr(text, ':', n); /* a name has none, a password may */
    struct str whole = {.p = text, .n = n};
    if (colon == NULL || !str_is_text(whole) || memchr(text, '\n', n) != NULL ||
        memchr(text, '\t', n) != NULL)
        return malformed(e);
    text[n] = '\0';
    *colon = '\0';
    *name = (struct str){.p = text, .n = (size_t)(colon - text)};
    *password = (struct str){.p = colon + 1, .n = n - name->n - 1};
    return 1;
}
