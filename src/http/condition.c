#include "http/condition.h"

#include "http/date.h"

/* Takes the next entity tag off a list; false at its end or where it is malformed (then *bad). */
static bool next_etag(struct str *list, struct str *tag, bool *weak, bool *bad)
{
    while (list->n > 0 && (list->p[0] == ' ' || list->p[0] == '\t' || list->p[0] == ','))
        list->p++, list->n--;
    if (list->n == 0)
        return false;
    *bad = true;
    *weak = list->n >= 2 && list->p[0] == 'W' && list->p[1] == '/';
    if (*weak)
        list->p += 2, list->n -= 2;
    if (list->n < 2 || list->p[0] != '"')
        return false;
    const char *end = memchr(list->p + 1, '"', list->n - 1);
    if (end == NULL)
        return false;
    size_t n = (size_t)(end - list->p) + 1;
    *tag = (struct str){.p = list->p, .n = n};
    list->p += n;
    list->n -= n;
    struct str rest = str_trim(*list);
    if (rest.n > 0 && rest.p[0] != ',')
        return false;
    *bad = false;
    return true;
}

enum list_match { LIST_ABSENT, LIST_NO, LIST_YES };

/* All header lines of that name together. Strong comparison takes no weak tag (section 8.8.3.2); a malformed
   list matches nothing. */
static enum list_match match_etags(const struct http_request *req, const char *name, struct str etag,
                                   bool strong)
{
    enum list_match found = LIST_ABSENT;
    for (size_t i = 0; i < req->header_count; i++) {
        if (!str_eq_nocase(req->headers[i].name, str_of(name)))
            continue;
        if (found == LIST_ABSENT)
            found = LIST_NO;
        struct str list = req->headers[i].value, tag;
        bool weak = false, bad = false;
        if (str_is(list, "*"))
            return LIST_YES;
        while (next_etag(&list, &tag, &weak, &bad))
            if (str_eq(tag, etag) && !(strong && weak))
                found = LIST_YES;
        if (bad)
            return LIST_NO;
    }
    return found;
}

/* A date that counts: there is exactly one such field and it is well formed. */
static bool date_of(const struct http_request *req, const char *name, int64_t *out)
{
    size_t count = 0;
    struct str value = {.p = NULL, .n = 0};
    for (size_t i = 0; i < req->header_count; i++)
        if (str_eq_nocase(req->headers[i].name, str_of(name))) {
            value = req->headers[i].value;
            count++;
        }
    return count == 1 && http_date_parse(value, out) == 0;
}

enum http_condition http_condition_check(const struct http_request *req, struct str etag, int64_t modified_s)
{
    bool get = req->method == HTTP_GET || req->method == HTTP_HEAD;
    int64_t since;
    enum list_match match = match_etags(req, "If-Match", etag, true);
    if (match == LIST_NO)
        return HTTP_COND_FAILED;
    bool dated = modified_s != HTTP_NO_DATE;
    if (match == LIST_ABSENT && dated && date_of(req, "If-Unmodified-Since", &since) && modified_s > since)
        return HTTP_COND_FAILED;

    match = match_etags(req, "If-None-Match", etag, false);
    if (match == LIST_YES)
        return get ? HTTP_COND_NOT_MODIFIED : HTTP_COND_FAILED;
    if (match == LIST_ABSENT && get && dated && date_of(req, "If-Modified-Since", &since) &&
        modified_s <= since)
        return HTTP_COND_NOT_MODIFIED;
    return HTTP_COND_PROCEED;
}

bool http_condition_range(const struct http_request *req, struct str etag, int64_t modified_s)
{
    struct str value = {.p = NULL, .n = 0};
    size_t count = 0;
    for (size_t i = 0; i < req->header_count; i++)
        if (str_eq_nocase(req->headers[i].name, STR("If-Range"))) {
            value = req->headers[i].value;
            count++;
        }
    if (count == 0)
        return true;
    int64_t date;
    /* A weak tag never equals a strong one here, as section 13.1.5 asks; a date must be the very same. */
    return count == 1 && (str_eq(value, etag) || (http_date_parse(value, &date) == 0 && date == modified_s));
}
