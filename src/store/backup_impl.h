/* What backup and restore share. */
#ifndef PQOTA_STORE_BACKUP_IMPL_H
#define PQOTA_STORE_BACKUP_IMPL_H

#include "store/db_open.h"

/* Calls each(ctx, sha256, size) for every blob that a module of the database has, until one fails. */
int backup_each_blob(struct db *db, int (*each)(void *ctx, const char *sha256, uint64_t size, struct err *e),
                     void *ctx, struct err *e) MUST_CHECK;
/* Opens an existing database and finds its schema version, which must be at most today's. */
int backup_open_db(const char *path, enum db_mode mode, struct db **out, int *version,
                   struct err *e) MUST_CHECK;

/*
 * Makes `to` (must not exist) the same as the file fd, whose name is `from`: another name of the file
 * when that is possible and `may_link`, else a flushed copy; its bytes are read and compared with sha256
 * and size either way.
 */
int backup_put(const char *from, int fd, const char *to, bool may_link, const char *sha256, uint64_t size,
               struct err *e) MUST_CHECK;

#endif
