/* The writer thread: runs jobs in transactions that many share, and answers them once these are durable. */
#ifndef PQOTA_STORE_WRITER_H
#define PQOTA_STORE_WRITER_H

#include "base/clock.h"
#include "base/err.h"
#include "store/db_open.h"
#include "store/store.h"

struct writer;

/* db is the writer's from here until writer_stop has come back. */
int writer_start(struct db *db, const struct clock *clock, size_t queue_max, struct writer **out,
                 struct err *e) MUST_CHECK;
/* Takes nothing new, answers what waits, ends the thread. The other calls stay safe until writer_free. */
void writer_stop(struct writer *w);
void writer_free(struct writer *w);

int writer_submit(struct writer *w, struct store_job *job, bool background, struct err *e) MUST_CHECK;
int writer_run_now(struct writer *w, int (*run)(struct db *, void *, struct err *), void *arg,
                   struct err *e) MUST_CHECK;
/* Asks that the write-ahead log be cut off between two transactions; any thread. */
void writer_truncate_log(struct writer *w);
/* Called on the writer thread after each commit with which something to announce came (db_note_news); NULL
   ends that, and once it has come back, no call is under way. */
void writer_on_news(struct writer *w, void (*call)(void *ctx), void *ctx);
/* Fills queue, commits, jobs and last_failure_ms. */
void writer_health(struct writer *w, struct store_health *out);

#endif
