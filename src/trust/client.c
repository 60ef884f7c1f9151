#include "trust/client.h"

#include "trust/client_internal.h"

static size_t or_else(size_t given, size_t usual)
{
    return given != 0 ? given : usual;
}

void tuf_client_init(struct tuf_client *c, void *memory, size_t size, const struct tuf_config *config)
{
    *c = (struct tuf_client){.config = *config};
    struct tuf_limits *l = &c->config.limits;
    l->root = or_else(l->root, TUF_ROOT_SIZE_MAX);
    l->timestamp = or_else(l->timestamp, TUF_TIMESTAMP_SIZE_MAX);
    l->snapshot = or_else(l->snapshot, TUF_SNAPSHOT_SIZE_MAX);
    l->targets = or_else(l->targets, TUF_TARGETS_SIZE_MAX);
    space_init(&c->space, memory, size);
}

int tuf_client_begin(struct tuf_client *c, struct str root, struct err *e)
{
    c->fresh = false;
    return c->config.store.save(c->config.store.ctx, STR("root"), root, e);
}

/* --- the timestamp (section 5.4) ------------------------------------------------------------------------ */

static int64_t named_version(const struct tuf_doc *timestamp)
{
    yyjson_val *meta = yyjson_obj_get(yyjson_obj_get(timestamp->body, "meta"), "snapshot.json");
    return yyjson_get_sint(yyjson_obj_get(meta, "version"));
}

/* Section 5.4.3. */
static int check_timestamp(const struct tuf_doc *new, const struct tuf_doc *old, struct err *e)
{
    if (new->version < old->version)
        return err_set(e, ERR_MISMATCH, "its version is %s, below the trusted %s: refused (rollback)",
                       trust_number(new->version).z, trust_number(old->version).z);
    if (named_version(new) < named_version(old))
        return err_set(e, ERR_MISMATCH, "it lowers snapshot.json from version %s to %s: refused (rollback)",
                       trust_number(named_version(old)).z, trust_number(named_version(new)).z);
    return 0;
}

static int fetch_timestamp(struct tuf_client *c, size_t at, bool old, const struct tuf_role *role,
                           struct err *e)
{
    struct client_file f;
    struct tuf_meta meta;
    size_t mark = space_mark(&c->space);
    int rc = client_fetch(c, "timestamp.json", c->config.limits.timestamp, &f, e);
    if (rc == 0)
        rc = client_open(c, &f, TUF_TIMESTAMP, role, e);
    if (rc == 0 && old && f.doc.version == c->timestamp.version) {
        /* Nothing new, whatever it says now. */
        space_release(&c->space, mark);
        return client_check_life(c, &c->timestamp, e);
    }
    if (rc == 0 && old)
        rc = check_timestamp(&f.doc, &c->timestamp, e);
    if (rc == 0)
        rc = tuf_meta_find(&f.doc, STR("snapshot.json"), &meta, e); /* one that is of use */
    if (rc == 0)
        rc = client_check_life(c, &f.doc, e);
    if (rc == 0)
        rc = client_save(c, STR("timestamp"), &f, e);
    return rc == 0 ? client_keep(c, at, &f, &c->timestamp, e) : rc;
}

static int update_timestamp(struct tuf_client *c, struct err *e)
{
    struct client_file f;
    struct tuf_role role;
    bool old;
    size_t at = space_mark(&c->space);
    int rc = tuf_root_role(&c->root, TUF_TIMESTAMP, &role, e);
    if (rc == 0)
        rc = client_load(c, STR("timestamp"), c->config.limits.timestamp, &f, &old, e);
    if (rc == 0 && old) {
        rc = client_open(c, &f, TUF_TIMESTAMP, &role, e);
        old = rc == 0;
        if (client_unusable(rc)) {
            space_release(&c->space, at);
            rc = 0;
        }
    }
    if (rc == 0 && old)
        rc = client_keep(c, at, &f, &c->timestamp, e);
    if (rc != 0)
        return client_fail(c, "the stored timestamp", rc, e);
    rc = fetch_timestamp(c, at, old, &role, e);
    return rc != 0 ? client_fail(c, "timestamp.json", rc, e) : 0;
}

/* --- the snapshot (section 5.5) ------------------------------------------------------------------------- */

static int64_t version_of(yyjson_val *name)
{
    return yyjson_get_sint(yyjson_obj_get(yyjson_obj_iter_get_val(name), "version"));
}

/* Section 5.5.5, both lists sorted and gone through once. */
static int check_lists(yyjson_val **old, size_t old_n, yyjson_val **new, size_t new_n, struct err *e)
{
    size_t at = 0;
    for (size_t i = 0; i < old_n; i++) {
        struct str name = json_text(old[i]);
        while (at < new_n && canon_compare(json_text(new[at]), name) < 0)
            at++;
        if (at == new_n || !str_eq(json_text(new[at]), name))
            return err_set(e, ERR_MISMATCH, "it names %s no more: refused (rollback)", trust_show(name).z);
        if (version_of(new[at]) < version_of(old[i]))
            return err_set(e, ERR_MISMATCH, "it lowers %s from version %s to %s: refused (rollback)",
                           trust_show(name).z, trust_number(version_of(old[i])).z,
                           trust_number(version_of(new[at])).z);
    }
    return 0;
}

static int check_snapshot(struct tuf_client *c, const struct tuf_doc *new, const struct tuf_doc *old,
                          struct err *e)
{
    yyjson_val **now, **before;
    size_t now_n, before_n, mark = space_mark(&c->space);
    if (new->version < old->version)
        return err_set(e, ERR_MISMATCH, "its version is %s, below the trusted %s: refused (rollback)",
                       trust_number(new->version).z, trust_number(old->version).z);
    int rc = canon_names(yyjson_obj_get(new->body, "meta"), &c->space, &now, &now_n, e);
    if (rc == 0)
        rc = canon_names(yyjson_obj_get(old->body, "meta"), &c->space, &before, &before_n, e);
    if (rc == 0)
        rc = check_lists(before, before_n, now, now_n, e);
    space_release(&c->space, mark);
    return rc;
}

static int check_version(const struct tuf_doc *doc, const struct tuf_meta *meta, struct err *e)
{
    if (doc->version == meta->version)
        return 0;
    return err_set(e, ERR_MISMATCH, "its version is %s, not %s", trust_number(doc->version).z,
                   trust_number(meta->version).z);
}

/* How much of a file is worth fetching. */
static size_t limit_of(const struct tuf_meta *meta, size_t most)
{
    return meta->length >= 0 && (uint64_t)meta->length < most ? (size_t)meta->length : most;
}

/* c->snapshot is the stored one where old says so. */
static int fetch_snapshot(struct tuf_client *c, const char *name, size_t at, bool old,
                          const struct tuf_role *role, const struct tuf_meta *meta, struct err *e)
{
    struct client_file f;
    int rc = client_fetch(c, name, limit_of(meta, c->config.limits.snapshot), &f, e);
    if (rc == 0)
        rc = tuf_meta_check(meta, f.text, &c->config.crypto, e);
    if (rc == 0)
        rc = client_open(c, &f, TUF_SNAPSHOT, role, e);
    if (rc == 0)
        rc = check_version(&f.doc, meta, e);
    if (rc == 0 && old)
        rc = check_snapshot(c, &f.doc, &c->snapshot, e);
    if (rc == 0)
        rc = client_check_life(c, &f.doc, e);
    if (rc == 0)
        rc = client_save(c, STR("snapshot"), &f, e);
    return rc == 0 ? client_keep(c, at, &f, &c->snapshot, e) : rc;
}

/* The stored snapshot, also an expired one: what it says of versions still holds. *same: it is the one that
   the timestamp names. */
static int load_snapshot(struct tuf_client *c, const struct tuf_role *role, const struct tuf_meta *meta,
                         bool *old, bool *same, struct err *e)
{
    struct client_file f;
    size_t at = space_mark(&c->space);
    int rc = client_load(c, STR("snapshot"), c->config.limits.snapshot, &f, old, e);
    if (rc != 0 || !*old)
        return rc;
    rc = client_open(c, &f, TUF_SNAPSHOT, role, e);
    *old = rc == 0;
    if (client_unusable(rc)) {
        space_release(&c->space, at);
        return 0;
    }
    if (rc == 0)
        rc = tuf_meta_check(meta, f.text, &c->config.crypto, e);
    *same = rc == 0 && f.doc.version == meta->version && f.doc.expires_s > c->now_s;
    if (rc == ERR_MISMATCH)
        rc = 0;
    return rc == 0 ? client_keep(c, at, &f, &c->snapshot, e) : rc;
}

static int update_snapshot(struct tuf_client *c, struct err *e)
{
    struct tuf_role role;
    struct tuf_meta meta;
    char name[CLIENT_NAME_SIZE];
    bool old = false, same = false;
    size_t at = space_mark(&c->space);
    int rc = tuf_root_role(&c->root, TUF_SNAPSHOT, &role, e);
    if (rc == 0)
        rc = tuf_meta_find(&c->timestamp, STR("snapshot.json"), &meta, e);
    if (rc != 0)
        return client_fail(c, "timestamp.json", rc, e);
    rc = load_snapshot(c, &role, &meta, &old, &same, e);
    if (rc != 0)
        return client_fail(c, "the stored snapshot", rc, e);
    if (same)
        return 0;
    client_name(c, meta.version, STR("snapshot"), name);
    rc = fetch_snapshot(c, name, at, old, &role, &meta, e);
    return rc != 0 ? client_fail(c, name, rc, e) : 0;
}

/* --- targets (section 5.6.1 to 5.6.6), top-level and delegated ------------------------------------------ */

/* As the snapshot names it, signed by the role, not expired. */
static int check_targets(struct tuf_client *c, struct client_file *f, const struct tuf_role *role,
                         const struct tuf_meta *meta, struct err *e)
{
    int rc = tuf_meta_check(meta, f->text, &c->config.crypto, e);
    if (rc == 0)
        rc = client_open(c, f, TUF_TARGETS, role, e);
    if (rc == 0)
        rc = check_version(&f->doc, meta, e);
    return rc == 0 ? client_check_life(c, &f->doc, e) : rc;
}

static int fetch_targets(struct tuf_client *c, const char *name, const struct tuf_role *role,
                         const struct tuf_meta *meta, struct tuf_doc *out, struct err *e)
{
    struct client_file f;
    size_t at = space_mark(&c->space);
    int rc = client_fetch(c, name, limit_of(meta, c->config.limits.targets), &f, e);
    if (rc == 0)
        rc = check_targets(c, &f, role, meta, e);
    if (rc == 0)
        rc = client_save(c, role->name, &f, e);
    return rc == 0 ? client_keep(c, at, &f, out, e) : rc;
}

int client_meta(const struct tuf_client *c, struct str role, struct tuf_meta *meta, struct err *e)
{
    char name[TUF_ROLE_NAME_MAX + sizeof ".json"];
    memcpy(name, role.p, role.n);
    memcpy(name + role.n, ".json", sizeof ".json");
    return tuf_meta_find(&c->snapshot, (struct str){.p = name, .n = role.n + sizeof ".json" - 1}, meta, e);
}

int client_update_targets(struct tuf_client *c, const struct tuf_role *role, struct tuf_doc *out,
                          struct err *e)
{
    struct client_file f;
    struct tuf_meta meta;
    char name[CLIENT_NAME_SIZE];
    bool there;
    size_t at = space_mark(&c->space);
    int rc = client_meta(c, role->name, &meta, e);
    if (rc != 0)
        return client_fail(c, "snapshot.json", rc == ERR_NOT_FOUND ? ERR_INVALID : rc, e);
    client_name(c, meta.version, role->name, name);
    rc = client_load(c, role->name, c->config.limits.targets, &f, &there, e);
    if (rc == 0 && there) {
        rc = check_targets(c, &f, role, &meta, e);
        if (rc == 0)
            return client_keep(c, at, &f, out, e);
        if (client_unusable(rc) || rc == ERR_GONE)
            rc = 0;
        space_release(&c->space, at);
    }
    if (rc == 0)
        rc = fetch_targets(c, name, role, &meta, out, e);
    return rc != 0 ? client_fail(c, name, rc, e) : 0;
}

/* --- whole ---------------------------------------------------------------------------------------------- */

int tuf_client_refresh(struct tuf_client *c, struct err *e)
{
    struct err none;
    struct tuf_role role;
    if (e == NULL)
        e = &none;
    c->fresh = c->director = false;
    c->now_s = c->config.now_s(c->config.now_ctx);
    int rc = client_update_root(c, e);
    if (rc == 0)
        rc = update_timestamp(c, e);
    if (rc == 0)
        rc = update_snapshot(c, e);
    if (rc == 0)
        rc = tuf_root_role(&c->root, TUF_TARGETS, &role, e);
    if (rc == 0)
        rc = client_update_targets(c, &role, &c->targets, e);
    if (rc != 0)
        return rc;
    c->top_mark = space_mark(&c->space);
    c->fresh = true;
    return 0;
}
