/*
 * The store: one SQLite database, one writer thread that commits for many at once, readers, and a
 * content-addressed folder of blobs. Durable means: once a job's `done` was called with 0, kill -9 and power
 * loss lose nothing of it.
 *
 * The questions that can be asked stand in one header a subject (store/devices.h, store/releases.h, ...);
 * each takes the `struct db` that the caller's lane has.
 */
#ifndef PQOTA_STORE_STORE_H
#define PQOTA_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"

struct db;
struct store;

struct store_options {
    const char *dir; /* data folder: pqota.db, blobs/, tmp/, backups/ */
    const struct clock *clock;
    size_t queue_max; /* jobs waiting for the writer at most; 0 is 4096 */
    size_t files_max; /* distinct blobs read and files received at once at most; 0 is 1024 */
    int backups_keep; /* backups made before migrations to keep; 0 is 3 */
};

/* Opens or makes it: takes the folder's lock (ERR_CONFLICT: another process has it), refuses a database made
   by a newer pqota, backs up and migrates an older one, sweeps tmp/, starts the writer thread. */
int store_open(const struct store_options *options, struct store **out, struct err *e) MUST_CHECK;
/* Answers what waits, stops the writer, checkpoints, closes. */
void store_close(struct store *s);

int store_reader_new(struct store *s, struct db **out, struct err *e) MUST_CHECK;
void store_reader_free(struct db *db);

/*
 * A job for the writer: run is called inside a savepoint of a transaction that several jobs share; done is
 * called on the writer thread after the commit (rc is what run gave, or the commit's failure). A job
 * whose run fails is undone alone. The memory is the submitter's until done.
 */
struct store_job {
    struct list link;
    int (*run)(struct db *db, void *arg, struct err *e);
    void (*done)(void *arg, int rc, const struct err *e);
    void *arg;
    struct err err;
    int rc;
};

/* ERR_BUSY when queue_max jobs wait already; then done is not called. Background jobs wait behind
   requests. */
int store_submit(struct store *s, struct store_job *job, struct err *e) MUST_CHECK;
int store_submit_background(struct store *s, struct store_job *job, struct err *e) MUST_CHECK;
/* Submits and waits: for start-up, tests and tools, never on a loop thread. */
int store_write_now(struct store *s, int (*run)(struct db *, void *, struct err *), void *arg,
                    struct err *e) MUST_CHECK;

/* After each commit with which something to announce came (an event, a row of the outbox), call is called on
   the writer thread; it must be quick and not call back into the store. NULL ends that, and once it has
   come back, no call is under way. */
void store_on_news(struct store *s, void (*call)(void *ctx), void *ctx);

/* True once for each change that another process (a restore) made to the database since it was last
   asked. */
bool store_changed_outside(struct db *writer_db);

struct store_health {
    size_t queue; /* jobs waiting */
    int64_t wal_bytes;
    int64_t db_bytes;
    int64_t disk_free_bytes;
    uint64_t commits, jobs;  /* since start; jobs per commit is the group's size */
    int64_t last_failure_ms; /* Unix ms of the last failed commit, 0 never */
};
void store_health(struct store *s, struct store_health *out);

const char *store_dir(const struct store *s);

/* A consistent copy of the database of `dir` into the folder dest (made; must not exist or be empty),
   while a server may be running on it, with blobs linked (or copied, on another file system). */
int store_backup(const char *dir, const char *dest, struct err *e) MUST_CHECK;
/* Puts a backup back into `dir` in one transaction, while a server may be running on it. The blobs that the
   backup needs are linked or copied first; a missing or damaged one refuses the whole. */
int store_restore(const char *src, const char *dir, struct err *e) MUST_CHECK;

#endif
