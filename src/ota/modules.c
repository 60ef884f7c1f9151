#include "ota/modules.h"

#include "ota/ota.h"
#include "store/artifacts.h"
#include "store/events.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for a software module");
}

static int note(struct ota *ota, struct db *db, struct arena *a, const char *who, const char *kind,
                const struct module *m, const char *detail, struct err *e)
{
    const char *subject = arena_printf(a, "module/%lld", (long long)m->pk);
    const char *text = arena_printf(a, "%s %s (%s)%s%s", m->name, m->version, m->type,
                                    detail[0] != '\0' ? ": " : "", detail);
    if (subject == NULL || text == NULL)
        return no_memory(e);
    return store_event_add(db, clock_unix_ms(ota->clock), kind, who, subject, text, e);
}

/* --- making one -------------------------------------------------------------------------------------- */

static int check_text(const char *what, struct str s, size_t max, struct err *e)
{
    if (s.n > max || (s.n > 0 && !str_is_text(s)))
        return err_set(e, ERR_INVALID, "%s: at most %zu bytes of text without control characters", what, max);
    return 0;
}

static int check(const struct module_new *n, struct err *e)
{
    if (!module_is_name(n->name))
        return err_set(e, ERR_INVALID,
                       "name: 1 to %d bytes of text on one line, without a blank at its beginning or end",
                       MODULE_TEXT_MAX);
    if (!str_is_name(n->version))
        return err_set(e, ERR_INVALID,
                       "version: it begins with a letter or digit and has at most 128 of letters, digits and "
                       "._+~-");
    if (module_type_find(n->type) == NULL)
        return err_set(e, ERR_INVALID, "type: os or application (GET /rest/v1/softwaremoduletypes)");
    int rc = check_text("vendor", n->vendor, MODULE_TEXT_MAX, e);
    return rc != 0 ? rc : check_text("description", n->description, MODULE_DESCRIPTION_MAX, e);
}

static const char *dup_or_null(struct arena *a, struct str s, bool *oom)
{
    const char *text = s.p != NULL ? arena_dup_str(a, s) : NULL;
    *oom = *oom || (s.p != NULL && text == NULL);
    return text;
}

int ota_module_create(struct ota *ota, struct db *db, struct arena *a, const char *who,
                      const struct module_new *n, struct module *out, struct err *e)
{
    bool oom = false;
    struct module there, m = {
                             .name = dup_or_null(a, n->name, &oom),
                             .version = dup_or_null(a, n->version, &oom),
                             .type = dup_or_null(a, n->type, &oom),
                             .vendor = dup_or_null(a, n->vendor, &oom),
                             .description = dup_or_null(a, n->description, &oom),
                             .encrypted = n->encrypted,
                             .created_at = clock_unix_ms(ota->clock),
                             .created_by = who,
                         };
    int rc = check(n, e);
    if (rc == 0 && oom)
        rc = no_memory(e);
    if (rc == 0)
        rc = store_module_by_name(db, a, n->name, n->version, n->type, &there, e);
    if (rc == 0 && there.pk != 0 && there.deleted_at != 0)
        rc = err_set(e, ERR_CONFLICT,
                     "the software module %s %s was deleted and a distribution set has it still: choose "
                     "another version",
                     there.name, there.version);
    if (rc == 0)
        rc = store_module_make(db, &m, e);
    if (rc == 0)
        rc = note(ota, db, a, who, "module.created", &m, "", e);
    if (rc == 0)
        *out = m;
    return rc;
}

int ota_module_show(struct db *db, struct arena *a, int64_t module, struct module *out, struct err *e)
{
    struct module m;
    int rc = store_module_by_pk(db, a, module, &m, e);
    if (rc == 0 && m.deleted_at != 0)
        return err_set(e, ERR_NOT_FOUND, "there is no software module %lld", (long long)module);
    if (rc == 0)
        *out = m;
    return rc;
}

int ota_module_list(struct db *db, struct arena *a, const struct listing *q, struct module **out,
                    size_t *count, int64_t *total, struct err *e)
{
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = store_module_list(db, a, q, out, count, total, e);
    db_read_end(db);
    return rc;
}

int ota_module_files(struct db *db, struct arena *a, int64_t module, struct module_artifact **out,
                     size_t *count, struct err *e)
{
    struct module m;
    int rc = ota_module_show(db, a, module, &m, e);
    return rc != 0 ? rc : store_module_artifacts(db, a, module, out, count, e);
}

int ota_module_file(struct db *db, struct arena *a, int64_t module, int64_t artifact,
                    struct module_artifact *out, struct err *e)
{
    struct module m;
    int rc = ota_module_show(db, a, module, &m, e);
    return rc != 0 ? rc : store_module_artifact(db, a, module, artifact, out, e);
}

int ota_module_metadata(struct db *db, struct arena *a, int64_t module, struct module_metadata **out,
                        size_t *count, struct err *e)
{
    struct module m;
    int rc = ota_module_show(db, a, module, &m, e);
    return rc != 0 ? rc : store_module_metadata(db, a, module, false, out, count, e);
}

int ota_module_describe(struct db *db, struct arena *a, int64_t module, struct str vendor,
                        struct str description, struct module *out, struct err *e)
{
    struct module m;
    bool oom = false;
    int rc = ota_module_show(db, a, module, &m, e);
    if (rc == 0)
        rc = check_text("vendor", vendor, MODULE_TEXT_MAX, e);
    if (rc == 0)
        rc = check_text("description", description, MODULE_DESCRIPTION_MAX, e);
    if (rc != 0)
        return rc;
    if (vendor.p != NULL)
        m.vendor = dup_or_null(a, vendor, &oom);
    if (description.p != NULL)
        m.description = dup_or_null(a, description, &oom);
    rc = oom ? no_memory(e) : store_module_describe(db, &m, e);
    if (rc == 0)
        *out = m;
    return rc;
}

int ota_module_delete(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t module,
                      struct err *e)
{
    struct module m;
    struct module_use use;
    bool more;
    int rc = ota_module_show(db, a, module, &m, e);
    if (rc == 0)
        rc = store_module_use(db, module, &use, e);
    if (rc == 0 && use.releases == 0)
        rc = store_module_remove(db, module, e);
    else if (rc == 0)
        rc = store_module_mark_deleted(db, module, clock_unix_ms(ota->clock), e);
    if (rc == 0)
        rc = note(ota, db, a, who, "module.deleted", &m, "", e);
    return rc != 0 ? rc : ota_set_slice(ota, db, &more, e);
}

/* --- its files --------------------------------------------------------------------------------------- */

int ota_module_room(struct db *db, struct arena *a, int64_t module, bool *locked, bool *full, struct err *e)
{
    struct module m;
    struct module_use use;
    int rc = ota_module_show(db, a, module, &m, e);
    if (rc == 0)
        rc = store_module_use(db, module, &use, e);
    if (rc != 0)
        return rc;
    /* A firmware is one file, published whole. */
    *locked = use.settled || m.created_by[0] == '\0';
    *full = use.artifacts >= RELEASE_ARTIFACTS_MAX;
    return 0;
}

int ota_module_add_file(struct ota *ota, struct db *db, struct arena *a, const char *who,
                        struct module_artifact *file, struct err *e)
{
    struct module m;
    int rc = ota_module_show(db, a, file->module, &m, e);
    if (rc != 0)
        return rc;
    file->created_at = clock_unix_ms(ota->clock);
    rc = store_artifact_add(db, file->sha256, file->size, file->created_at, e);
    if (rc == 0)
        rc = store_module_put_artifact(db, file, e);
    if (rc == 0) /* the bytes may have been known before */
        rc = store_module_artifact(db, a, file->module, file->pk, file, e);
    const char *detail =
        arena_printf(a, "%s, %lld bytes, sha256 %s", file->filename, (long long)file->size, file->sha256);
    if (rc == 0 && detail == NULL)
        rc = no_memory(e);
    return rc != 0 ? rc : note(ota, db, a, who, "module.file", &m, detail, e);
}

int ota_module_remove_file(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t module,
                           int64_t artifact, struct err *e)
{
    struct module m;
    struct module_artifact f;
    int rc = ota_module_show(db, a, module, &m, e);
    if (rc == 0)
        rc = store_module_artifact(db, a, module, artifact, &f, e);
    if (rc == 0)
        rc = store_module_drop_artifact(db, &f, e);
    return rc != 0 ? rc : note(ota, db, a, who, "module.file_deleted", &m, f.filename, e);
}

int ota_module_tell(struct db *db, struct arena *a, int64_t module, struct str key, struct str value,
                    bool visible, struct err *e)
{
    struct module m;
    int64_t entries, bytes;
    bool oom = false;
    const struct module_metadata entry = {
        .key = dup_or_null(a, key, &oom), .value = dup_or_null(a, value, &oom), .visible = visible};
    int rc = ota_module_show(db, a, module, &m, e);
    if (rc == 0 && (key.n == 0 || memchr(key.p, '\n', key.n) != NULL))
        rc = err_set(e, ERR_INVALID, "key: 1 to %d bytes of text on one line", MODULE_KEY_MAX);
    if (rc == 0)
        rc = check_text("key", key, MODULE_KEY_MAX, e);
    if (rc == 0)
        rc = check_text("value", value, MODULE_VALUE_MAX, e);
    if (rc == 0 && (oom || entry.value == NULL))
        rc = oom ? no_memory(e) : err_set(e, ERR_INVALID, "value: it is missing");
    if (rc == 0)
        rc = store_module_metadata_put(db, module, &entry, e);
    if (rc == 0)
        rc = store_module_metadata_size(db, module, &entries, &bytes, e);
    if (rc == 0 && entries > MODULE_METADATA_MAX)
        rc = err_set(e, ERR_TOO_LARGE, "a software module has at most %d metadata entries",
                     MODULE_METADATA_MAX);
    if (rc == 0 && bytes > MODULE_METADATA_BYTES_MAX)
        rc = err_set(e, ERR_TOO_LARGE, "a software module's metadata have at most %d bytes together",
                     MODULE_METADATA_BYTES_MAX);
    return rc;
}
