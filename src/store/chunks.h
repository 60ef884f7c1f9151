/* A release as hawkBit's protocol shows it: modules ("chunks") with their files and what is said of them. */
#ifndef PQOTA_STORE_CHUNKS_H
#define PQOTA_STORE_CHUNKS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct db;

struct chunk_artifact {
    const char *filename, *sha256;
    const char *sha1, *md5; /* NULL: not computed yet */
    int64_t size;           /* bytes */
    int64_t created_at;     /* Unix milliseconds */
};
struct chunk_metadata {
    const char *key, *value;
};
struct chunk {
    int64_t module;
    const char *type, *name, *version;
    bool encrypted;
    struct chunk_artifact *artifacts; /* in the order of their names */
    size_t artifact_count;
    struct chunk_metadata *metadata; /* what devices may see */
    size_t metadata_count;
};

/* In the order in which the modules were made. *out has *count; texts in the arena. */
int store_chunks(struct db *db, struct arena *a, int64_t release, struct chunk **out, size_t *count,
                 struct err *e) MUST_CHECK;
/* A module's files. ERR_NOT_FOUND: no such module. */
int store_chunk(struct db *db, struct arena *a, int64_t module, struct chunk *out, struct err *e) MUST_CHECK;

/* The device's open action, not one that it was asked to give up, or else its last that succeeded, whose
   release has the module; 0: none. */
int store_action_with_module(struct db *db, int64_t device, int64_t module, int64_t *action,
                             struct err *e) MUST_CHECK;
/* The device's last action that succeeded, if its release has that version (NULL: whichever); 0: none. */
int store_action_installed(struct db *db, int64_t device, const char *version, int64_t *action,
                           struct err *e) MUST_CHECK;

#endif
