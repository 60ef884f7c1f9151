/* The releases that a signed file vouches for: each target must be what was uploaded, and nothing that is
   published may lose its signature. */
#include <stdlib.h>

#include "ota/accept_impl.h"
#include "ota/publish.h"
#include "store/artifacts.h"
#include "store/releases.h"
#include "trust/custom.h"

#define LOOK_BYTES ((size_t)1 << 17) /* of what is read about one release */

/* In the order in which they are given their sequences. */
static int by_sequence(const void *a, const void *b)
{
    const struct accept_target *x = a, *y = b;
    int order = strcmp(x->part.model, y->part.model);
    if (order == 0)
        order = x->terms.sequence < y->terms.sequence ? -1 : x->terms.sequence > y->terms.sequence;
    return order != 0 ? order : strcmp(x->path, y->path); /* a release's files beside each other */
}

static const struct artifact *find_file(const struct release *r, const char *filename)
{
    for (size_t i = 0; i < r->artifact_count; i++)
        if (strcmp(r->artifacts[i].filename, filename) == 0)
            return &r->artifacts[i];
    return NULL;
}

static int check_file(const struct release *r, const struct accept_target *f, const char *type, struct err *e)
{
    const struct artifact *file = find_file(r, f->part.filename);
    if (file == NULL)
        return err_set(e, ERR_MISMATCH, "%s %s was uploaded as another file: %s", r->name, r->version,
                       r->artifact_count > 0 ? r->artifacts[0].filename : "none");
    if (strcmp(file->sha256, f->sha256) != 0 || file->size != f->length)
        return err_set(e, ERR_MISMATCH,
                       "%s %s was uploaded with other bytes: sha256 %s, %lld bytes, and what was signed is "
                       "%s, %lld bytes",
                       r->name, r->version, file->sha256, (long long)file->size, f->sha256,
                       (long long)f->length);
    if (strcmp(type, f->type) != 0)
        return err_set(e, ERR_MISMATCH, "%s %s was uploaded as a module of type %s, and signed as %s",
                       r->name, r->version, type, f->type);
    return 0;
}

/* What was published before anybody signed can be signed later, as what it is. */
static int check_published(struct db *db, struct arena *a, const struct release *r,
                           const struct accept_target *f, struct err *e)
{
    struct signed_terms now;
    bool signed_it;
    int rc = store_signed_terms(db, a, r->pk, f->part.model, &signed_it, &now, e);
    if (rc == 0 && now.sequence != f->terms.sequence)
        rc = err_set(e, ERR_MISMATCH, "%s %s is published with the sequence %lld, not %lld", r->name,
                     r->version, (long long)now.sequence, (long long)f->terms.sequence);
    return rc;
}

/* Its files are of one release, which has one sequence. */
static bool is_beside(const struct accept_target *a, const struct accept_target *b)
{
    return strcmp(a->part.model, b->part.model) == 0 && strcmp(a->part.name, b->part.name) == 0 &&
           strcmp(a->part.version, b->part.version) == 0;
}

static bool same_terms(const struct trust_custom *a, const struct signed_terms *b)
{
    return a->sequence == b->sequence && a->unpacked_size == b->unpacked_size &&
           a->upgrade_from == b->upgrade_from && a->counter == b->counter && a->security == b->security &&
           str_is(a->advisory, b->advisory);
}

static int check_terms(const struct tuf_target *other, const char *path, const struct accept_target *f,
                       struct err *e)
{
    struct trust_custom c = {0};
    if (other->custom != NULL && trust_custom_read(other->custom, &c, NULL) == 0 && same_terms(&c, &f->terms))
        return 0;
    return err_set(e, ERR_MISMATCH, "what is signed of it differs from what is signed of %s", path);
}

/* Nobody could run one half of a release, and a device judges each file by what is signed of that file. */
static int check_others(const struct trust_accept *t, const struct release *r, const struct accept_target *f,
                        struct err *e)
{
    for (size_t i = 0; i < r->artifact_count; i++) {
        char path[TUF_TARGET_NAME_MAX + 1];
        struct tuf_target target;
        const char *filename = r->artifacts[i].filename;
        if (find_file(r, filename) != &r->artifacts[i])
            return err_set(e, ERR_CONFLICT, "%s %s has two files called %s: they cannot both be signed",
                           r->name, r->version, filename);
        if (!trust_target_path(str_of(f->part.model), str_of(r->name), str_of(r->version), str_of(filename),
                               path, sizeof path) ||
            accept_find_target(t, str_of(path), f->part.model, &target, NULL) != 0)
            return err_set(e, ERR_CONFLICT,
                           "%s %s has the file %s too, and no target of it is signed: prepare and sign them "
                           "together",
                           r->name, r->version, filename);
        int rc = check_terms(&target, path, f, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* before: applied just before it, and with it the terms that they share; NULL: none. */
static int apply_terms(struct db *db, struct arena *a, const struct accept_target *f,
                       const struct accept_target *before, const struct release *r, struct err *e)
{
    if (before != NULL && is_beside(f, before))
        return 0;
    int rc = r->state == RELEASE_PUBLISHED ? check_published(db, a, r, f, e)
                                           : store_sequence_raise(db, f->part.model, f->terms.sequence, e);
    return rc != 0 ? rc : store_signed_set(db, r->pk, f->part.model, &f->terms, e);
}

static int apply_one(const struct trust_accept *t, struct db *db, struct arena *a,
                     const struct accept_target *f, const struct accept_target *before, struct release *r,
                     struct err *e)
{
    const char *type = NULL;
    int rc = store_release_by_name(db, a, str_of(f->part.name), str_of(f->part.version), r, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_CONFLICT, "%s %s is not here: upload its file first (pqota firmware publish)",
                       f->part.name, f->part.version);
    if (rc == 0 && r->deleted_at != 0)
        rc = err_set(e, ERR_CONFLICT, "%s %s was deleted: publish a new version", r->name, r->version);
    if (rc == 0)
        rc = store_release_details(db, a, r, e);
    if (rc == 0)
        rc = store_release_type(db, a, r->pk, f->part.filename, &type, e);
    if (rc == ERR_NOT_FOUND)
        rc = 0; /* check_file says which files it has */
    if (rc != 0)
        return rc;
    if (!release_fits(r, f->part.model))
        return err_set(e, ERR_MISMATCH, "%s %s was not uploaded for the model %s", r->name, r->version,
                       f->part.model);
    rc = check_file(r, f, type, e);
    if (rc == 0)
        rc = check_others(t, r, f, e);
    return rc != 0 ? rc : apply_terms(db, a, f, before, r, e);
}

/* --- drafts that have all their signatures -------------------------------------------------------------- */

static int note_draft(struct trust_accept *t, const struct release *r, struct err *e)
{
    if (r->state == RELEASE_PUBLISHED)
        return 0;
    for (size_t i = 0; i < t->published_count; i++)
        if (t->published[i].pk == r->pk)
            return 0;
    if (t->published_count == ACCEPT_RELEASES_MAX)
        return err_set(e, ERR_TOO_LARGE, "the file publishes more than %d releases", ACCEPT_RELEASES_MAX);
    if (release_copy(r, &t->arena, &t->published[t->published_count]) != 0)
        return accept_no_room(e);
    t->published_count++;
    return 0;
}

/* Nobody could deploy one half of a release. */
static int check_whole(struct db *db, struct arena *a, const struct release *r, struct err *e)
{
    struct signed_terms terms;
    bool signed_it = true;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->model_count; i++) {
        rc = store_signed_terms(db, a, r->pk, r->models[i], &signed_it, &terms, e);
        if (rc == 0 && !signed_it)
            rc = err_set(
                e, ERR_CONFLICT,
                "%s %s fits the model %s too, and the file has no target of it: prepare and sign them "
                "together",
                r->name, r->version, r->models[i]);
    }
    return rc;
}

static int publish_all(struct trust_accept *t, struct db *db, struct arena *look, const char *who,
                       struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->published_count; i++) {
        arena_recycle(look);
        rc = check_whole(db, look, &t->published[i], e);
        if (rc == 0)
            rc = publish_draft(t->ota, db, &t->arena, who, &t->published[i], e);
    }
    return rc;
}

/* --- those left out, and entries ------------------------------------------------------------------------ */

static int check_gone(struct db *db, struct arena *a, const struct accept_path *p, struct err *e)
{
    struct release r;
    struct err missing;
    int rc = store_release_by_name(db, a, str_of(p->name), str_of(p->version), &r, &missing);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc != 0)
        return err_set(e, rc, "%s", missing.text);
    if (r.deleted_at == 0 && r.state == RELEASE_PUBLISHED)
        return err_set(
            e, ERR_CONFLICT,
            "the target %s/%s/%s/%s is left out, and %s %s is published: delete it first, or prepare "
            "the file again",
            p->model, p->name, p->version, p->filename, r.name, r.version);
    return 0;
}

static int put_entry(struct db *db, struct arena *a, const struct accept_entry *x, struct err *e)
{
    struct release r;
    int rc = store_release_by_name(db, a, str_of(x->part.name), str_of(x->part.version), &r, e);
    return rc != 0 ? rc : store_signed_entry_set(db, r.pk, x->part.model, x->cose, e);
}

int accept_releases(struct trust_accept *t, struct db *db, const char *who, struct err *e)
{
    auto_arena struct arena look; /* from one release to the next */
    arena_init(&look, LOOK_BYTES);
    int rc = 0;
    t->published = arena_array(&t->arena, struct release, ACCEPT_RELEASES_MAX);
    t->published_count = 0;
    if (t->published == NULL)
        return accept_no_room(e);
    for (size_t i = 0; rc == 0 && i < t->gone_count; i++) {
        arena_recycle(&look);
        rc = check_gone(db, &look, &t->gone[i], e);
    }
    if (t->fresh_count > 0)
        qsort(t->fresh, t->fresh_count, sizeof *t->fresh, by_sequence);
    for (size_t i = 0; rc == 0 && i < t->fresh_count; i++) {
        struct release r;
        arena_recycle(&look);
        rc = apply_one(t, db, &look, &t->fresh[i], i > 0 ? &t->fresh[i - 1] : NULL, &r, e);
        if (rc == 0)
            rc = note_draft(t, &r, e);
        if (rc != 0)
            return err_context(e, "target %s", t->fresh[i].path);
    }
    for (size_t i = 0; rc == 0 && i < t->entry_count; i++) {
        arena_recycle(&look);
        rc = put_entry(db, &look, &t->entries[i], e);
    }
    return rc != 0 ? rc : publish_all(t, db, &look, who, e);
}
