#include "store/targets.h"

#include "store/db.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to list targets; ask for fewer at once");
}

/* --- devices ----------------------------------------------------------------------------------------- */

#define COLUMNS                                                                                              \
    "d.pk, d.id, d.model, d.version, d.version_at, d.created_at, d.last_seen_at, d.revoked_at, d.name,"      \
    " d.interface = 'ddi', d.certified_at, d.transport, d.attributes_wanted, d.description,"                 \
    " EXISTS (SELECT 1 FROM auto_confirm c WHERE c.device = d.pk), l.pk, l.release, l.state, s.release,"     \
    " s.closed_at, l.closed_at IS NULL"
#define TABLES                                                                                               \
    "device d LEFT JOIN action l ON l.pk = (SELECT max(x.pk) FROM action x WHERE x.device = d.pk)"           \
    " LEFT JOIN action s ON s.pk ="                                                                          \
    "  (SELECT max(y.pk) FROM action y WHERE y.device = d.pk AND y.state = 'succeeded')"

static int read_target(struct stmt *s, struct arena *a, struct target *out, struct err *e)
{
    bool oom = false;
    struct target t = {
        .device =
            {
                .pk = stmt_get_i64(s, 0),
                .id = stmt_get_text(s, 1, a, &oom),
                .model = stmt_get_text(s, 2, a, &oom),
                .version = stmt_get_text(s, 3, a, &oom),
                .version_at = stmt_get_i64(s, 4),
                .created_at = stmt_get_i64(s, 5),
                .last_seen_at = stmt_get_i64(s, 6),
                .revoked_at = stmt_get_i64(s, 7),
                .name = stmt_get_text(s, 8, a, &oom),
                .ddi = stmt_get_i64(s, 9) != 0,
                .certified_at = stmt_get_i64(s, 10),
                .transport = stmt_get_text(s, 11, a, &oom),
                .attributes_wanted = (enum attributes_wanted)stmt_get_i64(s, 12),
                .utc_offset = DEVICE_NO_OFFSET,
            },
        .description = stmt_get_text(s, 13, a, &oom),
        .auto_confirm = stmt_get_i64(s, 14) != 0,
        .action = stmt_get_i64(s, 15),
        .action_release = stmt_get_i64(s, 16),
        .installed_release = stmt_get_i64(s, 18),
        .installed_at = stmt_get_i64(s, 19),
        .action_open = stmt_get_i64(s, 20) != 0,
    };
    const char *state = stmt_get_text(s, 17, a, &oom);
    if (oom)
        return no_memory(e);
    if (state != NULL && action_state_parse(str_of(state), &t.action_state) != 0)
        return err_set(e, ERR_CORRUPT, "action %lld has the unknown state \"%s\"", (long long)t.action,
                       state);
    *out = t;
    return 0;
}

int store_target(struct db *db, struct arena *a, const char *id, struct target *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " COLUMNS " FROM " TABLES " WHERE d.id = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, id);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no target \"%s\"", id);
    return rc < 0 ? rc : read_target(&s, a, out, e);
}

/* Which they are, and then each: what is passed over for the offset, or sorted, is looked up no further. */
int store_target_list(struct db *db, struct arena *a, const struct listing *q, struct target **out,
                      size_t *count, int64_t *total, struct err *e)
{
    auto_listing struct listing_rows r = {0};
    struct target *list = arena_array(a, struct target, q->limit + 1);
    if (list == NULL)
        return no_memory(e);
    int rc = listing_open(db, "d.id", "device d", "?1 = 0", q, &r, e);
    if (rc != 0)
        return rc;
    stmt_i64(&r.s, 1, 0);
    size_t n = 0;
    while (rc == 0 && n < q->limit && (rc = stmt_step(&r.s, e)) == STMT_ROW) {
        bool oom = false;
        const char *id = stmt_get_text(&r.s, 0, a, &oom);
        rc = oom ? no_memory(e) : store_target(db, a, id, &list[n++], e);
    }
    if (rc < 0)
        return rc;
    rc = listing_total(db, "device d", "?1 = 0", 0, q, total, e);
    if (rc != 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}

/* --- writing ----------------------------------------------------------------------------------------- */

int store_target_describe(struct db *db, int64_t device, const char *name, const char *description, int want,
                          struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s,
                   "UPDATE device SET name = coalesce(?1, name), description = coalesce(?2, description),"
                   " attributes_wanted = coalesce(?3, attributes_wanted) WHERE pk = ?4",
                   e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, name);
    stmt_text(&s, 2, description);
    if (want >= 0)
        stmt_i64(&s, 3, want != 0);
    else
        stmt_null(&s, 3);
    stmt_i64(&s, 4, device);
    return stmt_run(&s, e);
}

static int has_certificates(struct db *db, int64_t device, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT EXISTS (SELECT 1 FROM certificate WHERE device = ?)", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    if (stmt_get_i64(&s, 0) != 0)
        return err_set(e, ERR_CONFLICT,
                       "the device has certificates, whose revocation would be forgotten with it: revoke it "
                       "instead (pqota device revoke)");
    return 0;
}

/* Of each deployment, by the key that its members have. */
static int remove_members(struct db *db, int64_t device, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "DELETE FROM member WHERE deployment IN (SELECT pk FROM deployment) AND device = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    return stmt_run(&s, e);
}

int store_target_remove(struct db *db, int64_t device, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = has_certificates(db, device, e);
    if (rc == 0)
        rc = remove_members(db, device, e);
    if (rc == 0)
        rc = db_prepare(db, &s, "DELETE FROM device WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    return stmt_run(&s, e);
}
