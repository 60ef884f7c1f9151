#include "ota/trust_online.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "ota/trust_named.h"
#include "ota/trust_view.h"
#include "store/db.h"
#include "trust/custom.h"

#define WORK_BYTES ((size_t)1 << 24)

static bool is_online(const char *role)
{
    return strcmp(role, "snapshot") == 0 || strcmp(role, "timestamp") == 0;
}

static bool is_delegated(const struct trust_row *r)
{
    return trust_role_model(str_of(r->role)).p != NULL;
}

/* --- what is in force ----------------------------------------------------------------------------------- */

static void sort_out(const struct metadata *list, size_t count, struct online_set *out)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].role, "snapshot") == 0)
            out->snapshot = list[i];
        else if (strcmp(list[i].role, "timestamp") == 0)
            out->timestamp = list[i];
        else if (strcmp(list[i].role, "root") == 0)
            out->root = list[i];
        else
            out->items[out->count++] = list[i];
    }
}

static int read_set(struct db *db, struct arena *a, bool bodies, struct online_set *out, struct err *e)
{
    struct metadata *list;
    size_t count;
    int rc = store_metadata_list(db, a, REPOSITORY_IMAGE, &list, &count, e);
    struct online_set set = {.items = rc == 0 ? arena_array(a, struct metadata, count + 1) : NULL};
    if (rc == 0 && set.items == NULL)
        rc = err_set(e, ERR_NOMEM, "no memory for the list of update metadata");
    if (rc != 0)
        return rc;
    sort_out(list, count, &set);
    if (bodies && set.root.version != 0)
        rc = store_metadata_current(db, a, REPOSITORY_IMAGE, "root", true, &set.root, e);
    if (rc == 0)
        *out = set;
    return rc;
}

int online_read(struct db *db, struct arena *a, struct online_set *out, struct err *e)
{
    return read_set(db, a, true, out, e);
}

int online_check(struct db *db, const struct online_set *was, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, WORK_BYTES);
    struct online_set now;
    int rc = read_set(db, &a, false, &now, e);
    if (rc != 0)
        return rc;
    bool same = now.root.version == was->root.version && now.snapshot.version == was->snapshot.version &&
                now.timestamp.version == was->timestamp.version && now.count == was->count;
    for (size_t i = 0; same && i < now.count; i++) /* both in the order of their names */
        same = now.items[i].version == was->items[i].version &&
               strcmp(now.items[i].role, was->items[i].role) == 0;
    return same ? 0 : err_set(e, ERR_CONFLICT, "the update metadata were changed meanwhile: try again");
}

/* --- looking -------------------------------------------------------------------------------------------- */

void online_begin(struct ota *ota, struct online_work *w)
{
    *w = (struct online_work){0};
    arena_init(&w->arena, WORK_BYTES);
    w->anew = trust_view_begin(trust_view_of(ota), clock_unix_ms(ota->clock));
}

void online_end(struct ota *ota, struct online_work *w, int rc)
{
    if (rc != 0)
        trust_view_failed(trust_view_of(ota), w->anew, clock_unix_ms(ota->clock));
    arena_fini(&w->arena);
    *w = (struct online_work){0};
}

static struct trust_row row_of(const struct metadata *m)
{
    struct trust_row row = {
        .repository = repository_word(m->repository),
        .version = m->version,
        .since_ms = m->created_at,
        .expires_ms = m->expires_at,
    };
    snprintf(row.role, sizeof row.role, "%s", m->role);
    return row;
}

static void warn(const struct trust_row *r, int64_t now_ms)
{
    char end[CLOCK_TEXT_MAX];
    const bool over = r->expires_ms <= now_ms;
    log_at(over ? LOG_ERROR : LOG_WARN, "trust",
           over ? "update metadata have expired: devices install nothing until they are signed anew"
                : "update metadata end soon: sign them anew (pqota trust sign)",
           LOG_STR("repository", r->repository), LOG_STR("role", r->role), LOG_I64("version", r->version),
           LOG_STR("expires", clock_format(r->expires_ms, end)),
           LOG_I64("hours_left", over ? 0 : (r->expires_ms - now_ms) / 3600000));
}

/* The keys of snapshot and timestamp renew them by themselves: they are told of when that did not happen. */
bool online_is_late(const struct trust_row *r, int64_t now_ms)
{
    if (!is_online(r->role))
        return trust_row_ends(r, now_ms);
    return (r->expires_ms - now_ms) * 4 < r->expires_ms - r->since_ms;
}

static bool is_delegated_by(const struct tuf_doc *targets, const char *role)
{
    struct tuf_delegation found;
    return tuf_delegation_find(targets, str_of(role), &found, NULL) == 0;
}

/* Snapshots go on naming roles that the targets metadata delegate to no more; how long those are good does
   not matter. Looked at when one of them ends. */
static int drop_undelegated(struct db *db, struct trust_row *rows, size_t *count, struct err *e)
{
    auto_arena struct arena a;
    auto_free void *memory = malloc(TRUST_SPACE_BYTES);
    struct trust_space space;
    struct metadata m;
    struct tuf_doc targets;
    arena_init(&a, WORK_BYTES);
    if (memory == NULL)
        return err_set(e, ERR_NOMEM, "no memory to look at the delegations");
    space_init(&space, memory, TRUST_SPACE_BYTES);
    int rc = store_metadata_current(db, &a, REPOSITORY_IMAGE, "targets", true, &m, e);
    if (rc != 0 || m.version == 0)
        return rc;
    rc = tuf_doc_read(m.body, TUF_TARGETS, &space, &targets, e);
    size_t kept = 0;
    for (size_t i = 0; rc == 0 && i < *count; i++)
        if (!is_delegated(&rows[i]) || is_delegated_by(&targets, rows[i].role))
            rows[kept++] = rows[i];
    if (rc == 0)
        *count = kept;
    return rc;
}

static int note(struct ota *ota, struct db *db, struct online_work *w, int64_t now_ms, struct err *e)
{
    struct trust_view *v = trust_view_of(ota);
    struct trust_row *rows = arena_array(&w->arena, struct trust_row, (size_t)2 * METADATA_ROLES_MAX);
    size_t n = 0;
    if (rows == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the list of update metadata");
    for (int r = 0; r < REPOSITORIES; r++) {
        struct metadata *list;
        size_t count;
        int rc = store_metadata_list(db, &w->arena, (enum repository)r, &list, &count, e);
        if (rc != 0)
            return rc;
        for (size_t i = 0; i < count; i++)
            rows[n++] = row_of(&list[i]);
    }
    bool late = false, delegated = false;
    for (size_t i = 0; i < n; i++)
        delegated = delegated || (is_delegated(&rows[i]) && online_is_late(&rows[i], now_ms));
    int rc = delegated ? drop_undelegated(db, rows, &n, e) : 0;
    if (rc != 0)
        return rc;
    trust_view_set(v, rows, n);
    for (size_t i = 0; i < n; i++)
        late = late || online_is_late(&rows[i], now_ms);
    if (late && trust_view_may_warn(v, now_ms))
        for (size_t i = 0; i < n; i++)
            if (online_is_late(&rows[i], now_ms))
                warn(&rows[i], now_ms);
    return 0;
}

static bool ends(const struct metadata *m, int64_t now_ms)
{
    const struct trust_row row = row_of(m);
    return m->version == 0 || trust_row_ends(&row, now_ms);
}

static int look(struct ota *ota, struct db *db, struct online_work *w, struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    int rc = note(ota, db, w, now, e);
    if (rc == 0)
        rc = trust_named_warn(ota, db, &w->arena, e);
    if (rc == 0)
        rc = online_read(db, &w->arena, &w->set, e);
    if (rc != 0 || w->set.root.version == 0 || w->set.count == 0)
        return rc; /* no repository yet */
    w->sign_snapshot = w->anew || ends(&w->set.snapshot, now);
    w->sign_timestamp = w->sign_snapshot || ends(&w->set.timestamp, now);
    auto_trust_keys struct trust_keys *keys = trust_keys_get(ota);
    bool able = trust_keys_of(keys, TRUST_TIMESTAMP) != NULL &&
                (!w->sign_snapshot || trust_keys_of(keys, TRUST_SNAPSHOT) != NULL);
    if (!able) /* said when the keys were read, and again when the end is near */
        w->sign_snapshot = w->sign_timestamp = false;
    return 0;
}

int ota_online_look(struct ota *ota, struct db *db, struct online_work *w, struct err *e)
{
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = look(ota, db, w, e);
    db_read_end(db);
    return rc;
}

/* --- signing and keeping -------------------------------------------------------------------------------- */

int ota_online_sign(struct ota *ota, struct online_work *w, struct err *e)
{
    return online_make(ota, &w->set, &w->arena, w->sign_snapshot ? &w->snapshot : NULL, &w->timestamp, e);
}

int ota_online_store(struct ota *ota, struct db *db, struct online_work *w, struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    int rc = online_check(db, &w->set, e);
    if (rc == 0 && w->sign_snapshot)
        rc = store_metadata_add(db, &w->snapshot, now, e);
    if (rc == 0)
        rc = store_metadata_add(db, &w->timestamp, now, e);
    if (rc == 0)
        trust_view_touch(trust_view_of(ota), false); /* its numbers are others now */
    return rc;
}
