#include "http/multipart_head.h"

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* RFC 9110 section 5.6.2 */
static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && (s.p[i] == '\0' || strchr("!#$%&'*+-.^_`|~", s.p[i]) == NULL))
            return false;
    return s.n > 0;
}

bool multipart_is_boundary(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && (s.p[i] == '\0' || strchr("'()+_,-./:=? ", s.p[i]) == NULL))
            return false;
    return s.n > 0 && s.n <= MULTIPART_BOUNDARY_MAX && s.p[s.n - 1] != ' ';
}

static struct str from(struct str s, size_t at)
{
    return (struct str){.p = s.p + at, .n = s.n - at};
}

struct param {
    struct str name, value; /* value: what stands between the quotes, still escaped */
    bool quoted;
};

enum param_result { PARAM_END, PARAM_ONE, PARAM_BAD };

/* A backslash counts only before a quote or another one: browsers once sent whole Windows paths. */
static bool is_escape(struct str s, size_t at)
{
    return s.p[at] == '\\' && at + 1 < s.n && (s.p[at + 1] == '"' || s.p[at + 1] == '\\');
}

/* Cuts the next `; name=value` off *rest (RFC 9110 section 5.6.6; no blanks around "="). */
static enum param_result next_param(struct str *rest, struct param *out)
{
    struct str s = str_trim(*rest);
    if (s.n == 0)
        return PARAM_END;
    if (s.p[0] != ';')
        return PARAM_BAD;
    s = str_trim(from(s, 1));
    if (s.n == 0) {
        *rest = s;
        return PARAM_END; /* a ";" with nothing behind it */
    }
    size_t at = 0;
    while (at < s.n && s.p[at] != '=' && s.p[at] != ';')
        at++;
    out->name = (struct str){.p = s.p, .n = at};
    if (at == s.n || s.p[at] != '=' || !is_token(out->name))
        return PARAM_BAD;
    size_t begin = ++at;
    out->quoted = at < s.n && s.p[at] == '"';
    if (out->quoted) {
        begin = ++at;
        while (at < s.n && s.p[at] != '"')
            at += is_escape(s, at) ? 2 : 1;
        if (at >= s.n)
            return PARAM_BAD;
    } else {
        while (at < s.n && s.p[at] != ';' && s.p[at] != ' ' && s.p[at] != '\t')
            at++;
        if (at == begin)
            return PARAM_BAD;
    }
    out->value = (struct str){.p = s.p + begin, .n = at - begin};
    *rest = from(s, at + (out->quoted ? 1 : 0));
    return PARAM_ONE;
}

/* What stands before the first parameter. */
static struct str cut_first(struct str *rest)
{
    size_t at = 0;
    while (at < rest->n && rest->p[at] != ';')
        at++;
    struct str first = str_trim((struct str){.p = rest->p, .n = at});
    *rest = from(*rest, at);
    return first;
}

int multipart_boundary(struct str content_type, struct str *boundary, struct err *e)
{
    struct str rest = content_type, found = {.p = NULL, .n = 0};
    struct param p;
    enum param_result result;
    if (content_type.p == NULL || !str_eq_nocase(cut_first(&rest), STR("multipart/form-data")))
        return err_set(e, ERR_UNSUPPORTED, "the body must be multipart/form-data");
    while ((result = next_param(&rest, &p)) == PARAM_ONE) {
        if (!str_eq_nocase(p.name, STR("boundary")))
            continue;
        if (found.p != NULL)
            return err_set(e, ERR_INVALID, "the Content-Type names two boundaries");
        found = p.value;
        if (!p.quoted && memchr(found.p, '"', found.n) != NULL)
            result = PARAM_BAD;
    }
    if (result == PARAM_BAD)
        return err_set(e, ERR_INVALID, "the Content-Type multipart/form-data has a malformed parameter");
    if (found.p == NULL)
        return err_set(e, ERR_INVALID, "the Content-Type multipart/form-data names no boundary");
    if (!multipart_is_boundary(found))
        return err_set(e, ERR_INVALID,
                       "the boundary in the Content-Type is none: 1 to %d letters, digits and '()+_,-./:=?",
                       MULTIPART_BOUNDARY_MAX);
    *boundary = found;
    return 0;
}

/* Takes the backslashes of a quoted text away, where it stands. */
static struct str unescape(char *head, struct str s)
{
    char *to = head + (s.p - head);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (is_escape(s, i))
            i++;
        to[n++] = s.p[i];
    }
    return (struct str){.p = to, .n = n};
}

/* Content-Disposition: form-data; name="..."; filename="..." (RFC 7578 section 4.2) */
static int read_disposition(char *head, struct str value, struct multipart_part *part, struct err *e)
{
    struct param p;
    enum param_result result;
    if (part->name.p != NULL)
        return err_set(e, ERR_INVALID, "it has two Content-Disposition fields");
    if (!str_eq_nocase(cut_first(&value), STR("form-data")))
        return err_set(e, ERR_INVALID, "its Content-Disposition is not form-data");
    while ((result = next_param(&value, &p)) == PARAM_ONE) {
        bool name = str_eq_nocase(p.name, STR("name")), file = str_eq_nocase(p.name, STR("filename"));
        if (str_eq_nocase(p.name, STR("name*")) || str_eq_nocase(p.name, STR("filename*")))
            return err_set(
                e, ERR_INVALID,
                "it has filename* or name*, which RFC 7578 section 4.2 forbids: write the name as UTF-8");
        if (!name && !file)
            continue;
        struct str *to = name ? &part->name : &part->filename;
        if (to->p != NULL)
            return err_set(e, ERR_INVALID, "it has two of %s", name ? "name" : "filename");
        if (!p.quoted && !is_token(p.value))
            return err_set(e, ERR_INVALID, "its %s must stand in quotes", name ? "name" : "filename");
        *to = p.quoted ? unescape(head, p.value) : p.value;
        if (!str_is_text(*to) || memchr(to->p, '\t', to->n) != NULL)
            return err_set(e, ERR_INVALID, "its %s is not UTF-8, or has control characters",
                           name ? "name" : "filename");
    }
    if (result == PARAM_BAD)
        return err_set(e, ERR_INVALID, "its Content-Disposition has a malformed parameter");
    if (part->name.n == 0)
        return err_set(e, ERR_INVALID, "its Content-Disposition has no name");
    return 0;
}

static int read_field(char *head, struct str name, struct str value, struct multipart_part *part,
                      struct err *e)
{
    if (str_eq_nocase(name, STR("Content-Disposition")))
        return read_disposition(head, value, part, e);
    if (str_eq_nocase(name, STR("Content-Type"))) {
        if (part->type.p != NULL)
            return err_set(e, ERR_INVALID, "it has two Content-Type fields");
        if (value.n == 0 || !str_is_text(value))
            return err_set(e, ERR_INVALID, "its Content-Type is empty or no text");
        part->type = value;
    }
    /* Deprecated (RFC 7578 section 4.7); what would have to be decoded must not be taken as it is. */
    if (str_eq_nocase(name, STR("Content-Transfer-Encoding")) && !str_eq_nocase(value, STR("binary")) &&
        !str_eq_nocase(value, STR("8bit")) && !str_eq_nocase(value, STR("7bit")))
        return err_set(e, ERR_INVALID, "it has a Content-Transfer-Encoding: send it as binary");
    return 0; /* others are to be ignored (RFC 7578 section 4.8) */
}

/* A line without its end: no control characters, so no CR or LF that stands alone. */
static bool is_line(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7F)
            return false;
    return true;
}

/* Up to the next CRLF, which a head ends in. */
static struct str cut_line(struct str *rest)
{
    struct str line = {.p = rest->p, .n = 0};
    while (line.n + 2 < rest->n && (line.p[line.n] != '\r' || line.p[line.n + 1] != '\n'))
        line.n++;
    *rest = from(*rest, line.n + 2);
    return line;
}

int multipart_read_head(char *head, size_t head_n, struct multipart_part *out, struct err *e)
{
    struct multipart_part part = {0};
    struct str rest = {.p = head, .n = head_n - 2}; /* without the empty line */
    while (rest.n > 0) {
        struct str line = cut_line(&rest);
        const char *colon = memchr(line.p, ':', line.n);
        struct str name = {.p = line.p, .n = colon != NULL ? (size_t)(colon - line.p) : 0};
        if (!is_line(line) || !is_token(name)) /* a folded line begins with a blank, which is no token */
            return err_set(e, ERR_INVALID,
                           "a line of its head is no header field: name, colon, value, CRLF, not folded");
        int rc = read_field(head, name, str_trim(from(line, name.n + 1)), &part, e);
        if (rc != 0)
            return rc;
    }
    if (part.name.p == NULL)
        return err_set(e, ERR_INVALID, "it has no Content-Disposition, so no name");
    *out = part;
    return 0;
}
