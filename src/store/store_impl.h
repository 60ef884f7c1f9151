/* The inside of a store, for the files of this folder that share it. */
#ifndef PQOTA_STORE_STORE_IMPL_H
#define PQOTA_STORE_STORE_IMPL_H

#include <limits.h>
#include <stdatomic.h>

#include "base/hex.h"
#include "store/checkpoint.h"
#include "store/migrations.h"
#include "store/store.h"
#include "store/writer.h"

struct store {
    char dir[PATH_MAX];
    char db_path[PATH_MAX];
    const struct clock *clock;
    int backups_keep;
    int lock_fd;
    struct db *writer_db, *checkpoint_db;
    struct changes *changes;
    struct writer *writer;
    struct checkpointer *checkpointer;
    struct blob_shares *shares;
    atomic_size_t files; /* open for blob_share and spools */
    size_t files_max;
    char sweep_after[SHA256_HEX_SIZE]; /* the blob at which the last blob_sweep stopped; "" from the start */
};

/* Before a file is opened for somebody who asks: ERR_BUSY when files_max are. */
int store_take_file(struct store *s, struct err *e) MUST_CHECK;
void store_drop_file(struct store *s);

/* store_open with another list of migrations: for tests of the steps between two versions. */
int store_open_with(const struct store_options *options, const struct migration *list, size_t count,
                    struct store **out, struct err *e) MUST_CHECK;

#endif
