#include "store/outbox.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/db.h"
#include "store/db_open.h"
#include "store/events.h"

#define EVENT_CURSOR "mqtt.events" /* in meta */
#define BROKER_KNOWN "mqtt.broker"

static const char *const words[] = {"release", "deployment", "device"};

/* In the order of enum outbox_kind. */
#define COLUMNS                                                                                              \
    "SELECT pk, CASE kind WHEN 'release' THEN 0 WHEN 'deployment' THEN 1 ELSE 2 END, ref, position"          \
    " FROM outbox "

static struct outbox_row read_row(struct stmt *s)
{
    return (struct outbox_row){.pk = stmt_get_i64(s, 0),
                               .kind = (enum outbox_kind)stmt_get_i64(s, 1),
                               .ref = stmt_get_i64(s, 2),
                               .position = stmt_get_i64(s, 3)};
}

int store_outbox_next(struct db *db, int64_t after, size_t limit, struct outbox_row *out, size_t *count,
                      struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, COLUMNS "WHERE pk > ? AND kind <> 'deployment' ORDER BY pk LIMIT ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, after);
    stmt_i64(&s, 2, (int64_t)limit);
    size_t n = 0;
    while (n < limit && (rc = stmt_step(&s, e)) == STMT_ROW)
        out[n++] = read_row(&s);
    if (rc < 0)
        return rc;
    *count = n;
    return 0;
}

int store_outbox_deployment(struct db *db, struct outbox_row *out, struct err *e)
{
    /* The plus keeps the planner from walking past the rows of all devices. */
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, COLUMNS "WHERE kind = 'deployment' ORDER BY +pk LIMIT 1", e);
    if (rc != 0)
        return rc;
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *out = rc == STMT_ROW ? read_row(&s) : (struct outbox_row){0};
    return 0;
}

int store_outbox_waiting(struct db *db, int64_t *count, int64_t *oldest_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT ?)),"
                        " (SELECT created_at FROM outbox ORDER BY pk LIMIT 1)",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, OUTBOX_COUNT_MAX);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *count = stmt_get_i64(&s, 0);
    *oldest_ms = stmt_get_i64(&s, 1);
    return 0;
}

int store_outbox_put(struct db *db, enum outbox_kind kind, int64_t ref, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "INSERT OR REPLACE INTO outbox (kind, ref, created_at) VALUES (?, ?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, words[kind]);
    stmt_i64(&s, 2, ref);
    stmt_i64(&s, 3, now_ms);
    rc = stmt_run(&s, e);
    if (rc == 0)
        db_note_news(db);
    return rc;
}

int store_outbox_advance(struct db *db, int64_t pk, int64_t position, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE outbox SET position = ?2 WHERE pk = ?1 AND position < ?2", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    stmt_i64(&s, 2, position);
    return stmt_run(&s, e);
}

int store_outbox_done(struct db *db, int64_t pk, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "DELETE FROM outbox WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    return stmt_run(&s, e);
}

int store_outbox_event_cursor(struct db *db, int64_t *event, struct err *e)
{
    return db_get_i64(
        db, "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = '" EVENT_CURSOR "'), -1)",
        event, e);
}

int store_outbox_event_cursor_set(struct db *db, int64_t event, struct err *e)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, event);
    auto_stmt struct stmt s = {0};
    int rc =
        event < 0
            ? db_prepare(db, &s, "DELETE FROM meta WHERE key IN ('" EVENT_CURSOR "', '" BROKER_KNOWN "')", e)
            : db_prepare(db, &s,
                         "INSERT INTO meta (key, value) VALUES ('" EVENT_CURSOR "', ?1)"
                         " ON CONFLICT (key) DO UPDATE SET value = ?1 WHERE value <> ?1",
                         e);
    if (rc != 0)
        return rc;
    if (event >= 0)
        stmt_text(&s, 1, text);
    return stmt_run(&s, e);
}

int store_outbox_broker_known(struct db *db, bool *known, struct err *e)
{
    int64_t n;
    int rc = db_get_i64(db, "SELECT count(*) FROM meta WHERE key = '" BROKER_KNOWN "'", &n, e);
    if (rc == 0)
        *known = n > 0;
    return rc;
}

int store_outbox_broker_know(struct db *db, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "INSERT INTO meta (key, value) VALUES ('" BROKER_KNOWN "', '1') ON CONFLICT DO NOTHING", e);
    return rc == 0 ? stmt_run(&s, e) : rc;
}

int store_outbox_events_waiting(struct db *db, int64_t *count, struct err *e)
{
    /* Events are numbered without gaps and forgotten from the oldest on. */
    int64_t cursor, last;
    int rc = store_outbox_event_cursor(db, &cursor, e);
    if (rc == 0)
        rc = store_event_last(db, &last, e);
    if (rc == 0)
        *count = cursor >= 0 && last > cursor ? last - cursor : 0;
    return rc;
}
