#include "store/filter_sql.h"

#include <sqlite3.h>

#include "model/filter_internal.h"
#include "store/db_open.h"

#define TEXT_MAX (1 << 18)   /* bytes of a condition: twice what the longest filter needs */
#define MEMORY_MAX (1 << 18) /* bytes for values and prefixes */
#define VARIABLES_EACH 3     /* a pattern: its prefix, what is past it, and itself */
#define VARIABLE_MAX 32766   /* SQLITE_MAX_VARIABLE_NUMBER */

struct filter_sql_value {
    struct str text; /* p NULL: it is the number */
    int64_t number;
};

/* A condition being made; after the first failure nothing more is added. */
struct maker {
    struct filter_sql *q;
    int64_t now_ms;
    int rc;
};

static void add(struct maker *m, const char *text)
{
    if (m->rc == 0)
        m->rc = buf_add_str(&m->q->text, str_of(text));
}

/* Keeps a value and adds its variable. There is room: the parser counted. */
static void add_value(struct maker *m, struct filter_sql_value v)
{
    if (m->rc != 0)
        return;
    m->q->values[m->q->next - m->q->first] = v;
    m->rc = buf_printf(&m->q->text, "?%d", m->q->next++);
}

static void add_text(struct maker *m, struct str text)
{
    add_value(m, (struct filter_sql_value){.text = text});
}

/* The function alone decides, and it is what filter_match asks. What stands before the first star is also a
   range, so that an index is of use: from there to that with its last byte one higher, which in UTF-8 is
   never the highest. (GLOB would not do: to it U+FFFD, U+FFFE and U+FFFF are one character.) */
static void add_pattern(struct maker *m, const char *what, struct str pattern)
{
    const char *star = memchr(pattern.p, FILTER_STAR, pattern.n);
    size_t n = star != NULL ? (size_t)(star - pattern.p) : pattern.n;
    if (m->rc != 0)
        return;
    if (n == 0 && pattern.n == 1) {
        add(m, "1");
        return;
    }
    if (n > 0) {
        char *to = arena_dup(&m->q->memory, pattern.p, n);
        if (to == NULL) {
            m->rc = ERR_NOMEM;
            return;
        }
        to[n - 1] = (char)((unsigned char)to[n - 1] + 1);
        add(m, what);
        add(m, " >= ");
        add_text(m, (struct str){.p = pattern.p, .n = n});
        add(m, " AND ");
        add(m, what);
        add(m, " < ");
        add_text(m, (struct str){.p = to, .n = n});
        add(m, " AND ");
    }
    add(m, "filter_pattern_fits(");
    add_text(m, pattern);
    add(m, ", ");
    add(m, what);
    add(m, ")");
}

/* `what` is one of the comparison's values. NULL where it is NULL. */
static void add_fits(struct maker *m, const struct filter_node *c, const char *what)
{
    size_t plain = 0;
    const char *between = "";
    for (size_t i = 0; i < c->count; i++) {
        if (c->values[i].wild)
            continue;
        add(m, plain == 0 ? what : "");
        add(m, plain == 0 ? " IN (" : ", ");
        add_text(m, c->values[i].text);
        plain++;
    }
    if (plain > 0) {
        add(m, ")");
        between = " OR ";
    }
    for (size_t i = 0; i < c->count; i++) {
        if (!c->values[i].wild)
            continue;
        add(m, between);
        add_pattern(m, what, c->values[i].text);
        between = " OR ";
    }
}

static bool fits_nothing(const struct filter_node *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->values[i].text.n == (c->values[i].wild ? 1 : 0)) /* "" or a lone star */
            return true;
    return false;
}

/* A column that is NULL where filter_match sees "". The test for that stands beside the comparison, not
   around the column, so that an index on it is of use, and the whole is never NULL. */
static void add_nullable(struct maker *m, const struct filter_node *c, const char *column)
{
    bool nothing = fits_nothing(c);
    add(m, "(");
    add(m, column);
    add(m, nothing ? " IS NULL OR " : " IS NOT NULL AND (");
    add_fits(m, c, column);
    add(m, nothing ? ")" : "))");
}

static const char *order_sql(enum filter_op op)
{
    switch (op) {
    case FILTER_LESS:
        return " < ";
    case FILTER_LESS_EQUAL:
        return " <= ";
    case FILTER_GREATER:
        return " > ";
    case FILTER_GREATER_EQUAL:
    case FILTER_EQUAL:
    case FILTER_DIFFER:
        break;
    }
    return " >= ";
}

static void add_attribute(struct maker *m, const struct filter_node *c)
{
    add(m, "EXISTS (SELECT 1 FROM device_attribute a WHERE a.device = d.pk AND a.key = ");
    add_text(m, c->key);
    add(m, " AND (");
    if (c->op == FILTER_EQUAL || c->op == FILTER_DIFFER) {
        add_fits(m, c, "a.value");
    } else {
        add(m, "filter_number_order(a.value, ");
        add_text(m, c->values[0].text);
        add(m, ")");
        add(m, order_sql(c->op));
        add(m, "0");
    }
    add(m, "))");
}

static void add_time(struct maker *m, const struct filter_node *c, const char *column)
{
    add(m, column);
    add(m, order_sql(c->op));
    add_value(m, (struct filter_sql_value){.number = filter_time_at(c->time, m->now_ms)});
}

static void add_comparison(struct maker *m, const struct filter_node *c)
{
    add(m, c->op == FILTER_DIFFER ? "NOT (" : "(");
    switch (c->field) {
    case FIELD_ID:
        add_fits(m, c, "d.id");
        break;
    case FIELD_MODEL:
        add_fits(m, c, "d.model");
        break;
    case FIELD_VERSION:
        add_nullable(m, c, "d.version");
        break;
    case FIELD_NAME:
        add_nullable(m, c, "d.name");
        break;
    case FIELD_TAG:
        add(m, "EXISTS (SELECT 1 FROM device_tag t WHERE t.device = d.pk AND (");
        add_fits(m, c, "t.tag");
        add(m, "))");
        break;
    case FIELD_ATTRIBUTE:
        add_attribute(m, c);
        break;
    case FIELD_CREATED:
        add_time(m, c, "d.created_at");
        break;
    case FIELD_LAST_SEEN:
        add_time(m, c, "coalesce(d.last_seen_at, 0)");
        break;
    }
    add(m, ")");
}

/* As deep as the filter's text nests, which is bounded. */
static void add_node(struct maker *m, const struct filter_node *n)
{
    if (n->kind == FILTER_COMPARISON) {
        add_comparison(m, n);
        return;
    }
    const char *between = "(";
    for (const struct filter_node *it = n->first; it != NULL; it = it->next) {
        add(m, between);
        add_node(m, it);
        between = n->kind == FILTER_AND ? " AND " : " OR ";
    }
    add(m, ")");
}

int filter_sql_make(const struct filter *f, int first, int64_t now_ms, struct filter_sql *out, struct err *e)
{
    *out = (struct filter_sql){0};
    if (first < 1 || (size_t)first + VARIABLES_EACH * f->values > VARIABLE_MAX)
        return err_set(e, ERR_INTERNAL, "a filter's variables cannot begin with %d", first);
    out->first = out->next = first;
    buf_init(&out->text, TEXT_MAX);
    arena_init(&out->memory, MEMORY_MAX);
    struct maker m = {.q = out, .now_ms = now_ms};
    out->values = arena_array(&out->memory, struct filter_sql_value, VARIABLES_EACH * f->values + 1);
    if (out->values == NULL)
        m.rc = ERR_NOMEM;
    else if (f->root == NULL)
        add(&m, "(1)");
    else
        add_node(&m, f->root);
    if (m.rc == 0)
        return 0;
    filter_sql_fini(out);
    return err_set(e, m.rc, "a filter cannot be made into SQL: %s",
                   m.rc == ERR_NOMEM ? "no memory" : "it becomes too long");
}

int filter_sql_bind(const struct filter_sql *q, struct stmt *s)
{
    for (int i = 0; i < q->next - q->first; i++) {
        const struct filter_sql_value *v = &q->values[i];
        if (v->text.p != NULL)
            stmt_str(s, q->first + i, v->text);
        else
            stmt_i64(s, q->first + i, v->number);
    }
    return s->bind_rc == SQLITE_OK ? 0 : db_fail(s->db, s->bind_rc, NULL);
}

void filter_sql_fini(struct filter_sql *q)
{
    buf_fini(&q->text);
    arena_fini(&q->memory);
    *q = (struct filter_sql){0};
}

static struct str text_of(sqlite3_value *v)
{
    const char *p = (const char *)sqlite3_value_text(v); /* before the bytes are asked for */
    return (struct str){.p = p, .n = p != NULL ? (size_t)sqlite3_value_bytes(v) : 0};
}

/* filter_pattern_fits(pattern, text): 0 or 1. */
static void pattern_fits(sqlite3_context *context, int count, sqlite3_value **args)
{
    (void)count;
    sqlite3_result_int(context, filter_pattern_fits(text_of(args[0]), text_of(args[1])));
}

/* filter_number_order(value, number): negative, 0 or positive; NULL where value is no number. */
static void number_order(sqlite3_context *context, int count, sqlite3_value **args)
{
    int order;
    (void)count;
    if (filter_number_order(text_of(args[0]), text_of(args[1]), &order))
        sqlite3_result_int(context, order);
}

int filter_sql_register(struct db *db, struct err *e)
{
    static const struct {
        const char *name;
        void (*call)(sqlite3_context *context, int count, sqlite3_value **args);
    } rows[] = {{"filter_pattern_fits", pattern_fits}, {"filter_number_order", number_order}};
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && rc == SQLITE_OK; i++)
        rc = sqlite3_create_function_v2(db_raw(db), rows[i].name, 2, flags, NULL, rows[i].call, NULL, NULL,
                                        NULL);
    return rc == SQLITE_OK ? 0 : db_fail(db, rc, e);
}
