/* Releases that are put together from modules. */
#include "ota/modules.h"
#include "ota/announce.h"
#include "ota/ota.h"
#include "ota/publish.h"
#include "ota/settings.h"
#include "ota/trust.h"
#include "store/events.h"
#include "store/releases.h"
#include "store/signed.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for a distribution set");
}

bool ota_unsigned_model(const struct ota *ota, const char *model)
{
    struct ddi_settings s;
    if (trust_unsigned_allowed(ota))
        return true;
    settings_get(ota->settings, &s);
    return settings_unsigned_model(&s, str_of(model));
}

bool ota_unsigned_release(const struct ota *ota, const char **models, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!ota_unsigned_model(ota, models[i]))
            return false;
    return count > 0;
}

/* --- what it is made of ------------------------------------------------------------------------------ */

static bool may_have(const struct set_type *t, const char *module_type)
{
    return strcmp(t->mandatory, module_type) == 0 ||
           (t->optional != NULL && strcmp(t->optional, module_type) == 0);
}

static int check_types(const struct set_type *t, const struct module *modules, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        const struct module_type *type = module_type_find(str_of(modules[i].type));
        int same = 0;
        if (!may_have(t, modules[i].type))
            return err_set(e, ERR_INVALID,
                           "modules: a distribution set of the type %s has no module of the type %s, which "
                           "module %lld is",
                           t->key, modules[i].type, (long long)modules[i].pk);
        for (size_t k = 0; k < count; k++)
            same += strcmp(modules[k].type, modules[i].type) == 0;
        if (type != NULL && same > type->max)
            return err_set(e, ERR_INVALID, "modules: a distribution set has at most %d of the type %s",
                           type->max, type->key);
    }
    return 0;
}

static int find_modules(struct db *db, struct arena *a, const struct set_new *n, struct module **out,
                        struct err *e)
{
    size_t files = 0;
    if (n->module_count > RELEASE_MODULES_MAX)
        return err_set(e, ERR_TOO_LARGE, "modules: a distribution set has at most %d", RELEASE_MODULES_MAX);
    struct module *list = arena_array(a, struct module, n->module_count + 1);
    if (list == NULL)
        return no_memory(e);
    for (size_t i = 0; i < n->module_count; i++) {
        struct module_artifact *artifacts;
        size_t count;
        int rc = ota_module_show(db, a, n->modules[i], &list[i], e);
        if (rc == 0)
            rc = store_module_artifacts(db, a, n->modules[i], &artifacts, &count, e);
        if (rc != 0)
            return rc;
        files += count;
        for (size_t k = 0; k < i; k++)
            if (n->modules[k] == n->modules[i])
                return err_set(e, ERR_INVALID, "modules: %lld is there twice", (long long)n->modules[i]);
    }
    if (files > RELEASE_ARTIFACTS_MAX)
        return err_set(e, ERR_TOO_LARGE,
                       "modules: they have %zu files together; a distribution set has at most %d", files,
                       RELEASE_ARTIFACTS_MAX);
    *out = list;
    return 0;
}

static int check_names(const struct set_new *n, bool is_signed, struct err *e)
{
    if (!module_is_name(n->name))
        return err_set(e, ERR_INVALID,
                       "name: 1 to %d bytes of text on one line, without a blank at its beginning or end",
                       MODULE_TEXT_MAX);
    if (is_signed && !str_is_name(n->name))
        return err_set(e, ERR_INVALID,
                       "name: it becomes a file's name in the signed metadata: it begins with a letter or "
                       "digit and has at most 128 of letters, digits and ._+~-");
    if (!str_is_name(n->version))
        return err_set(e, ERR_INVALID,
                       "version: it begins with a letter or digit and has at most 128 of letters, digits and "
                       "._+~-");
    if (set_type_find(n->type) == NULL)
        return err_set(e, ERR_INVALID, "type: os, app or os_app (GET /rest/v1/distributionsettypes)");
    if (n->description.n > RELEASE_NOTES_MAX || (n->description.n > 0 && !str_is_text(n->description)))
        return err_set(e, ERR_INVALID, "description: at most %d bytes of text", RELEASE_NOTES_MAX);
    return 0;
}

/* --- making one -------------------------------------------------------------------------------------- */

static int check_new(struct db *db, struct arena *a, const struct set_new *n, struct err *e)
{
    struct release there;
    struct err missing;
    int rc = store_release_by_name(db, a, n->name, n->version, &there, &missing);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc != 0)
        return err_set(e, rc, "%s", missing.text);
    return err_set(e, ERR_CONFLICT,
                   there.deleted_at != 0
                       ? "%s %s was deleted and its version cannot be used again: choose another version"
                       : "there is a distribution set %s %s already",
                   there.name, there.version);
}

static int publish(struct ota *ota, struct db *db, struct arena *a, const char *who, struct release *r,
                   const char *model, struct err *e)
{
    int64_t sequence;
    int rc = store_sequence_next(db, model, &sequence, e);
    if (rc == 0)
        rc = store_sequence_set(db, r->pk, model, sequence, e);
    return rc != 0 ? rc : publish_draft(ota, db, a, who, r, e);
}

static int note_draft(struct db *db, struct arena *a, const char *who, const struct release *r, struct err *e)
{
    const char *subject = arena_printf(a, "%s/%s", r->name, r->version);
    const char *detail =
        arena_printf(a, "firmware %lld: a distribution set; nobody has signed it yet", (long long)r->pk);
    if (subject == NULL || detail == NULL)
        return no_memory(e);
    return store_event_add(db, r->created_at, "release.uploaded", who, subject, detail, e);
}

int ota_set_create(struct ota *ota, struct db *db, struct arena *a, const char *who, const struct set_new *n,
                   struct set *out, struct err *e)
{
    struct ddi_settings settings;
    settings_get(ota->settings, &settings);
    struct module *modules;
    bool at_once = ota_unsigned_model(ota, settings.model);
    int rc = check_names(n, !at_once, e);
    if (rc == 0)
        rc = find_modules(db, a, n, &modules, e);
    if (rc == 0)
        rc = check_types(set_type_find(n->type), modules, n->module_count, e);
    if (rc == 0)
        rc = check_new(db, a, n, e);
    if (rc != 0)
        return rc;
    struct release r = {
        .name = arena_dup_str(a, n->name),
        .version = arena_dup_str(a, n->version),
        .notes = n->description.n > 0 ? arena_dup_str(a, n->description) : "",
        .created_by = who,
        .state = RELEASE_DRAFT,
        .created_at = clock_unix_ms(ota->clock),
    };
    if (r.name == NULL || r.version == NULL || r.notes == NULL)
        return no_memory(e);
    rc = store_release_add(db, &r, &r.pk, e);
    if (rc == 0)
        rc = store_set_type(db, r.pk, set_type_find(n->type)->key, e);
    if (rc == 0)
        rc = store_release_add_model(db, &r, settings.model, 0, e);
    for (size_t i = 0; rc == 0 && i < n->module_count; i++)
        rc = store_module_join(db, r.pk, modules[i].pk, e);
    if (rc == 0)
        rc = at_once ? publish(ota, db, a, who, &r, settings.model, e) : note_draft(db, a, who, &r, e);
    return rc != 0 ? rc : store_set_by_pk(db, a, r.pk, out, e);
}

int ota_set_show(struct db *db, struct arena *a, int64_t set, struct set *out, struct err *e)
{
    struct set s;
    int rc = store_set_by_pk(db, a, set, &s, e);
    if (rc == 0 && s.release.deleted_at != 0)
        return err_set(e, ERR_NOT_FOUND, "there is no distribution set %lld", (long long)set);
    if (rc == 0)
        *out = s;
    return rc;
}

int ota_set_list(struct db *db, struct arena *a, const struct listing *q, struct set **out, size_t *count,
                 int64_t *total, struct err *e)
{
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = store_set_list(db, a, q, out, count, total, e);
    for (size_t i = 0; rc == 0 && i < *count; i++)
        rc = store_modules_of(db, a, (*out)[i].release.pk, &(*out)[i].modules, &(*out)[i].module_count, e);
    db_read_end(db);
    return rc;
}

bool ota_set_is_complete(const struct set *s)
{
    const struct set_type *t = set_type_find(str_of(s->type));
    for (size_t i = 0; i < s->module_count; i++)
        if (t == NULL || strcmp(s->modules[i].type, t->mandatory) == 0 || s->modules[i].created_by[0] == '\0')
            return true;
    return false;
}

/* --- and taking it away ------------------------------------------------------------------------------ */

int ota_set_delete(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t set,
                   struct err *e)
{
    struct set s;
    int64_t deployment, now = clock_unix_ms(ota->clock);
    bool more;
    int rc = ota_set_show(db, a, set, &s, e);
    if (rc == 0)
        rc = store_set_deployment(db, set, &deployment, e);
    if (rc != 0)
        return rc;
    if (deployment != 0)
        return err_set(e, ERR_CONFLICT, "%s %s is used by deployment %lld: cancel it first", s.release.name,
                       s.release.version, (long long)deployment);
    const char *subject = arena_printf(a, "%s/%s", s.release.name, s.release.version);
    const char *detail = arena_printf(a, "firmware %lld: a distribution set", (long long)set);
    if (subject == NULL || detail == NULL)
        return no_memory(e);
    rc = store_release_mark_deleted(db, set, now, e);
    if (rc == 0 && s.release.state == RELEASE_PUBLISHED)
        rc = announce_release(ota, db, set, e);
    if (rc == 0)
        rc = store_event_add(db, now, "release.deleted", who, subject, detail, e);
    return rc != 0 ? rc : ota_set_slice(ota, db, &more, e);
}

int ota_set_slice(struct ota *ota, struct db *db, bool *more, struct err *e)
{
    int64_t module;
    (void)ota;
    int rc = store_module_leftover(db, &module, e);
    if (rc == 0 && module != 0)
        rc = store_module_drop_artifacts(db, module, e);
    if (rc == 0)
        *more = module != 0;
    return rc;
}
