#include "store/migrate.h"

#include <stdio.h>

#include "base/log.h"

static int newest(const struct migration *list, size_t count)
{
    return count > 0 ? list[count - 1].number : 0;
}

int migrate_version(struct db *db, int *version, struct err *e)
{
    int64_t application = 0, user = 0, things = 0;
    int rc = db_get_i64(db, "PRAGMA application_id", &application, e);
    if (rc == 0)
        rc = db_get_i64(db, "PRAGMA user_version", &user, e);
    if (rc == 0)
        rc = db_get_i64(db, "SELECT count(*) FROM sqlite_schema", &things, e);
    if (rc != 0)
        return rc;
    bool empty = application == 0 && user == 0 && things == 0;
    if (!empty && application != DB_APPLICATION_ID)
        return err_set(e, ERR_CONFLICT,
                       "this is a database of another program, not pqota's; it stays untouched");
    if (user < 0 || (!empty && user == 0))
        return err_set(e, ERR_CORRUPT, "the database has no valid schema version; restore a backup");
    *version = (int)user;
    return 0;
}

int migrate_check(int version, const struct migration *list, size_t count, struct err *e)
{
    if (version <= newest(list, count))
        return 0;
    return err_set(e, ERR_UNSUPPORTED,
                   "the database has schema %d, made by a newer pqota; this one knows up to %d. It stays "
                   "untouched: install the newer pqota, or restore a backup made before the upgrade",
                   version, newest(list, count));
}

static int check_references(struct db *db, struct err *e)
{
    struct stmt s;
    int rc = db_prepare_once(db, &s, "PRAGMA foreign_key_check", e);
    if (rc == 0)
        rc = stmt_step(&s, e);
    if (rc == STMT_ROW)
        rc = err_set(e, ERR_CORRUPT, "rows would be left that refer to nothing");
    stmt_done(&s);
    return rc;
}

static int run_step(struct db *db, const struct migration *m, struct err *e)
{
    char set[128];
    snprintf(set, sizeof set, "PRAGMA user_version = %d; PRAGMA application_id = %d;", m->number,
             DB_APPLICATION_ID);
    int rc = db_exec(db, "BEGIN IMMEDIATE", e);
    if (rc != 0)
        return rc;
    int version = 0;
    rc = migrate_version(db, &version, e);
    if (rc == 0 && version < m->number) { /* not done by somebody else since */
        rc = db_exec(db, m->sql, e);
        if (rc == 0)
            rc = check_references(db, e);
        if (rc == 0)
            rc = db_exec(db, set, e);
    }
    if (rc == 0)
        rc = db_exec(db, "COMMIT", e);
    if (rc != 0 && db_in_transaction(db)) {
        struct err undo;
        if (db_exec(db, "ROLLBACK", &undo) != 0)
            log_error("store", "a failed migration could not be rolled back", LOG_ERR(&undo));
    }
    return rc;
}

int migrate_run(struct db *db, const struct migration *list, size_t count, struct err *e)
{
    int version = 0;
    int rc = migrate_version(db, &version, e);
    if (rc == 0)
        rc = migrate_check(version, list, count, e);
    /* Off while tables are rebuilt, since dropping one would delete what refers to it; each step checks the
       references as a whole before it commits. */
    if (rc == 0)
        rc = db_exec(db, "PRAGMA foreign_keys = OFF", e);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (list[i].number <= version)
            continue;
        rc = run_step(db, &list[i], e);
        if (rc == 0)
            log_info("store", "migrated the database", LOG_I64("schema", list[i].number),
                     LOG_STR("step", list[i].name));
        else if (e != NULL)
            err_context(e, "migrating the database to schema %d (%s)", list[i].number, list[i].name);
    }
    struct err on;
    int on_rc = db_exec(db, "PRAGMA foreign_keys = ON", &on);
    if (rc == 0 && on_rc != 0) {
        rc = on_rc;
        if (e != NULL)
            *e = on;
    }
    return rc;
}
