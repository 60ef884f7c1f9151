/* Any text as a filter: taken, or refused with a column of it. What is taken says the same of a device in C
   and in SQL; lines after the first are the device's values. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/db_open.h"
#include "store/filter_sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1800000000000

static const char schema[] =
    "CREATE TABLE device (pk INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, version TEXT,"
    "  name TEXT, created_at INTEGER NOT NULL, last_seen_at INTEGER) STRICT;"
    "CREATE TABLE device_tag (tag TEXT NOT NULL, id TEXT NOT NULL, device INTEGER NOT NULL,"
    "  PRIMARY KEY (tag, id)) STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX device_tag_by_device ON device_tag (device, tag);"
    "CREATE TABLE device_attribute (device INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    "  PRIMARY KEY (device, key)) STRICT, WITHOUT ROWID;"
    "INSERT INTO device VALUES (1, '', '', NULL, NULL, 0, NULL);"
    "INSERT INTO device_tag VALUES ('', '', 1);"
    "INSERT INTO device_attribute VALUES (1, 'x', '');";

static void run(struct db *db, const char *sql, const struct str *values, int count, bool *row)
{
    auto_stmt struct stmt s;
    struct err e;
    if (db_prepare_once(db, &s, sql, &e) != 0)
        abort();
    for (int i = 0; i < count; i++)
        stmt_str(&s, i + 1, values[i]);
    int rc = stmt_step(&s, &e);
    if (rc < 0)
        abort();
    if (row != NULL)
        *row = rc == STMT_ROW;
}

static bool sql_match(struct db *db, const struct filter *f)
{
    auto_filter_sql struct filter_sql q;
    auto_stmt struct stmt s;
    auto_buf struct buf sql;
    struct err e;
    buf_init(&sql, 1 << 20);
    if (filter_sql_make(f, 1, NOW, &q, &e) != 0 ||
        buf_printf(&sql, "SELECT %s FROM device d", q.text.p) != 0 ||
        db_prepare_once(db, &s, sql.p, &e) != 0 || filter_sql_bind(&q, &s) != 0 ||
        stmt_step(&s, &e) != STMT_ROW || stmt_is_null(&s, 0))
        abort();
    bool match = stmt_get_i64(&s, 0) == 1;
    stmt_done(&s);
    return match;
}

/* id, model, version, name, a tag, the attribute x. */
static void compare(struct db *db, const struct filter *f, const struct str v[6])
{
    struct filter_attribute x = {.key = STR("x"), .value = v[5]};
    struct filter_device d = {.id = v[0],
                              .model = v[1],
                              .version = v[2],
                              .name = v[3],
                              .tags = &v[4],
                              .tag_count = 1,
                              .attributes = &x,
                              .attribute_count = 1};
    const struct str *ids;
    size_t count, i = 0;
    run(db, "UPDATE device SET id = ?, model = ?, version = nullif(?, ''), name = ?", v, 4, NULL);
    run(db, "UPDATE device_tag SET tag = ?", &v[4], 1, NULL);
    run(db, "UPDATE device_attribute SET value = ?", &v[5], 1, NULL);
    bool match = filter_match(f, &d, NOW);
    if (match != sql_match(db, f) || (!match && filter_is_all(f)))
        abort();
    if (!match || !filter_ids(f, &ids, &count))
        return;
    while (i < count && !str_eq(ids[i], d.id))
        i++;
    if (i == count)
        abort();
}

static struct db *open_memory(void)
{
    static struct db *db;
    struct err e;
    if (db == NULL &&
        (db_open(":memory:", DB_WRITE, &clock_system, &db, &e) != 0 || db_exec(db, schema, &e) != 0))
        abort();
    return db;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a, FILTER_MEMORY_MAX);
    char *text = malloc(size > 0 ? size : 1);
    if (text == NULL)
        abort();
    memcpy(text, data, size);
    struct str rest = {.p = text, .n = size}, line = {.p = text, .n = 0}, v[6];
    const struct filter *f = NULL;
    struct err e = {0};
    unsigned column = 0;
    if (!str_split(&rest, '\n', &line))
        line.n = 0;
    int rc = filter_parse(line, &a, &f, &e);
    if (rc != 0 && (rc != ERR_INVALID || f != NULL || !str_is_text(str_of(e.text)) ||
                    sscanf(e.text, "filter, column %u: ", &column) != 1 || column < 1 || column > line.n + 1))
        abort();
    for (int i = 0; i < 6; i++)
        if (!str_split(&rest, '\n', &v[i]) || !str_is_text(v[i]))
            v[i] = STR("a");
    if (rc == 0)
        compare(open_memory(), f, v);
    free(text);
    return 0;
}
