#include "store/settings.h"

#include "store/db.h"

int store_setting_put(struct db *db, const struct setting *setting, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO setting (key, value, changed_at, changed_by) VALUES (?, ?, ?, ?)"
                        " ON CONFLICT (key) DO UPDATE SET value = excluded.value,"
                        " changed_at = excluded.changed_at, changed_by = excluded.changed_by",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, setting->key);
    stmt_text(&s, 2, setting->value);
    stmt_i64(&s, 3, setting->changed_at);
    stmt_text(&s, 4, setting->changed_by);
    return stmt_run(&s, e);
}

int store_setting_remove(struct db *db, const char *key, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "DELETE FROM setting WHERE key = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, key);
    return stmt_run(&s, e);
}

int store_setting_list(struct db *db, struct arena *a, struct setting **out, size_t *count, struct err *e)
{
    struct setting *list = arena_array(a, struct setting, STORE_SETTINGS_MAX);
    auto_stmt struct stmt s = {0};
    bool oom = list == NULL;
    size_t n = 0;
    int rc = db_prepare(db, &s, "SELECT key, value, changed_at, changed_by FROM setting ORDER BY key", e);
    while (rc == 0 && !oom && n < STORE_SETTINGS_MAX && (rc = stmt_step(&s, e)) == STMT_ROW) {
        list[n++] = (struct setting){
            .key = stmt_get_text(&s, 0, a, &oom),
            .value = stmt_get_text(&s, 1, a, &oom),
            .changed_at = stmt_get_i64(&s, 2),
            .changed_by = stmt_get_text(&s, 3, a, &oom),
        };
        rc = 0;
    }
    if (rc < 0)
        return rc;
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read the settings");
    *out = list;
    *count = n;
    return 0;
}
