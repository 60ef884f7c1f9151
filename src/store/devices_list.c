/* Devices with what hangs on them: lists, one shown, tags, history. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "store/db.h"
#include "store/devices.h"
#include "store/filter_sql.h"

/* The last action is found by its index (device, pk); a device's tags by theirs (device, tag). */
#define SHOW_SQL                                                                                             \
    "SELECT d.pk, d.id, d.model, d.version, d.version_at, d.created_at, d.last_seen_at, d.revoked_at,"       \
    " (SELECT group_concat(tag, ',') FROM (SELECT tag FROM device_tag WHERE device = d.pk ORDER BY tag)),"   \
    " a.pk, a.state, r.pk, r.name, r.version, d.name, d.interface = 'ddi', d.transport, d.utc_offset,"       \
    " d.reason, d.reason_deployment, d.reason_at"                                                            \
    " FROM device d"                                                                                         \
    " LEFT JOIN action a ON a.pk = (SELECT max(x.pk) FROM action x WHERE x.device = d.pk)"                   \
    " LEFT JOIN release r ON r.pk = a.release "

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to list devices; ask for fewer at once");
}

static bool split_tags(struct arena *a, const char *joined, struct device *d)
{
    if (joined == NULL)
        return true;
    const char **tags = arena_array(a, const char *, DEVICE_TAGS_MAX);
    if (tags == NULL)
        return false;
    struct str rest = str_of(joined), part;
    while (d->tag_count < DEVICE_TAGS_MAX && str_split(&rest, ',', &part)) {
        tags[d->tag_count] = arena_dup_str(a, part);
        if (tags[d->tag_count++] == NULL)
            return false;
    }
    d->tags = tags;
    return true;
}

static int read_shown(struct stmt *s, struct arena *a, struct device *out, struct err *e)
{
    bool oom = false;
    *out = (struct device){
        .pk = stmt_get_i64(s, 0),
        .id = stmt_get_text(s, 1, a, &oom),
        .model = stmt_get_text(s, 2, a, &oom),
        .version = stmt_get_text(s, 3, a, &oom),
        .version_at = stmt_get_i64(s, 4),
        .created_at = stmt_get_i64(s, 5),
        .last_seen_at = stmt_get_i64(s, 6),
        .revoked_at = stmt_get_i64(s, 7),
        .action =
            {
                .id = stmt_get_i64(s, 9),
                .state = stmt_get_text(s, 10, a, &oom),
                .release = stmt_get_i64(s, 11),
                .release_name = stmt_get_text(s, 12, a, &oom),
                .release_version = stmt_get_text(s, 13, a, &oom),
            },
        .name = stmt_get_text(s, 14, a, &oom),
        .ddi = stmt_get_i64(s, 15) != 0,
        .transport = stmt_get_text(s, 16, a, &oom),
        .utc_offset = stmt_is_null(s, 17) ? DEVICE_NO_OFFSET : (int)stmt_get_i64(s, 17),
        .reason = (int)stmt_get_i64(s, 18),
        .reason_deployment = stmt_get_i64(s, 19),
        .reason_at = stmt_get_i64(s, 20),
    };
    if (!split_tags(a, stmt_get_text(s, 8, a, &oom), out) || oom)
        return no_memory(e);
    return 0;
}

int store_device_show(struct db *db, struct arena *a, const char *id, struct device *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, SHOW_SQL "WHERE d.id = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, id);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no device \"%s\"", id);
    struct device d;
    rc = read_shown(&s, a, &d, e);
    if (rc == 0)
        *out = d;
    return rc;
}

/* What the ids of a prefix stay below: the prefix with its last byte one higher (ids are ASCII). */
static const char *prefix_end(struct arena *a, const char *prefix)
{
    char *end = arena_dup_str(a, str_of(prefix));
    if (end != NULL && end[0] != '\0')
        end[strlen(end) - 1]++;
    return end;
}

/* Whether the list goes on within the prefix, or begins with it: an index takes one lower bound only. */
static bool is_within(const struct device_filter *f)
{
    return f->after != NULL && (f->prefix == NULL || strcmp(f->after, f->prefix) >= 0);
}

/* A list as it is asked of the database. */
struct listing {
    struct device_filter f;
    const char *from;  /* ids greater than this, or beginning with it */
    const char *until; /* ids less than this; NULL: to the end */
    const char *last;  /* ids up to this: what one page looks at; NULL: all */
    size_t limit;
    struct filter_sql matching; /* values empty: any device */
};
#define FILTER_FIRST 7 /* number of its first variable */

static void listing_fini(struct listing *l)
{
    filter_sql_fini(&l->matching);
}
#define auto_listing __attribute__((cleanup(listing_fini)))

/* The words of the query are ours; values are bound. */
static int build_list(const struct listing *l, struct buf *sql)
{
    const struct device_filter *f = &l->f;
    const char *from = is_within(f) ? ">" : ">=";
    /* Revoked devices are few, in an index of their own: the plus keeps the planner from the other ones. */
    const char *plus = f->revoked > 0 ? "+" : "";
    int rc = buf_printf(sql, "%s", SHOW_SQL);
    if (rc == 0 && f->tag != NULL)
        rc = buf_printf(sql, "JOIN device_tag t ON t.device = d.pk AND t.tag = ?1 AND t.id %s ?5 ", from);
    if (rc == 0)
        rc = buf_printf(sql, "WHERE d.id %s ?5 ", from);
    if (rc == 0 && f->model != NULL)
        rc = buf_printf(sql, "AND %sd.model = ?2 ", plus);
    if (rc == 0 && f->version != NULL)
        rc = buf_printf(sql, "AND %sd.version = ?3 ", plus);
    if (rc == 0 && (l->last != NULL || l->until != NULL))
        rc = buf_printf(sql, "AND %s.id %s ?4 ", f->tag != NULL ? "t" : "d", l->last != NULL ? "<=" : "<");
    if (rc == 0 && f->revoked >= 0)
        rc = buf_printf(sql, f->revoked > 0 ? "AND d.revoked_at IS NOT NULL " : "AND d.revoked_at IS NULL ");
    if (rc == 0 && f->filter != NULL)
        rc = buf_printf(sql, "AND %s ", l->matching.text.p);
    if (rc == 0)
        rc = buf_printf(sql, "ORDER BY %s LIMIT ?6", f->tag != NULL ? "t.id" : "d.id");
    return rc;
}

static void bind_list(struct stmt *s, const struct listing *l)
{
    if (l->f.tag != NULL)
        stmt_text(s, 1, l->f.tag);
    if (l->f.model != NULL)
        stmt_text(s, 2, l->f.model);
    if (l->f.version != NULL)
        stmt_text(s, 3, l->f.version);
    if (l->last != NULL || l->until != NULL)
        stmt_text(s, 4, l->last != NULL ? l->last : l->until);
    stmt_text(s, 5, l->from);
    stmt_i64(s, 6, (int64_t)l->limit);
}

/* Whether one page looks at a part of the devices only: where what is looked for may be rare among them. */
static bool looks_long(const struct device_filter *f)
{
    const struct str *ids;
    size_t count;
    if (f->filter != NULL && !filter_is_all(f->filter) && !filter_ids(f->filter, &ids, &count))
        return true;
    return f->tag != NULL && (f->model != NULL || f->version != NULL || f->revoked >= 0);
}

/* Where one page's look at devices ends, if it does. */
static int find_last(struct db *db, struct arena *a, struct listing *l, struct err *e)
{
    if (!looks_long(&l->f))
        return 0;
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s,
        l->f.tag != NULL ? "SELECT id FROM device_tag WHERE tag = ?1 AND id >= ?2 AND (?3 IS NULL OR id < ?3)"
                           " ORDER BY id LIMIT 1 OFFSET ?4"
                         : "SELECT id FROM device WHERE id >= ?2 AND (?3 IS NULL OR id < ?3)"
                           " ORDER BY id LIMIT 1 OFFSET ?4",
        e);
    if (rc != 0)
        return rc;
    bool oom = false;
    if (l->f.tag != NULL)
        stmt_text(&s, 1, l->f.tag);
    stmt_text(&s, 2, l->from);
    stmt_text(&s, 3, l->until);
    stmt_i64(&s, 4, DEVICE_SCAN_MAX);
    rc = stmt_step(&s, e);
    if (rc == STMT_ROW)
        l->last = stmt_get_text(&s, 0, a, &oom);
    if (rc < 0)
        return rc;
    return oom ? no_memory(e) : 0;
}

static int read_list(struct db *db, struct arena *a, const struct listing *l, struct device *list,
                     size_t *count, struct err *e)
{
    auto_buf struct buf sql;
    buf_init(&sql, 4096 + l->matching.text.n);
    if (build_list(l, &sql) != 0)
        return no_memory(e);
    auto_stmt struct stmt s = {0};
    int rc = db_prepare_once(db, &s, sql.p, e);
    if (rc != 0)
        return rc;
    bind_list(&s, l);
    if (l->f.filter != NULL && (rc = filter_sql_bind(&l->matching, &s)) != 0)
        return err_set(e, rc, "the filter cannot be asked of the database");
    size_t n = 0;
    while ((rc = stmt_step(&s, e)) == STMT_ROW && n < l->limit) {
        rc = read_shown(&s, a, &list[n++], e);
        if (rc != 0)
            return rc;
    }
    if (rc < 0)
        return rc;
    *count = n;
    return 0;
}

int store_device_list(struct db *db, struct arena *a, const struct device_filter *filter, struct device **out,
                      size_t *count, const char **looked, struct err *e)
{
    auto_listing struct listing l = {
        .f = *filter, .limit = filter->limit < STORE_PAGE_MAX ? filter->limit : STORE_PAGE_MAX};
    struct device *list = arena_array(a, struct device, l.limit);
    if (l.f.prefix != NULL && l.f.prefix[0] == '\0')
        l.f.prefix = NULL;
    l.from = is_within(&l.f) ? l.f.after : l.f.prefix != NULL ? l.f.prefix : "";
    l.until = l.f.prefix != NULL ? prefix_end(a, l.f.prefix) : NULL;
    if (list == NULL || (l.f.prefix != NULL && l.until == NULL))
        return no_memory(e);
    size_t n = 0;
    int rc = l.f.filter != NULL ? filter_sql_make(l.f.filter, FILTER_FIRST, l.f.now_ms, &l.matching, e) : 0;
    if (rc == 0)
        rc = find_last(db, a, &l, e);
    if (rc == 0)
        rc = read_list(db, a, &l, list, &n, e);
    if (rc != 0)
        return rc;
    *out = list;
    *count = n;
    *looked = n < l.limit ? l.last : NULL;
    return 0;
}

int store_device_tag(struct db *db, const struct device *d, const char *tag, bool *changed, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "INSERT INTO device_tag (tag, id, device) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, tag);
    stmt_text(&s, 2, d->id);
    stmt_i64(&s, 3, d->pk);
    rc = stmt_run(&s, e);
    if (rc == 0)
        *changed = db_changes(db) > 0;
    return rc;
}

int store_device_untag(struct db *db, const struct device *d, const char *tag, bool *changed, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "DELETE FROM device_tag WHERE tag = ? AND id = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, tag);
    stmt_text(&s, 2, d->id);
    rc = stmt_run(&s, e);
    if (rc == 0)
        *changed = db_changes(db) > 0;
    return rc;
}

int store_device_tag_count(struct db *db, int64_t pk, int64_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT count(*) FROM device_tag WHERE device = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *count = stmt_get_i64(&s, 0);
    return 0;
}

/* --- history ---------------------------------------------------------------------------------------- */

struct position {
    int64_t at, source, pk;
};

static int read_cursor(const char *text, struct position *out, struct err *e)
{
    struct str rest = str_of(text), part;
    uint64_t v[3];
    size_t n = 0;
    for (; n < 3 && str_split(&rest, '.', &part); n++)
        if (str_to_u64(part, INT64_MAX, &v[n]) != 0)
            break;
    if (n < 3 || rest.p != NULL)
        return err_set(e, ERR_INVALID, "\"after\" is no cursor that a list of history gave");
    *out = (struct position){.at = (int64_t)v[0], .source = (int64_t)v[1], .pk = (int64_t)v[2]};
    return 0;
}

static bool read_entry(struct stmt *s, struct arena *a, struct device_history *out)
{
    bool oom = false;
    *out = (struct device_history){
        .at = stmt_get_i64(s, 0),
        .cursor = arena_printf(a, "%lld.%lld.%lld", (long long)stmt_get_i64(s, 0),
                               (long long)stmt_get_i64(s, 1), (long long)stmt_get_i64(s, 2)),
        .kind = stmt_get_text(s, 3, a, &oom),
        .text = stmt_get_text(s, 4, a, &oom),
        .action = stmt_get_i64(s, 5),
        .state = stmt_get_text(s, 6, a, &oom),
        .progress = stmt_is_null(s, 7) ? -1 : stmt_get_i64(s, 7),
        .deployment = stmt_get_i64(s, 8),
        .release = stmt_get_i64(s, 9),
        .release_name = stmt_get_text(s, 10, a, &oom),
        .release_version = stmt_get_text(s, 11, a, &oom),
    };
    return !oom && out->cursor != NULL;
}

int store_device_history(struct db *db, struct arena *a, const struct device *d, const char *after,
                         size_t limit, struct device_history **out, size_t *count, struct err *e)
{
    struct position from = {.at = INT64_MAX, .source = 2};
    int rc = after != NULL ? read_cursor(after, &from, e) : 0;
    if (rc != 0)
        return rc;
    struct device_history *list = arena_array(a, struct device_history, limit);
    if (list == NULL)
        return no_memory(e);
    auto_stmt struct stmt s = {0};
    /* A device's own rows, bounded by retention and by status_max per action, sorted here. */
    rc =
        db_prepare(db, &s,
                   "SELECT h.at, h.source, h.pk, h.kind, h.text, h.action, h.state, h.progress, h.deployment,"
                   "  h.release, r.name, r.version FROM ("
                   " SELECT at, 0 AS source, pk, kind, detail AS text, NULL AS action, NULL AS state,"
                   "  NULL AS progress, NULL AS deployment, NULL AS release"
                   "  FROM event WHERE subject = ?1 AND kind >= 'device.' AND kind < 'device/'"
                   " UNION ALL SELECT t.at, 1, t.pk, 'status', t.message, t.action, t.state, t.progress,"
                   "  c.deployment, c.release FROM action c JOIN action_status t ON t.action = c.pk"
                   "  WHERE c.device = ?2) h"
                   " LEFT JOIN release r ON r.pk = h.release WHERE (h.at, h.source, h.pk) < (?3, ?4, ?5)"
                   " ORDER BY h.at DESC, h.source DESC, h.pk DESC LIMIT ?6",
                   e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, d->id);
    stmt_i64(&s, 2, d->pk);
    stmt_i64(&s, 3, from.at);
    stmt_i64(&s, 4, from.source);
    stmt_i64(&s, 5, from.pk);
    stmt_i64(&s, 6, (int64_t)limit);
    size_t n = 0;
    while ((rc = stmt_step(&s, e)) == STMT_ROW && n < limit)
        if (!read_entry(&s, a, &list[n++]))
            return no_memory(e);
    if (rc < 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}
