/*
 * Writes the write-ahead log back into the database, on a thread and a connection of its own, so that no
 * commit waits for it. Past a second limit, when copying alongside the commits does not keep up,
 * `on_large` is called for the writer to cut the log off between two transactions.
 */
#ifndef PQOTA_STORE_CHECKPOINT_H
#define PQOTA_STORE_CHECKPOINT_H

#include <stdint.h>

#include "base/err.h"
#include "store/db_open.h"

#define CHECKPOINT_PASSIVE_BYTES (4 << 20)
#define CHECKPOINT_TRUNCATE_BYTES (64 << 20)

struct checkpointer;

/* db is the thread's until checkpointer_stop has come back. */
int checkpointer_start(struct db *db, void (*on_large)(void *ctx), void *ctx, struct checkpointer **out,
                       struct err *e) MUST_CHECK;
void checkpointer_stop(struct checkpointer *c);
/* Tells how many bytes the log holds after a commit; any thread, does not wait. */
void checkpointer_note(struct checkpointer *c, int64_t wal_bytes);

#endif
