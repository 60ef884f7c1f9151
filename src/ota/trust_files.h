/*
 * Files of update metadata in memory, as they are served: each is read once and shared by all replies that
 * are under way. What nobody asked for longest goes first; replies keep what they hold. Thread-safe.
 */
#ifndef PQOTA_OTA_TRUST_FILES_H
#define PQOTA_OTA_TRUST_FILES_H

#include <pthread.h>

#include "store/metadata.h"

#define TRUST_FILES_MAX 256           /* that are kept */
#define TRUST_FILES_BYTES (32u << 20) /* of all of them */

struct ota;
struct trust_file; /* immutable, reference-counted */

struct trust_files {
    pthread_mutex_t lock;
    struct {
        struct trust_file *file;
        uint64_t used; /* when it was asked for last, by `turn` */
    } kept[TRUST_FILES_MAX];
    size_t count, bytes;
    uint64_t turn;
};

int trust_files_init(struct trust_files *k);
void trust_files_fini(struct trust_files *k);
struct trust_files *trust_files_of(const struct ota *ota);

/* A reference to the file with that hash, if it is here; else NULL. */
struct trust_file *trust_file_find(struct trust_files *k, const char *sha256) MUST_CHECK;
/* The same, read from the database when it is not here. ERR_NOT_FOUND: it is gone. */
int trust_file_get(struct trust_files *k, struct db *db, const struct metadata *m, struct trust_file **out,
                   struct err *e) MUST_CHECK;
struct str trust_file_body(const struct trust_file *f); /* good as long as the reference */
void trust_file_unref(struct trust_file *f);            /* NULL is fine */

#endif
