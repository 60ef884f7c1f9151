/*
 * The language, by recursive descent:
 *
 *     filter     = [ or ]
 *     or         = and *( ( "," / "or" ) and )
 *     and        = term *( ( ";" / "and" ) term )
 *     term       = "(" or ")" / comparison
 *     comparison = field operator ( value / "(" value *( "," value ) ")" )
 *     value      = 1*bare / "'" text "'" / DQUOTE text DQUOTE
 *
 * Blanks may stand between any two of them. Within a value "\" takes a star, a quote or itself as it is.
 */
#include <stdarg.h>
#include <stdio.h>

#include "model/filter_internal.h"

#define SHOWN_MAX 48 /* bytes of the text that a message repeats */

struct parser {
    struct str text;
    size_t at;
    struct arena *a;
    struct err *e;
    size_t comparisons, nesting;
    size_t values;
    unsigned needs;
    char scratch[FILTER_TEXT_MAX]; /* a value while it is read */
};

enum value_kind {
    VALUE_PATTERN, /* a star is a wildcard */
    VALUE_PLAIN,   /* a star is a star */
    VALUE_KEY,     /* a star must be escaped, so that nobody takes it for a wildcard */
};

/* ---- messages ---- */

static bool goes_on(char c) /* within a character of UTF-8 */
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static size_t column(const struct parser *p, size_t at)
{
    size_t n = 1;
    for (size_t i = 0; i < at; i++)
        n += !goes_on(p->text.p[i]);
    return n;
}

static int fail(struct parser *p, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int fail(struct parser *p, size_t at, const char *fmt, ...)
{
    char said[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(said, sizeof said, fmt, ap);
    va_end(ap);
    return err_set(p->e, ERR_INVALID, "filter, column %zu: %s", column(p, at), said);
}

static int no_memory(struct parser *p)
{
    return err_set(p->e, ERR_NOMEM, "no memory for a filter");
}

/* What of a text a message repeats: whole characters. */
static struct str shown(struct str s)
{
    if (s.n <= SHOWN_MAX)
        return s;
    s.n = SHOWN_MAX;
    while (s.n > 0 && goes_on(s.p[s.n]))
        s.n--;
    return s;
}

/* ---- characters ---- */

static bool more(const struct parser *p)
{
    return p->at < p->text.n;
}

static void skip_blanks(struct parser *p)
{
    while (more(p) && p->text.p[p->at] == ' ')
        p->at++;
}

static bool next_is(const struct parser *p, char c)
{
    return more(p) && p->text.p[p->at] == c;
}

static bool take(struct parser *p, char c)
{
    if (!next_is(p, c))
        return false;
    p->at++;
    return true;
}

static bool is_bare(char c)
{
    return strchr("\"'();,=!<>~ ", c) == NULL; /* a NUL is not in the text */
}

static struct str bare_run(const struct parser *p)
{
    size_t end = p->at;
    while (end < p->text.n && is_bare(p->text.p[end]))
        end++;
    return (struct str){.p = p->text.p + p->at, .n = end - p->at};
}

/* Control characters and what is no UTF-8 are refused before anything is read. */
static int check_text(struct parser *p)
{
    for (size_t i = 0, n; i < p->text.n; i += n) {
        for (n = 1; n < 4 && i + n < p->text.n && goes_on(p->text.p[i + n]); n++)
            ;
        char c = p->text.p[i];
        if (c == '\t' || c == '\n' || !str_is_text((struct str){.p = p->text.p + i, .n = n}))
            return fail(p, i, "expected text in UTF-8 without control characters");
    }
    return 0;
}

/* ---- values ---- */

static int take_escaped(struct parser *p, char *c)
{
    size_t at = p->at++;
    if (!more(p) || strchr("*'\"\\", p->text.p[p->at]) == NULL)
        return fail(p, at, "expected *, ', \" or \\ after the backslash (\\\\ is a backslash)");
    *c = p->text.p[p->at++];
    return 0;
}

/* Up to the quote, or for as long as it is bare. The text goes to scratch. */
static int read_text(struct parser *p, enum value_kind kind, char quote, struct filter_value *v)
{
    size_t n = 0, begin = p->at - (quote != '\0');
    while (more(p) && (quote != '\0' ? !next_is(p, quote) : is_bare(p->text.p[p->at]))) {
        char c = p->text.p[p->at];
        if (c == '\\') {
            int rc = take_escaped(p, &c);
            if (rc != 0)
                return rc;
        } else if (c == '*' && kind == VALUE_KEY) {
            return fail(p, p->at, "an attribute's key has no wildcards; \\* is a star");
        } else {
            p->at++;
            if (c == '*' && kind == VALUE_PATTERN) {
                v->wild = true;
                c = FILTER_STAR;
            }
        }
        if (c != FILTER_STAR || n == 0 || p->scratch[n - 1] != FILTER_STAR)
            p->scratch[n++] = c;
    }
    if (quote != '\0' && !take(p, quote))
        return fail(p, begin, "the text that begins here has no closing %c", quote);
    v->text = (struct str){.p = arena_dup(p->a, p->scratch, n), .n = n};
    return v->text.p != NULL ? 0 : no_memory(p);
}

static int read_value(struct parser *p, enum value_kind kind, struct filter_value *out)
{
    struct filter_value v = {0};
    char quote = next_is(p, '"') ? '"' : next_is(p, '\'') ? '\'' : '\0';
    if (quote != '\0')
        p->at++;
    else if (bare_run(p).n == 0)
        return fail(p, p->at, "expected a value; in quotes (\"...\") it may hold any character, or none");
    int rc = read_text(p, kind, quote, &v);
    if (rc == 0)
        *out = v;
    return rc;
}

static int keep_values(struct parser *p, const struct filter_value *values, size_t count,
                       struct filter_node *c)
{
    struct filter_value *kept = arena_array(p->a, struct filter_value, count);
    if (kept == NULL)
        return no_memory(p);
    memcpy(kept, values, count * sizeof *kept);
    c->values = kept;
    c->count = count;
    p->values += count;
    return 0;
}

/* After =in= and =out=; one value needs no parentheses. */
static int read_list(struct parser *p, struct filter_node *c)
{
    struct filter_value values[FILTER_LIST_MAX];
    size_t count = 0;
    bool list = take(p, '(');
    int rc;
    do {
        if (list)
            skip_blanks(p);
        if (count == FILTER_LIST_MAX)
            return fail(p, p->at, "more than %d values in one list", FILTER_LIST_MAX);
        rc = read_value(p, VALUE_PATTERN, &values[count++]);
        if (rc != 0)
            return rc;
        if (list)
            skip_blanks(p);
    } while (list && take(p, ','));
    if (list && !take(p, ')'))
        return fail(p, p->at, "expected , or ) in the list");
    return keep_values(p, values, count, c);
}

/* ---- fields and operators ---- */

static const struct field_row {
    const char *name; /* compared without case */
    enum filter_field field;
} field_rows[] = {
    {"id", FIELD_ID},
    {"controllerId", FIELD_ID},
    {"model", FIELD_MODEL},
    {"targettype.key", FIELD_MODEL},
    {"version", FIELD_VERSION},
    {"installedds.version", FIELD_VERSION},
    {"name", FIELD_NAME},
    {"tag", FIELD_TAG},
    {"created", FIELD_CREATED},
    {"createdAt", FIELD_CREATED},
    {"last_seen", FIELD_LAST_SEEN},
    {"lastControllerRequestAt", FIELD_LAST_SEEN},
};
#define FIELD_ROWS (sizeof field_rows / sizeof field_rows[0])
static const char attribute_prefix[] = "attribute.";

static const struct op_row {
    const char *text; /* compared without case; a longer one before what it begins with */
    enum filter_op op;
    bool list;
} op_rows[] = {
    {"==", FILTER_EQUAL, false},         {"!=", FILTER_DIFFER, false},
    {"=in=", FILTER_EQUAL, true},        {"=out=", FILTER_DIFFER, true},
    {"<=", FILTER_LESS_EQUAL, false},    {"=le=", FILTER_LESS_EQUAL, false},
    {">=", FILTER_GREATER_EQUAL, false}, {"=ge=", FILTER_GREATER_EQUAL, false},
    {"<", FILTER_LESS, false},           {"=lt=", FILTER_LESS, false},
    {">", FILTER_GREATER, false},        {"=gt=", FILTER_GREATER, false},
};

static bool begins_with(const struct parser *p, const char *z)
{
    struct str s = str_of(z);
    return p->text.n - p->at >= s.n && str_eq_nocase((struct str){.p = p->text.p + p->at, .n = s.n}, s);
}

static int no_such_field(struct parser *p, struct str name)
{
    const char *names[FIELD_ROWS];
    for (size_t i = 0; i < FIELD_ROWS; i++)
        names[i] = field_rows[i].name;
    const char *near = str_nearest(name, names, FIELD_ROWS);
    if (name.n == 0)
        return fail(p, p->at,
                    "expected a field (id, model, version, name, tag, created, last_seen, "
                    "attribute.KEY) or (");
    return fail(p, p->at,
                "there is no field \"" STR_FMT "\"%s%s%s; there are id, model, version, name, tag, created, "
                "last_seen and attribute.KEY",
                STR_ARG(shown(name)), near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
                near != NULL ? "\"?" : "");
}

static int read_field(struct parser *p, struct filter_node *c)
{
    if (begins_with(p, attribute_prefix)) {
        struct filter_value key;
        size_t begin = p->at += sizeof attribute_prefix - 1;
        if (bare_run(p).n == 0 && !next_is(p, '"') && !next_is(p, '\''))
            return fail(p, p->at, "expected an attribute's key after \"attribute.\"");
        int rc = read_value(p, VALUE_KEY, &key);
        if (rc != 0)
            return rc;
        if (key.text.n == 0)
            return fail(p, begin, "an attribute's key is not empty");
        c->field = FIELD_ATTRIBUTE;
        c->key = key.text;
        p->needs |= FILTER_ATTRIBUTES;
        p->values++;
        return 0;
    }
    struct str name = bare_run(p);
    for (size_t i = 0; i < FIELD_ROWS; i++)
        if (str_eq_nocase(name, str_of(field_rows[i].name))) {
            p->at += name.n;
            c->field = field_rows[i].field;
            p->needs |= c->field == FIELD_TAG ? FILTER_TAGS : c->field == FIELD_LAST_SEEN ? FILTER_SEEN : 0;
            return 0;
        }
    return no_such_field(p, name);
}

static bool is_order(enum filter_op op)
{
    return op != FILTER_EQUAL && op != FILTER_DIFFER;
}

static bool is_time(enum filter_field field)
{
    return field == FIELD_CREATED || field == FIELD_LAST_SEEN;
}

static int read_op(struct parser *p, struct filter_node *c, bool *list)
{
    for (size_t i = 0; i < sizeof op_rows / sizeof op_rows[0]; i++) {
        if (!begins_with(p, op_rows[i].text))
            continue;
        c->op = op_rows[i].op;
        *list = op_rows[i].list;
        if (is_time(c->field) && !is_order(c->op))
            return fail(p, p->at, "a time is compared by <, <=, > and >= only");
        if (is_order(c->op) && c->field < FIELD_ATTRIBUTE)
            return fail(p, p->at,
                        "only attributes (as numbers) and times have an order; expected ==, !=, "
                        "=in= or =out=");
        p->at += strlen(op_rows[i].text);
        return 0;
    }
    return fail(p, p->at, "expected one of ==, !=, =in=, =out=, <, <=, >, >=");
}

/* What a time or a number is compared with. */
static int read_bound(struct parser *p, struct filter_node *c)
{
    struct filter_value v;
    size_t begin = p->at;
    int rc = read_value(p, VALUE_PLAIN, &v);
    if (rc != 0)
        return rc;
    if (is_time(c->field)) {
        p->values++;
        if (filter_time_parse(v.text, &c->time) == 0)
            return 0;
        return fail(p, begin,
                    "expected a time: 2026-11-22T13:00:00Z, milliseconds since 1970, or -7d for "
                    "seven days ago (s, m, h, d, w)");
    }
    if (!filter_is_number(v.text))
        return fail(p, begin, "expected a decimal number of at most %d digits", FILTER_DIGITS_MAX);
    return keep_values(p, &v, 1, c);
}

/* ---- the tree ---- */

static int parse_comparison(struct parser *p, struct filter_node *c)
{
    bool list = false;
    if (p->comparisons == FILTER_COMPARISONS_MAX)
        return fail(p, p->at, "more than %d comparisons", FILTER_COMPARISONS_MAX);
    p->comparisons++;
    int rc = read_field(p, c);
    if (rc != 0)
        return rc;
    skip_blanks(p);
    rc = read_op(p, c, &list);
    if (rc != 0)
        return rc;
    skip_blanks(p);
    if (list)
        return read_list(p, c);
    if (is_order(c->op))
        return read_bound(p, c);
    if (next_is(p, '('))
        return fail(p, p->at, "expected a value; a list of them goes with =in= and =out=");
    struct filter_value v;
    rc = read_value(p, VALUE_PATTERN, &v);
    return rc != 0 ? rc : keep_values(p, &v, 1, c);
}

static int parse_any(struct parser *p, enum filter_kind kind, struct filter_node **out);

static int parse_term(struct parser *p, struct filter_node **out)
{
    skip_blanks(p);
    size_t begin = p->at;
    if (take(p, '(')) {
        struct filter_node *inner = NULL;
        if (p->nesting == FILTER_NESTING_MAX)
            return fail(p, begin, "parentheses nest deeper than %d", FILTER_NESTING_MAX);
        p->nesting++;
        int rc = parse_any(p, FILTER_OR, &inner);
        if (rc != 0)
            return rc;
        p->nesting--;
        if (!take(p, ')'))
            return fail(p, p->at, "expected ; or , or ) for the ( in column %zu", column(p, begin));
        *out = inner;
        return 0;
    }
    struct filter_node *c = arena_new(p->a, struct filter_node);
    if (c == NULL)
        return no_memory(p);
    c->kind = FILTER_COMPARISON;
    int rc = parse_comparison(p, c);
    if (rc == 0)
        *out = c;
    return rc;
}

/* ";" or "and", "," or "or". */
static bool take_joint(struct parser *p, enum filter_kind kind)
{
    skip_blanks(p);
    if (take(p, kind == FILTER_AND ? ';' : ','))
        return true;
    struct str word = bare_run(p);
    if (!str_eq_nocase(word, kind == FILTER_AND ? STR("and") : STR("or")))
        return false;
    p->at += word.n;
    return true;
}

/* Terms joined by AND, or such joined by OR; one alone stands for itself. */
static int parse_any(struct parser *p, enum filter_kind kind, struct filter_node **out)
{
    struct filter_node *group = NULL, *first = NULL, *last = NULL;
    do {
        struct filter_node *n = NULL;
        int rc = kind == FILTER_OR ? parse_any(p, FILTER_AND, &n) : parse_term(p, &n);
        if (rc != 0)
            return rc;
        if (last != NULL)
            last->next = n;
        else
            first = n;
        last = n;
    } while (take_joint(p, kind));
    if (first != last) {
        group = arena_new(p->a, struct filter_node);
        if (group == NULL)
            return no_memory(p);
        group->kind = kind;
        group->first = first;
    }
    *out = group != NULL ? group : first;
    return 0;
}

static int parse_all(struct parser *p, struct filter_node **root)
{
    int rc = check_text(p);
    skip_blanks(p);
    if (rc != 0 || !more(p))
        return rc;
    rc = parse_any(p, FILTER_OR, root);
    if (rc == 0 && more(p))
        rc = fail(p, p->at,
                  next_is(p, ')') ? "there is no ( for this )"
                                  : "expected ; (and) or , (or) or the end of the filter");
    return rc;
}

int filter_parse(struct str text, struct arena *a, const struct filter **out, struct err *e)
{
    struct parser p = {.text = text, .a = a, .e = e};
    struct filter_node *root = NULL;
    if (text.n > FILTER_TEXT_MAX)
        return err_set(e, ERR_INVALID, "filter, column %d: longer than %d bytes", FILTER_TEXT_MAX + 1,
                       FILTER_TEXT_MAX);
    int rc = parse_all(&p, &root);
    if (rc != 0)
        return rc;
    struct filter *f = arena_new(a, struct filter);
    if (f == NULL)
        return no_memory(&p);
    f->root = root;
    f->needs = p.needs;
    f->values = p.values;
    rc = filter_find_ids(f, a, e);
    if (rc == 0)
        *out = f;
    return rc;
}
