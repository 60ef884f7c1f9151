/*
 * Modules, and releases that are put together from several of them (hawkBit's software modules and
 * distribution sets). A module's files stay as they are once a release with it was deployed.
 */
#ifndef PQOTA_OTA_MODULES_H
#define PQOTA_OTA_MODULES_H

#include <stdbool.h>

#include "base/arena.h"
#include "store/digests.h"
#include "store/modules.h"

struct db;
struct ota;

/* --- modules: writer only, but for show -------------------------------------------------------------- */

struct module_new {
    struct str name, version, type;
    struct str vendor, description; /* p NULL: not said */
    bool encrypted;
};
/* ERR_INVALID: a name that cannot be one. ERR_CONFLICT: it is there, or was. */
int ota_module_create(struct ota *ota, struct db *db, struct arena *a, const char *who,
                      const struct module_new *n, struct module *out, struct err *e) MUST_CHECK;
/* Any reader. ERR_NOT_FOUND also for a deleted one. */
int ota_module_show(struct db *db, struct arena *a, int64_t module, struct module *out,
                    struct err *e) MUST_CHECK;
/* Any reader. */
int ota_module_list(struct db *db, struct arena *a, const struct listing *q, struct module **out,
                    size_t *count, int64_t *total, struct err *e) MUST_CHECK;
int ota_module_files(struct db *db, struct arena *a, int64_t module, struct module_artifact **out,
                     size_t *count, struct err *e) MUST_CHECK;
int ota_module_file(struct db *db, struct arena *a, int64_t module, int64_t artifact,
                    struct module_artifact *out, struct err *e) MUST_CHECK;
int ota_module_metadata(struct db *db, struct arena *a, int64_t module, struct module_metadata **out,
                        size_t *count, struct err *e) MUST_CHECK;
/* p NULL leaves what is there. */
int ota_module_describe(struct db *db, struct arena *a, int64_t module, struct str vendor,
                        struct str description, struct module *out, struct err *e) MUST_CHECK;
/* One that a release has is only hidden: its files go when no device needs them any more. */
int ota_module_delete(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t module,
                      struct err *e) MUST_CHECK;

/* Any reader: whether files can come and go. *locked: they cannot, since a release with it was deployed;
   *full: no other can come. */
int ota_module_room(struct db *db, struct arena *a, int64_t module, bool *locked, bool *full,
                    struct err *e) MUST_CHECK;
/* filename is str_is_name, and file->filename, sha256, sha1, md5 and size are given; file->pk comes back.
   Checked again by the caller with ota_module_room. */
int ota_module_add_file(struct ota *ota, struct db *db, struct arena *a, const char *who,
                        struct module_artifact *file, struct err *e) MUST_CHECK;
int ota_module_remove_file(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t module,
                           int64_t artifact, struct err *e) MUST_CHECK;
/* ERR_TOO_LARGE past MODULE_METADATA_MAX or MODULE_METADATA_BYTES_MAX. */
int ota_module_tell(struct db *db, struct arena *a, int64_t module, struct str key, struct str value,
                    bool visible, struct err *e) MUST_CHECK;

/* --- sets of modules --------------------------------------------------------------------------------- */

struct set_new {
    struct str name, version, type, description; /* description.p NULL: none */
    const int64_t *modules;
    size_t module_count;
};
/* Writer only. It fits devices of the model that the settings name. Published at once where nobody has to
   sign that model's releases, else a draft. ERR_CONFLICT: name and version are taken, or were. */
int ota_set_create(struct ota *ota, struct db *db, struct arena *a, const char *who, const struct set_new *n,
                   struct set *out, struct err *e) MUST_CHECK;
/* Any reader. ERR_NOT_FOUND also for a deleted one. */
int ota_set_show(struct db *db, struct arena *a, int64_t set, struct set *out, struct err *e) MUST_CHECK;
int ota_set_list(struct db *db, struct arena *a, const struct listing *q, struct set **out, size_t *count,
                 int64_t *total, struct err *e) MUST_CHECK;
/* It has a module of each type that its own demands. */
bool ota_set_is_complete(const struct set *s);
/* Writer only. Updates that are under way go on; nothing new begins. */
int ota_set_delete(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t set,
                   struct err *e) MUST_CHECK;
/* A background job of the writer: files of deleted sets that no device needs any more; again while *more. */
int ota_set_slice(struct ota *ota, struct db *db, bool *more, struct err *e) MUST_CHECK;

/* Whether what such a model's devices install needs no signature. */
bool ota_unsigned_model(const struct ota *ota, const char *model);
/* Of all its models. */
bool ota_unsigned_release(const struct ota *ota, const char **models, size_t count);

/* --- a file on its way in: FILE lane ----------------------------------------------------------------- */

struct received;
struct received_file {
    struct digest_texts is;
    uint64_t size; /* bytes */
};
int received_new(struct ota *ota, struct received **out, struct err *e) MUST_CHECK;
int received_write(struct received *r, const void *data, size_t n, struct err *e) MUST_CHECK;
/* It is whole: out is filled, the bytes are on the disk. */
int received_finish(struct received *r, struct received_file *out, struct err *e) MUST_CHECK;
/* Kept as a blob, for a row to refer to it. */
int received_keep(struct ota *ota, struct received *r, struct err *e) MUST_CHECK;
void received_free(struct received *r); /* NULL is fine */

#endif
