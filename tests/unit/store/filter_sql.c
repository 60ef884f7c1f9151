/* The SQL of a filter and filter_match say the same of the same devices. */
#include "fixture.h"

#include <sqlite3.h>

#include "filter_grow.h"
#include "store/filter_sql.h"

#define FILTERS 250 /* for each set of devices */

/* ---- devices ---- */

static int put_texts(struct db *db, const char *sql, const char *a, const char *b, int64_t pk, struct err *e)
{
    auto_stmt struct stmt s;
    int rc = db_prepare_once(db, &s, sql, e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, a);
    stmt_text(&s, 2, b);
    stmt_i64(&s, 3, pk);
    return stmt_run(&s, e);
}

static int put_device(struct db *db, const struct grown_device *d, int64_t pk, struct err *e)
{
    auto_stmt struct stmt s;
    int rc = db_prepare(db, &s,
                        "INSERT INTO device (pk, id, model, version, name, created_at, last_seen_at)"
                        " VALUES (?, ?, ?, iif(?1 % 2, nullif(?4, ''), ?4), ?, ?, nullif(?, 0))",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    stmt_text(&s, 2, d->id);
    stmt_text(&s, 3, d->model);
    stmt_text(&s, 4, d->version);
    stmt_text(&s, 5, d->name);
    stmt_i64(&s, 6, d->created_at);
    stmt_i64(&s, 7, d->last_seen_at);
    rc = stmt_run(&s, e);
    for (size_t i = 0; rc == 0 && i < d->tag_count; i++)
        rc = put_texts(db, "INSERT INTO device_tag (tag, id, device) VALUES (?, ?, ?)", d->tags[i], d->id, pk,
                       e);
    for (size_t i = 0; rc == 0 && i < d->attribute_count; i++)
        rc = put_texts(db, "INSERT INTO device_attribute (key, value, device) VALUES (?, ?, ?)", d->keys[i],
                       d->values[i], pk, e);
    return rc;
}

static int put_devices(struct db *db, void *arg, struct err *e)
{
    const struct grower *g = arg;
    int rc = db_exec(db, "DELETE FROM device", e);
    for (size_t i = 0; rc == 0 && i < GROW_DEVICES; i++)
        rc = put_device(db, &g->devices[i], (int64_t)i + 1, e);
    return rc;
}

static int run_sql(struct db *db, void *arg, struct err *e)
{
    return db_exec(db, arg, e);
}

static void open_with_attributes(struct fixture *f)
{
    fixture_open(f);
    if (fixture_ask(f, "SELECT count(*) FROM pragma_table_info('device') WHERE name = 'name'") == 0)
        assert_ok(store_write_now(f->store, run_sql, "ALTER TABLE device ADD COLUMN name TEXT", &f->e), f->e);
    assert_ok(store_write_now(f->store, run_sql,
                              "CREATE TABLE IF NOT EXISTS device_attribute ("
                              "  device INTEGER NOT NULL REFERENCES device (pk) ON DELETE CASCADE,"
                              "  key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (device, key)"
                              ") STRICT, WITHOUT ROWID;",
                              &f->e),
              f->e);
}

/* The device as filter_match sees it. */
struct view {
    struct filter_device d;
    struct str tags[GROW_MORE];
    struct filter_attribute attributes[GROW_MORE];
};

static struct str text_of(const char text[GROW_TEXT])
{
    return (struct str){.p = text, .n = strnlen(text, GROW_TEXT)};
}

static void view_of(const struct grown_device *d, struct view *v)
{
    *v = (struct view){.d = {.id = text_of(d->id),
                             .model = text_of(d->model),
                             .version = text_of(d->version),
                             .name = text_of(d->name),
                             .created_at = d->created_at,
                             .last_seen_at = d->last_seen_at,
                             .tag_count = d->tag_count,
                             .attribute_count = d->attribute_count}};
    for (size_t i = 0; i < d->tag_count; i++)
        v->tags[i] = text_of(d->tags[i]);
    for (size_t i = 0; i < d->attribute_count; i++)
        v->attributes[i] = (struct filter_attribute){text_of(d->keys[i]), text_of(d->values[i])};
    v->d.tags = v->tags;
    v->d.attributes = v->attributes;
}

/* ---- the property ---- */

/* Which devices a question with this SQL around the condition gives. A first variable stands before the
   condition's own; what is selected second must be 1. */
static void ask(struct db *db, const struct filter *f, const char *before, const char *after,
                bool found[GROW_DEVICES], const char *text)
{
    struct err e = {0};
    auto_filter_sql struct filter_sql q;
    auto_buf struct buf sql;
    struct stmt s;
    buf_init(&sql, 1 << 20);
    assert_ok(filter_sql_make(f, 2, GROW_NOW, &q, &e), e);
    assert_int_equal(buf_printf(&sql, "%s%s%s", before, q.text.p, after), 0);
    int rc = db_prepare_once(db, &s, sql.p, &e);
    if (rc != 0)
        fail_msg("%s\n%s\n%s", text, sql.p, e.text);
    assert_int_equal(sqlite3_bind_parameter_count(s.raw), q.next - 1 > 1 ? q.next - 1 : 1);
    stmt_i64(&s, 1, 0);
    assert_int_equal(filter_sql_bind(&q, &s), 0);
    memset(found, 0, GROW_DEVICES * sizeof *found);
    while ((rc = stmt_step(&s, &e)) == STMT_ROW) {
        int64_t pk = stmt_get_i64(&s, 0);
        assert_in_range(pk, 1, GROW_DEVICES);
        assert_false(found[pk - 1]);
        if (stmt_is_null(&s, 1))
            fail_msg("%s\n%s\nis NULL for a device", text, sql.p);
        found[pk - 1] = stmt_get_i64(&s, 1) == 1;
    }
    stmt_done(&s);
    assert_int_equal(rc, STMT_END);
}

struct seen {
    size_t pairs, matches;
    size_t both; /* filters of one comparison that some devices match, and others not */
};

static void check_ids(const struct filter *f, const struct grown_device *d, const char *text)
{
    const struct str *ids;
    size_t count;
    if (!filter_ids(f, &ids, &count))
        return;
    for (size_t i = 0; i < count; i++)
        if (str_is(ids[i], d->id))
            return;
    fail_msg("%s\nmatches %s, which is not among its ids", text, d->id);
}

static void check_filter(struct grower *g, struct db *db, const char *text, size_t comparisons,
                         struct seen *seen)
{
    auto_arena struct arena a;
    arena_init(&a, FILTER_MEMORY_MAX);
    struct err e = {0};
    const struct filter *f = NULL;
    bool where[GROW_DEVICES], value[GROW_DEVICES];
    size_t matches = 0;
    if (filter_parse(str_of(text), &a, &f, &e) != 0)
        fail_msg("%s\n%s", text, e.text);
    ask(db, f, "SELECT d.pk, 1 FROM device d WHERE d.pk > ?1 AND ", " ORDER BY d.pk", where, text);
    ask(db, f, "SELECT d.pk, ", " FROM device d WHERE d.pk > ?1", value, text);
    for (size_t i = 0; i < GROW_DEVICES; i++) {
        struct view v;
        view_of(&g->devices[i], &v);
        bool match = filter_match(f, &v.d, GROW_NOW);
        if (where[i] != match || value[i] != match)
            fail_msg("PQOTA_SEED=%llu\n%s\nfor device %zu (%s): in C %d, in SQL %d, as a value %d",
                     (unsigned long long)g->seed, text, i + 1, g->devices[i].id, match, where[i], value[i]);
        if (match)
            check_ids(f, &g->devices[i], text);
        if (!match)
            assert_false(filter_is_all(f));
        matches += match;
    }
    seen->pairs += GROW_DEVICES;
    seen->matches += matches;
    seen->both += comparisons == 1 && matches > 0 && matches < GROW_DEVICES;
}

static void check_round(struct fixture *f, struct grower *g, struct seen *seen)
{
    struct db *db = NULL;
    for (size_t i = 0; i < GROW_DEVICES; i++)
        grow_device(g, &g->devices[i], i);
    assert_ok(store_write_now(f->store, put_devices, g, &f->e), f->e);
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    for (size_t i = 0; i < FILTERS; i++) {
        auto_buf struct buf text;
        buf_init(&text, FILTER_TEXT_MAX);
        grow_add(&text, "");
        size_t comparisons = grow_filter(g, &text, (int)grow_random(g, 4));
        if (comparisons <= FILTER_COMPARISONS_MAX)
            check_filter(g, db, text.p, comparisons, seen);
    }
    store_reader_free(db);
}

/* PQOTA_SEED: another seed; PQOTA_LONG: a hundred times as many. */
static void sql_says_what_c_says(void **state)
{
    struct fixture *f = *state;
    const char *given = getenv("PQOTA_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : 20261123;
    size_t rounds = getenv("PQOTA_LONG") != NULL ? 800 : 8;
    struct seen seen = {0};
    struct grower *g = calloc(1, sizeof *g);
    assert_non_null(g);
    open_with_attributes(f);
    print_message("seeds from %llu, %zu of them\n", (unsigned long long)seed, rounds);
    for (size_t i = 0; i < rounds; i++) {
        g->x = (seed + i) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        g->seed = seed + i;
        check_round(f, g, &seen);
    }
    free(g);
    print_message("%zu pairs, %zu match, %zu single comparisons tell devices apart\n", seen.pairs,
                  seen.matches, seen.both);
    /* It would show nothing if hardly any matched, or nearly all did. */
    assert_in_range(seen.pairs, rounds * FILTERS * GROW_DEVICES * 9 / 10, rounds * FILTERS * GROW_DEVICES);
    assert_in_range(seen.matches, seen.pairs / 6, seen.pairs * 5 / 6);
    assert_true(seen.both > rounds * FILTERS / 6);
}

/* ---- the rest ---- */

static void plan_of(struct fixture *f, const char *text, char *out, size_t size)
{
    auto_arena struct arena a;
    auto_filter_sql struct filter_sql q;
    arena_init(&a, FILTER_MEMORY_MAX);
    const struct filter *filter = NULL;
    struct db *db = NULL;
    struct stmt s;
    bool oom = false;
    char sql[4096];
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    assert_ok(filter_parse(str_of(text), &a, &filter, &f->e), f->e);
    assert_ok(filter_sql_make(filter, 1, GROW_NOW, &q, &f->e), f->e);
    snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN SELECT d.id FROM device d WHERE %s", q.text.p);
    assert_ok(db_prepare_once(db, &s, sql, &f->e), f->e);
    filter_sql_bind(&q, &s);
    out[0] = '\0';
    while (stmt_step(&s, &f->e) == STMT_ROW) {
        const char *line = stmt_get_text(&s, 3, &a, &oom);
        assert_non_null(line);
        snprintf(out + strlen(out), size - strlen(out), "%s\n", line);
    }
    stmt_done(&s);
    store_reader_free(db);
}

/* Tags and attributes are looked up by device; what names a device, model or version is found by index. */
static void indexes_are_used(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *plan;
    } rows[] = {
        {"tag==a", "SEARCH t USING COVERING INDEX device_tag_by_device (device=? AND tag=?)"},
        {"tag!=a*", "SEARCH t USING COVERING INDEX device_tag_by_device (device=?"},
        {"tag=out=(a,b,c*)", "SEARCH t USING COVERING INDEX device_tag_by_device (device=?"},
        {"attribute.x==1", "SEARCH a USING "},
        {"attribute.x!=1*", "SEARCH a USING "},
        {"attribute.x<1", "SEARCH a USING "},
        {"id==a", "SEARCH d USING COVERING INDEX sqlite_autoindex_device_1 (id=?)"},
        {"id=in=(a,b)", "SEARCH d USING COVERING INDEX sqlite_autoindex_device_1 (id=?)"},
        {"id==a*", "SEARCH d USING COVERING INDEX sqlite_autoindex_device_1 (id>? AND id<?)"},
        {"model==a", "SEARCH d USING "},
        {"model==a;version==b",
         "SEARCH d USING COVERING INDEX device_by_model_version (model=? AND version=?)"},
        {"version==b", "SEARCH d USING COVERING INDEX device_by_version (version=?)"},
    };
    open_with_attributes(f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char plan[2048];
        plan_of(f, rows[i].text, plan, sizeof plan);
        if (strstr(plan, rows[i].plan) == NULL || strstr(plan, "SCAN t") != NULL ||
            strstr(plan, "SCAN a") != NULL)
            fail_msg("%s:\n%s", rows[i].text, plan);
    }
}

/* The most that fits into a filter's text fits into SQLite as well. */
static void largest(void **state)
{
    struct fixture *f = *state;
    static const char *const pieces[] = {"*", "a", "?", "a*"};
    struct grower *g = calloc(1, sizeof *g);
    assert_non_null(g);
    open_with_attributes(f);
    assert_ok(store_write_now(f->store, run_sql, "DELETE FROM device", &f->e), f->e);
    struct db *db = NULL;
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
        auto_arena struct arena a;
        auto_buf struct buf text;
        const struct filter *filter = NULL;
        bool found[GROW_DEVICES];
        arena_init(&a, FILTER_MEMORY_MAX);
        buf_init(&text, FILTER_TEXT_MAX);
        grow_add(&text, "((((((((((((((((id!=*");
        for (size_t list = 0; list < 63 && text.n + 3 * FILTER_LIST_MAX + 64 < FILTER_TEXT_MAX; list++) {
            grow_add(&text, list % 2 ? ",attribute.x=in=(0" : ";tag=out=(0");
            for (size_t i = 1; i < FILTER_LIST_MAX; i++) {
                grow_add(&text, ",");
                grow_add(&text, pieces[k]);
            }
            grow_add(&text, ")");
        }
        grow_add(&text, "))))))))))))))))");
        assert_ok(filter_parse(buf_str(&text), &a, &filter, &f->e), f->e);
        ask(db, filter, "SELECT d.pk, 1 FROM device d WHERE d.pk > ?1 AND ", "", found, "the largest");
        struct filter_sql q;
        assert_int_equal(filter_sql_make(filter, 32000, GROW_NOW, &q, &f->e), ERR_INTERNAL);
        filter_sql_fini(&q);
        assert_int_equal(filter_sql_make(filter, 0, GROW_NOW, &q, &f->e), ERR_INTERNAL);
    }
    store_reader_free(db);
    free(g);
}

/* Values are bound, whatever they hold: nothing of a text gets into the SQL. */
static void values_are_bound(void **state)
{
    (void)state;
    auto_arena struct arena a;
    auto_filter_sql struct filter_sql q;
    arena_init(&a, FILTER_MEMORY_MAX);
    const struct filter *f = NULL;
    struct err e = {0};
    assert_ok(filter_parse(STR("attribute.QQ==QQ;tag=in=(QQ,QQ*);id!=QQ;last_seen<123456;attribute.QQ<77"),
                           &a, &f, &e),
              e);
    assert_ok(filter_sql_make(f, 7, GROW_NOW, &q, &e), e);
    assert_null(strstr(q.text.p, "QQ"));
    assert_null(strstr(q.text.p, "123456"));
    assert_null(strstr(q.text.p, "77"));
    assert_int_equal(q.first, 7);
    assert_int_equal(q.next, 17);
    assert_non_null(strstr(q.text.p, "?7"));
    assert_non_null(strstr(q.text.p, "?16"));
    assert_null(strstr(q.text.p, "?17"));
    filter_sql_fini(&q);
    assert_ok(filter_parse(STR(""), &a, &f, &e), e);
    assert_ok(filter_sql_make(f, 1, GROW_NOW, &q, &e), e);
    assert_string_equal(q.text.p, "(1)");
    assert_int_equal(q.next, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sql_says_what_c_says, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(indexes_are_used, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(largest, fixture_setup, fixture_teardown),
        cmocka_unit_test(values_are_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
