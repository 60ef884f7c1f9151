#include "store/events.h"

#include <string.h>

#include "store/db.h"
#include "store/db_open.h"

#define SERVER "server" /* who did it, when nobody did: not even who came with what made it do so */

int store_event_add(struct db *db, int64_t now_ms, const char *kind, const char *who, const char *subject,
                    const char *detail, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "INSERT INTO event (at, kind, who, subject, detail, address) VALUES (?, ?, ?, ?, ?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    stmt_text(&s, 2, kind);
    stmt_text(&s, 3, who);
    stmt_text(&s, 4, subject);
    stmt_text(&s, 5, detail != NULL ? detail : "");
    stmt_text(&s, 6, strcmp(who, SERVER) != 0 ? db_origin(db) : "");
    rc = stmt_run(&s, e);
    if (rc == 0)
        db_note_news(db);
    return rc;
}

/* One statement for each set of filters, so that each uses its index. */
#define EVENT_COLUMNS "SELECT pk, at, kind, who, subject, detail, address FROM event WHERE pk < ?1 "
#define EVENT_ORDER "ORDER BY pk DESC LIMIT ?2"

static int prepare_list(struct db *db, struct stmt *s, bool subject, bool kind, struct err *e)
{
    if (subject && kind)
        return db_prepare(db, s, EVENT_COLUMNS "AND subject = ?3 AND +kind = ?4 " EVENT_ORDER, e);
    if (subject)
        return db_prepare(db, s, EVENT_COLUMNS "AND subject = ?3 " EVENT_ORDER, e);
    if (kind)
        return db_prepare(db, s, EVENT_COLUMNS "AND kind = ?4 " EVENT_ORDER, e);
    return db_prepare(db, s, EVENT_COLUMNS EVENT_ORDER, e);
}

static int read_rows(struct stmt *s, struct arena *a, size_t limit, struct event **out, size_t *count,
                     struct err *e)
{
    struct event *list = arena_array(a, struct event, limit);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory to list events");
    int rc = 0;
    bool oom = false;
    size_t n = 0;
    while ((rc = stmt_step(s, e)) == STMT_ROW && n < limit)
        list[n++] = (struct event){
            .id = stmt_get_i64(s, 0),
            .at = stmt_get_i64(s, 1),
            .kind = stmt_get_text(s, 2, a, &oom),
            .who = stmt_get_text(s, 3, a, &oom),
            .subject = stmt_get_text(s, 4, a, &oom),
            .detail = stmt_get_text(s, 5, a, &oom),
            .address = stmt_get_text(s, 6, a, &oom),
        };
    if (rc < 0)
        return rc;
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to list events");
    *out = list;
    *count = n;
    return 0;
}

int store_event_list(struct db *db, struct arena *a, const char *subject, const char *kind, int64_t before,
                     size_t limit, struct event **out, size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = prepare_list(db, &s, subject != NULL, kind != NULL, e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, before > 0 ? before : INT64_MAX);
    stmt_i64(&s, 2, (int64_t)limit);
    if (subject != NULL)
        stmt_text(&s, 3, subject);
    if (kind != NULL)
        stmt_text(&s, 4, kind);
    return read_rows(&s, a, limit, out, count, e);
}

int store_event_last(struct db *db, int64_t *out, struct err *e)
{
    return db_get_i64(db, "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0)", out,
                      e);
}

int store_event_after(struct db *db, struct arena *a, int64_t after, size_t limit, struct event **out,
                      size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT pk, at, kind, who, subject, detail, address FROM event WHERE pk > ?1"
                        " ORDER BY pk LIMIT ?2",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, after);
    stmt_i64(&s, 2, (int64_t)limit);
    return read_rows(&s, a, limit, out, count, e);
}

int store_event_prune(struct db *db, int64_t before_ms, size_t most, size_t *removed, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "DELETE FROM event WHERE pk IN (SELECT pk FROM event WHERE at < ? ORDER BY at LIMIT ?)", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, before_ms);
    stmt_i64(&s, 2, (int64_t)most);
    rc = stmt_run(&s, e);
    if (rc == 0)
        *removed = (size_t)db_changes(db);
    return rc;
}
