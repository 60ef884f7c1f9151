/* Modules, their files and what is said of them; and the releases that are made of modules. Times are Unix
   milliseconds; texts belong to the arena that is passed in. */
#ifndef PQOTA_STORE_MODULES_H
#define PQOTA_STORE_MODULES_H

#include "base/arena.h"
#include "model/module.h"
#include "model/release.h"
#include "store/listing.h"

struct db;

/* Deleted ones too, with deleted_at set. ERR_NOT_FOUND. */
int store_module_by_pk(struct db *db, struct arena *a, int64_t pk, struct module *out,
                       struct err *e) MUST_CHECK;
/* out->pk is 0 when there is none of that name, version and type. */
int store_module_by_name(struct db *db, struct arena *a, struct str name, struct str version, struct str type,
                         struct module *out, struct err *e) MUST_CHECK;
/* Without deleted ones. *out has *count of them; *total: how many match. */
int store_module_list(struct db *db, struct arena *a, const struct listing *q, struct module **out,
                      size_t *count, int64_t *total, struct err *e) MUST_CHECK;
/* A release's, in the order in which they were made; deleted ones too: *out has *count. */
int store_modules_of(struct db *db, struct arena *a, int64_t release, struct module **out, size_t *count,
                     struct err *e) MUST_CHECK;

/* In the order in which they came. */
int store_module_artifacts(struct db *db, struct arena *a, int64_t module, struct module_artifact **out,
                           size_t *count, struct err *e) MUST_CHECK;
/* ERR_NOT_FOUND also when it is another module's. */
int store_module_artifact(struct db *db, struct arena *a, int64_t module, int64_t artifact,
                          struct module_artifact *out, struct err *e) MUST_CHECK;
/* In the order of their keys; all, or those that devices may see. */
int store_module_metadata(struct db *db, struct arena *a, int64_t module, bool visible_only,
                          struct module_metadata **out, size_t *count, struct err *e) MUST_CHECK;

struct module_use {
    int64_t releases;  /* that have it, deleted ones too */
    int64_t artifacts; /* its own, or all of the fullest release with it that is not deleted */
    bool settled;      /* one of them was deployed or signed: it stays as it is */
};
int store_module_use(struct db *db, int64_t module, struct module_use *out, struct err *e) MUST_CHECK;

/* A release as a set of modules. */
struct set {
    struct release release; /* without models and artifacts */
    const char *type;
    struct module *modules;
    size_t module_count;
    bool deployed;
};
/* Without deleted ones, and without modules. */
int store_set_list(struct db *db, struct arena *a, const struct listing *q, struct set **out, size_t *count,
                   int64_t *total, struct err *e) MUST_CHECK;
/* With modules; deleted ones too. */
int store_set_by_pk(struct db *db, struct arena *a, int64_t release, struct set *out,
                    struct err *e) MUST_CHECK;

/* A deployment of the release that is not over and is for more than devices that were named one by one, or
   one that would roll back to it; 0: none. */
int store_set_deployment(struct db *db, int64_t release, int64_t *deployment, struct err *e) MUST_CHECK;

/* --- writer only ------------------------------------------------------------------------------------- */

/* m->pk is set. ERR_CONFLICT: name, version and type are taken. */
int store_module_make(struct db *db, struct module *m, struct err *e) MUST_CHECK;
/* Writes vendor and description. */
int store_module_describe(struct db *db, const struct module *m, struct err *e) MUST_CHECK;
int store_module_mark_deleted(struct db *db, int64_t pk, int64_t now_ms, struct err *e) MUST_CHECK;
/* With its files, which must not be anybody's else: a module that no release has. */
int store_module_remove(struct db *db, int64_t pk, struct err *e) MUST_CHECK;
int store_module_join(struct db *db, int64_t release, int64_t module, struct err *e) MUST_CHECK;
int store_set_type(struct db *db, int64_t release, const char *type, struct err *e) MUST_CHECK;

/* f->pk is set. ERR_CONFLICT: the module has a file of that name. What was not known of the bytes is
   written down. */
int store_module_put_artifact(struct db *db, struct module_artifact *f, struct err *e) MUST_CHECK;
int store_module_drop_artifact(struct db *db, const struct module_artifact *f, struct err *e) MUST_CHECK;
/* All files of the module. */
int store_module_drop_artifacts(struct db *db, int64_t module, struct err *e) MUST_CHECK;
/* A deleted module that has files, although nobody needs them any more: no release that is left has it, and
   of those that had it nothing is under way. 0: none. */
int store_module_leftover(struct db *db, int64_t *module, struct err *e) MUST_CHECK;

/* In place of one of that key. */
int store_module_metadata_put(struct db *db, int64_t module, const struct module_metadata *m,
                              struct err *e) MUST_CHECK;
/* Bytes: of keys and values. */
int store_module_metadata_size(struct db *db, int64_t module, int64_t *entries, int64_t *bytes,
                               struct err *e) MUST_CHECK;

#endif
