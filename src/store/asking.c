#include "store/asking.h"

#include "store/asking_memo.h"
#include "store/db_open.h"
#include "store/device_row.h"

/* Of tables that store/changes.c watches. What is mostly not there is only asked for its existence, each by a
   partial index of what is. */
#define COLUMNS                                                                                              \
    DEVICE_COLUMNS                                                                                           \
    ", EXISTS (SELECT 1 FROM action o WHERE o.device = d.pk AND o.closed_at IS NULL),"                       \
    " EXISTS (SELECT 1 FROM member m WHERE m.device = d.pk AND m.state IN ('waiting', 'active'))"
#define HAS_ACTION DEVICE_COLUMN_COUNT
#define HAS_MEMBER (HAS_ACTION + 1)
#define INSTALLED (HAS_MEMBER + 1)
#define TOKEN (INSTALLED + 1)

#define DDI ", CASE WHEN d.version IS NULL OR r.version = d.version THEN s.pk END"
#define DDI_FROM                                                                                             \
    " LEFT JOIN action s ON s.pk = (SELECT max(x.pk) FROM action x WHERE x.device = d.pk"                    \
    "  AND x.state = 'succeeded') LEFT JOIN release r ON r.pk = s.release"

static int prepare(struct db *db, struct stmt *s, enum asking_for what, struct err *e)
{
    switch (what) {
    case ASKING_NATIVE:
        break;
    case ASKING_DDI:
        return db_prepare(db, s, "SELECT " COLUMNS DDI " FROM device d" DDI_FROM " WHERE d.id = ?", e);
    case ASKING_DDI_TOKEN:
        return db_prepare(db, s,
                          "SELECT " COLUMNS DDI ", t.hash FROM device d" DDI_FROM
                          " LEFT JOIN device_token t ON t.device = d.pk WHERE d.id = ?",
                          e);
    }
    return db_prepare(db, s, "SELECT " COLUMNS " FROM device d WHERE d.id = ?", e);
}

static int ask(struct db *db, struct arena *a, const char *id, enum asking_for what, struct asking *out,
               struct err *e)
{
    auto_stmt struct stmt s = {0};
    bool oom = false;
    int rc = prepare(db, &s, what, e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, id);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no such device");
    struct asking k = {.device = device_row_read(&s, a, &oom)};
    k.device.last_seen_at = 0; /* changes all the time, and what is kept does not say so */
    k.has_action = stmt_get_i64(&s, HAS_ACTION) != 0;
    k.has_member = stmt_get_i64(&s, HAS_MEMBER) != 0;
    if (what != ASKING_NATIVE)
        k.installed = stmt_get_i64(&s, INSTALLED);
    if (what == ASKING_DDI_TOKEN)
        k.token_hash = stmt_get_text(&s, TOKEN, a, &oom);
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a device");
    *out = k;
    return 0;
}

int store_asking(struct db *db, struct arena *a, const char *id, enum asking_for what, struct asking *out,
                 struct err *e)
{
    uint64_t number;
    if (asking_recall(db, a, id, what, out))
        return 0;
    bool may_keep = db_number(db, &number) != NULL;
    int rc = ask(db, a, id, what, out, e);
    if (rc == 0 && may_keep)
        asking_keep(db, number, what, out);
    return rc;
}
