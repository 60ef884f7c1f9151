#include "http/query.h"

#include "base/hex.h"
#include "http/message.h"

/* Takes the next character off *s: 0..255, or -1 for a bad escape. */
static int next_char(struct str *s, bool form)
{
    unsigned char c = (unsigned char)s->p[0];
    size_t n = 1;
    if (c == '%') {
        if (s->n < 3 || hex_decode((struct str){.p = s->p + 1, .n = 2}, &c, 1) != 0)
            return -1;
        n = 3;
    } else if (form && c == '+') {
        c = ' ';
    }
    s->p += n;
    s->n -= n;
    return c;
}

int http_unescape(struct str s, bool form, struct arena *a, struct str *out)
{
    char *text = arena_dup_str(a, s);
    if (text == NULL)
        return ERR_NOMEM;
    size_t n = 0;
    while (s.n > 0) {
        int c = next_char(&s, form);
        if (c < 0x20 || c == 0x7F)
            return ERR_INVALID;
        text[n++] = (char)(unsigned char)c;
    }
    text[n] = '\0';
    struct str decoded = {.p = text, .n = n};
    if (!str_is_text(decoded))
        return ERR_INVALID;
    *out = decoded;
    return 0;
}

/* A name whose escapes are bad is nobody's. */
static bool name_is(struct str encoded, const char *name)
{
    size_t i = 0, n = strlen(name);
    while (encoded.n > 0) {
        int c = next_char(&encoded, true);
        if (c < 0 || i >= n || (unsigned char)name[i++] != c)
            return false;
    }
    return i == n;
}

int http_query_get(const struct http_request *r, const char *name, struct arena *a, struct str *out,
                   struct err *e)
{
    struct str found = {.p = NULL, .n = 0}, rest = r->query, pair;
    while (str_split(&rest, '&', &pair)) {
        struct str value = pair, key;
        if (pair.n == 0 || !str_split(&value, '=', &key) || !name_is(key, name))
            continue;
        if (found.p != NULL)
            return err_set(e, ERR_INVALID, "the query parameter %s is given twice", name);
        found = value.p != NULL ? value : STR("");
    }
    if (found.p == NULL) {
        *out = found;
        return 0;
    }
    int rc = http_unescape(found, true, a, out);
    if (rc == ERR_NOMEM)
        return err_set(e, rc, "there is no memory for the query parameter %s", name);
    if (rc != 0)
        return err_set(e, rc, "the query parameter %s has a bad percent escape or is no plain UTF-8 text",
                       name);
    return 0;
}
