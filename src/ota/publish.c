#include "ota/publish.h"

#include "ota/announce.h"
#include "ota/modules.h"
#include "ota/ota.h"
#include "store/actions.h"
#include "store/artifacts.h"
#include "store/blobs.h"
#include "store/deployments.h"
#include "store/events.h"
#include "store/releases.h"
#include "store/signed.h"

static struct str type_of(const struct publish *p)
{
    return p->type.p != NULL ? p->type : STR(RELEASE_TYPE_DEFAULT);
}

static int read_models(const struct publish *p, struct arena *a, const char ***models, size_t *count,
                       struct err *e)
{
    return release_parse_models(p->models.p != NULL ? p->models : p->name, a, models, count, e);
}

static int check_names(const struct publish *p, struct arena *a, struct err *e)
{
    const char **models;
    size_t count;
    int rc = release_check_names(p->name, p->version, p->filename, type_of(p), p->notes, e);
    return rc != 0 ? rc : read_models(p, a, &models, &count, e);
}

static int check(const struct publish *p, struct arena *a, struct err *e)
{
    int rc = check_names(p, a, e);
    if (rc == 0 && p->size <= 0)
        rc = err_set(e, ERR_INVALID, "the file is empty: nothing was published");
    return rc;
}

int ota_publish_keep(struct ota *ota, struct arena *a, const struct publish *p, const char *spool_path,
                     struct err *e)
{
    int rc = check(p, a, e);
    return rc != 0 ? rc : blob_place(ota->store, spool_path, p->sha256, e);
}

static bool same_models(const struct release *r, const char *const *models, size_t count)
{
    if (r->model_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(r->models[i], models[i]) != 0)
            return false;
    return true;
}

static int check_deleted(const struct release *there, struct err *e)
{
    if (there->deleted_at == 0)
        return 0;
    return err_set(e, ERR_CONFLICT,
                   "%s %s was deleted and its version cannot be used again: publish a new version",
                   there->name, there->version);
}

int ota_publish_early(struct db *db, struct arena *a, const struct publish *p, struct err *e)
{
    struct release there;
    struct err missing;
    int rc = check_names(p, a, e);
    if (rc != 0)
        return rc;
    rc = store_release_by_name(db, a, p->name, p->version, &there, &missing);
    if (rc == ERR_NOT_FOUND)
        return 0;
    return rc != 0 ? err_set(e, rc, "%s", missing.text) : check_deleted(&there, e);
}

/* The version is there: fine if it is the very same. */
static int compare(struct db *db, struct arena *a, const struct publish *p, struct release *there,
                   struct err *e)
{
    int rc = check_deleted(there, e);
    if (rc == 0)
        rc = store_release_details(db, a, there, e);
    if (rc != 0)
        return rc;
    if (there->artifact_count != 1 || strcmp(there->artifacts[0].sha256, p->sha256) != 0)
        return err_set(e, ERR_CONFLICT, "%s %s exists with other bytes: publish a new version", there->name,
                       there->version);
    if (!str_is(p->filename, there->artifacts[0].filename))
        return err_set(e, ERR_CONFLICT, "%s %s exists with the same bytes as %s: publish a new version",
                       there->name, there->version, there->artifacts[0].filename);
    if (p->models.p == NULL)
        return 0;
    const char **models;
    size_t count;
    rc = read_models(p, a, &models, &count, e);
    if (rc == 0 && !same_models(there, models, count))
        return err_set(e, ERR_CONFLICT, "%s %s exists for other models: publish a new version", there->name,
                       there->version);
    return rc;
}

static int add_models(struct db *db, const struct release *r, const char *const *models, size_t count,
                      struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        int64_t sequence = 0; /* a draft's comes with its signature */
        int rc = r->state == RELEASE_PUBLISHED ? store_sequence_next(db, models[i], &sequence, e) : 0;
        if (rc == 0)
            rc = store_release_add_model(db, r, models[i], sequence, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int add_file(struct db *db, const struct release *r, const struct publish *p, int64_t now,
                    struct err *e)
{
    int64_t module;
    int rc = store_artifact_add(db, p->sha256, p->size, now, e);
    if (rc == 0 && p->sha1 != NULL && p->md5 != NULL)
        rc = store_artifact_set_hashes(db, p->sha256, p->sha1, p->md5, e);
    if (rc == 0)
        rc = store_module_add(db, r->pk, p->name, p->version, type_of(p), &module, e);
    if (rc == 0)
        rc = store_module_add_artifact(db, module, p->filename, p->sha256, e);
    return rc;
}

static int add_release(struct ota *ota, struct db *db, struct arena *a, const char *who,
                       const struct publish *p, int64_t now, struct release *out, struct err *e)
{
    const char **models;
    size_t count;
    int rc = read_models(p, a, &models, &count, e);
    if (rc != 0)
        return rc;
    enum release_state state = ota_unsigned_release(ota, models, count) ? RELEASE_PUBLISHED : RELEASE_DRAFT;
    struct release r = {
        .name = arena_dup_str(a, p->name),
        .version = arena_dup_str(a, p->version),
        .notes = p->notes.n > 0 ? arena_dup_str(a, p->notes) : "",
        .created_by = who,
        .state = state,
        .created_at = now,
        .published_at = state == RELEASE_PUBLISHED ? now : 0,
    };
    if (r.name == NULL || r.version == NULL || r.notes == NULL)
        return err_set(e, ERR_NOMEM, "no memory to publish");
    rc = store_release_add(db, &r, &r.pk, e);
    if (rc == 0)
        rc = add_models(db, &r, models, count, e);
    if (rc == 0)
        rc = add_file(db, &r, p, now, e);
    if (rc == 0)
        rc = store_release_details(db, a, &r, e);
    if (rc == 0)
        *out = r;
    return rc;
}

static int add_event(struct db *db, struct arena *a, const char *kind, const char *who,
                     const struct release *r, int64_t now, struct err *e)
{
    const char *subject = arena_printf(a, "%s/%s", r->name, r->version);
    const char *detail = arena_printf(a, "firmware %lld: %s, %lld bytes, sha256 %s", (long long)r->pk,
                                      r->artifact_count > 0 ? r->artifacts[0].filename : "no file",
                                      (long long)(r->artifact_count > 0 ? r->artifacts[0].size : 0),
                                      r->artifact_count > 0 ? r->artifacts[0].sha256 : "-");
    if (subject == NULL || detail == NULL)
        return err_set(e, ERR_NOMEM, "no memory to note an event");
    return store_event_add(db, now, kind, who, subject, detail, e);
}

int publish_draft(struct ota *ota, struct db *db, struct arena *a, const char *who, struct release *r,
                  struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    int rc = store_release_publish(db, r->pk, now, e);
    if (rc == 0)
        rc = store_release_details(db, a, r, e);
    if (rc == 0)
        rc = add_event(db, a, "release.published", who, r, now, e);
    if (rc == 0)
        rc = announce_release(ota, db, r->pk, e);
    if (rc != 0)
        return rc;
    r->state = RELEASE_PUBLISHED;
    r->published_at = now;
    return 0;
}

/* It waited for a signature, and none is asked for any more. */
static int publish_unsigned(struct ota *ota, struct db *db, struct arena *a, const char *who,
                            struct release *r, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->model_count; i++) {
        int64_t sequence;
        rc = store_sequence_next(db, r->models[i], &sequence, e);
        if (rc == 0)
            rc = store_sequence_set(db, r->pk, r->models[i], sequence, e);
    }
    return rc != 0 ? rc : publish_draft(ota, db, a, who, r, e);
}

static int publish_again(struct ota *ota, struct db *db, struct arena *a, const char *who,
                         const struct publish *p, struct release *there, struct err *e)
{
    int rc = compare(db, a, p, there, e);
    if (rc != 0 || there->state == RELEASE_PUBLISHED ||
        !ota_unsigned_release(ota, there->models, there->model_count))
        return rc;
    return publish_unsigned(ota, db, a, who, there, e);
}

static int publish_new(struct ota *ota, struct db *db, struct arena *a, const char *who,
                       const struct publish *p, struct release *out, struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    struct release r;
    int rc = add_release(ota, db, a, who, p, now, &r, e);
    bool at_once = rc == 0 && r.state == RELEASE_PUBLISHED;
    if (rc == 0)
        rc = add_event(db, a, at_once ? "release.published" : "release.uploaded", who, &r, now, e);
    if (rc == 0 && at_once)
        rc = announce_release(ota, db, r.pk, e);
    if (rc == 0)
        *out = r;
    return rc;
}

int ota_publish(struct ota *ota, struct db *db, struct arena *a, const char *who, const struct publish *p,
                struct release *out, bool *made, struct err *e)
{
    struct release r;
    struct err missing;
    int rc = check(p, a, e);
    if (rc != 0)
        return rc;
    rc = store_release_by_name(db, a, p->name, p->version, &r, &missing);
    bool there = rc == 0;
    if (rc == ERR_NOT_FOUND)
        rc = publish_new(ota, db, a, who, p, &r, e);
    else if (rc == 0)
        rc = publish_again(ota, db, a, who, p, &r, e);
    else
        rc = err_set(e, rc, "%s", missing.text);
    if (rc != 0)
        return rc;
    *out = r;
    *made = !there;
    return 0;
}

static int check_unused(struct db *db, const struct release *r, struct err *e)
{
    int64_t deployment, open;
    int rc = store_deployment_live_of(db, r->pk, &deployment, e);
    if (rc == 0 && deployment != 0)
        return err_set(e, ERR_CONFLICT, "%s %s is used by deployment %lld: cancel it first", r->name,
                       r->version, (long long)deployment);
    if (rc == 0)
        rc = store_action_count_open_of(db, r->pk, &open, e);
    if (rc == 0 && open != 0)
        return err_set(e, ERR_CONFLICT,
                       "%s %s is being installed by %lld device(s): wait for them, or revoke them", r->name,
                       r->version, (long long)open);
    return rc;
}

int ota_unpublish(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t release,
                  struct err *e)
{
    struct release r;
    int rc = store_release_by_pk(db, a, release, &r, e);
    if (rc == 0 && r.deleted_at != 0)
        return err_set(e, ERR_NOT_FOUND, "there is no firmware %lld", (long long)release);
    if (rc == 0)
        rc = store_release_details(db, a, &r, e);
    if (rc == 0)
        rc = check_unused(db, &r, e);
    if (rc != 0)
        return rc;
    int64_t now = clock_unix_ms(ota->clock);
    rc = store_release_mark_deleted(db, r.pk, now, e);
    if (rc == 0)
        rc = store_release_drop_artifacts(db, &r, e);
    if (rc == 0 && r.state == RELEASE_PUBLISHED)
        rc = announce_release(ota, db, r.pk, e);
    return rc != 0 ? rc : add_event(db, a, "release.deleted", who, &r, now, e);
}
