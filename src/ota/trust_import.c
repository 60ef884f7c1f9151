/* The first metadata, made by `pqota trust init` on this machine. */
#include <limits.h>

#include "base/file.h"
#include "base/log.h"
#include "ota/accept_impl.h"
#include "store/db.h"
#include "store/store.h"

static int add_file(struct trust_accept *t, const char *dir, const char *repository, const char *role,
                    struct err *e)
{
    char path[PATH_MAX];
    auto_buf struct buf text;
    buf_init(&text, ACCEPT_TARGETS_MAX);
    const char *name = arena_printf(&t->arena, "%s/1.%s.json", repository, role);
    if (name == NULL || file_join(path, sizeof path, dir, name) != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of the folder %s is too long", dir);
    int rc = file_read(path, ACCEPT_TARGETS_MAX, &text, e);
    if (rc != 0)
        return rc;
    char *kept = arena_dup(&t->arena, text.p, text.n);
    if (kept == NULL)
        return accept_no_memory(e);
    return request_add(&t->request, repository, role, (struct str){.p = kept, .n = text.n}, e);
}

/* The root of a repository that has none; *found: there is a file of it. */
static int add_root(struct trust_accept *t, struct db *db, const char *dir, enum repository r, bool *found,
                    bool *none, struct err *e)
{
    struct metadata now;
    *found = *none = false;
    int rc = store_metadata_current(db, &t->arena, r, "root", false, &now, e);
    if (rc != 0 || now.version != 0)
        return rc;
    rc = add_file(t, dir, repository_word(r), "root", e);
    *found = rc == 0;
    *none = rc == ERR_NOT_FOUND;
    return *none ? 0 : rc;
}

/* What the database lacks, as far as there are files of it; roots come first. */
static int gather(struct trust_accept *t, struct db *db, const char *dir, bool *none, struct err *e)
{
    bool image, director, no_director;
    int rc = add_root(t, db, dir, REPOSITORY_IMAGE, &image, none, e);
    if (rc == 0)
        rc = add_root(t, db, dir, REPOSITORY_DIRECTOR, &director, &no_director, e);
    return rc == 0 && image ? add_file(t, dir, "image", "targets", e) : rc;
}

struct import {
    struct trust_accept *accept;
    const char *dir;
    bool nothing; /* to do */
    bool none;    /* there is no metadata of the image repository, nor was any found */
};

static int run(struct db *db, void *arg, struct err *e)
{
    struct import *i = arg;
    static const struct identity here = {.who = WHO_ADMIN, .id = "server"};
    int rc = gather(i->accept, db, i->dir, &i->none, e);
    i->nothing = rc == 0 && i->accept->request.document_count == 0;
    if (rc != 0 || i->nothing)
        return rc;
    rc = accept_look_request(i->accept, db, &here, e);
    if (rc == 0)
        rc = accept_check(i->accept, e);
    return rc != 0 ? rc : accept_write(i->accept, db, here.id, e);
}

int ota_trust_import(struct ota *ota, const char *dir, struct err *e)
{
    struct import i = {.dir = dir};
    int rc = accept_new(ota, &i.accept, e);
    if (rc != 0)
        return rc;
    i.accept->first = true;
    rc = store_write_now(ota->store, run, &i, e);
    if (rc != 0)
        err_context(e, "the first update metadata in %s", dir);
    else if (!i.nothing)
        log_info("trust", "took over the first update metadata", LOG_STR("folder", dir),
                 LOG_I64("documents", (int64_t)i.accept->doc_count));
    if (rc == 0 && i.none && !trust_unsigned_allowed(ota))
        log_warn("trust",
                 "there are no update metadata: what is uploaded stays a draft until pqota trust init "
                 "has made keys and a vendor has signed",
                 LOG_STR("folder", dir));
    accept_free(i.accept);
    return rc;
}
