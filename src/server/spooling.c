/* Disk work of an exchange, on the file workers: a body on its way in, cold pages on their way out. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/run.h"
#include "server/server.h"
#include "store/blobs.h"
#include "store/digests.h"

static bool nobody_waits(struct run *run)
{
    return atomic_load_explicit(&run->x->gone, memory_order_relaxed);
}

/* What comes by hawkBit's management interface is a form with files in it: those are hashed as they are cut
   out. */
static int begin(struct run *run, struct err *e)
{
    int rc = spool_new(run->server->store, &run->spool, e);
    return rc == 0 && run->table->face == FACE_NATIVE ? spool_hash_all(run->spool, e) : rc;
}

static void write_piece(struct pool_job *job, struct db *db)
{
    (void)db;
    struct run *run = container_of(job, struct run, job);
    struct err *e = &run->call.err;
    int rc = 0;
    if (run->spool == NULL)
        rc = begin(run, e);
    if (rc == 0 && !nobody_waits(run))
        rc = spool_write(run->spool, run->piece.p, run->piece.n, e);
    if (rc != 0)
        run_fail(run);
    else
        exchange_chunk_done(run->x);
}

/* An upload is let in or refused at its first piece. From then on it always has its one job in the queue: to
   throw away what has come already would only have it sent again. */
static void to_file_workers(struct run *run)
{
    if (run->spool != NULL)
        pool_submit_always(run->server->file, &run->job);
    else if (pool_submit(run->server->file, &run->job, &run->call.err) != 0)
        run_fail(run);
}

void run_spool_piece(struct run *run, struct str piece)
{
    run->piece = piece;
    run->job.run = write_piece;
    to_file_workers(run);
}

static void finish(struct pool_job *job, struct db *db)
{
    (void)db;
    struct run *run = container_of(job, struct run, job);
    struct err *e = &run->call.err;
    int rc = 0;
    if (run->spool == NULL)
        rc = begin(run, e); /* an empty body is a file too */
    if (rc == 0)
        rc = spool_finish(run->spool, &run->spooled.path, &run->spooled.size, run->spooled.sha256, e);
    if (rc != 0) {
        run_fail(run);
        return;
    }
    const struct digest_texts *hashes = spool_hashes(run->spool);
    run->spooled.sha1 = hashes != NULL ? hashes->sha1 : NULL;
    run->spooled.md5 = hashes != NULL ? hashes->md5 : NULL;
    run->call.spool = &run->spooled;
    run_steps(run);
}

void run_spool_finish(struct run *run)
{
    run->job.run = finish;
    to_file_workers(run);
}

/* The exchange's memory goes when this returns, so the removal has its own. */
struct discard {
    struct pool_job job;
    struct spool *spool;
};

static void discard(struct pool_job *job, struct db *db)
{
    (void)db;
    struct discard *d = container_of(job, struct discard, job);
    spool_free(d->spool);
    free(d);
}

void run_spool_discard(struct run *run)
{
    if (run->spool == NULL)
        return;
    struct discard *d = malloc(sizeof *d);
    if (d == NULL) {
        spool_free(run->spool); /* an unlink on the loop's thread, rather than a file that stays */
    } else {
        d->spool = run->spool;
        d->job.run = discard;
        pool_submit_always(run->server->file, &d->job);
    }
    run->spool = NULL;
}

static void read_file(struct pool_job *job, struct db *db)
{
    (void)db;
    struct run *run = container_of(job, struct run, job);
    size_t done = 0;
    while (done < run->file.size && !nobody_waits(run)) {
        ssize_t n = pread(run->x->res.file, (char *)run->file.buf + done, run->file.size - done,
                          (off_t)(run->file.offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    exchange_file_done(run->x, done > 0 ? (long)done : ERR_IO);
}

void run_file_read(struct run *run, void *buf, size_t size, uint64_t offset)
{
    run->file.buf = buf;
    run->file.size = size;
    run->file.offset = offset;
    run->job.run = read_file;
    /* The head of the reply is out: there is no other answer than the bytes, and one read per connection. */
    pool_submit_always(run->server->file, &run->job);
}
