/*
 * store-writer DIR ROUND THREADS JOBS: opens a store, writes rows and blobs from several threads, and
 * prints one line for each acknowledgement at the moment it is given: "row KEY VALUE-SIZE" or
 * "blob SHA256 SIZE".
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/blobs.h"
#include "store/db.h"
#include "store/store.h"

#define VALUE_SIZE 6000
#define BLOB_EVERY 10

static struct store *store;
static int round_number, jobs_each;

static void fail(const struct err *e)
{
    fprintf(stderr, "store-writer: %s\n", e->text);
    _exit(1);
}

static void say(const char *line)
{
    size_t n = strlen(line);
    if (write(STDOUT_FILENO, line, n) != (ssize_t)n)
        _exit(2);
}

struct row {
    struct store_job job;
    char key[48];
    sem_t *done;
};

static int row_run(struct db *db, void *arg, struct err *e)
{
    char value[VALUE_SIZE + 1] = "";
    memset(value, 'v', VALUE_SIZE);
    struct row *r = arg;
    auto_stmt struct stmt s;
    int rc = db_prepare(db, &s, "INSERT INTO meta (key, value) VALUES (?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, r->key);
    stmt_text(&s, 2, value);
    return stmt_run(&s, e);
}

static void row_done(void *arg, int rc, const struct err *e)
{
    struct row *r = arg;
    char line[96];
    if (rc != 0)
        fail(e);
    snprintf(line, sizeof line, "row %s %d\n", r->key, VALUE_SIZE);
    say(line);
    sem_t *done = r->done;
    free(r);
    sem_post(done);
}

static void put_blob(int thread, int number)
{
    struct err e = {0};
    struct spool *sp = NULL;
    const char *path = NULL;
    uint64_t size = 0;
    char sha256[SHA256_HEX_SIZE], data[20000], line[128];
    memset(data, 'a' + number % 26, sizeof data);
    snprintf(data, sizeof data, "blob %d %d %d", round_number, thread, number);
    int rc = spool_new(store, &sp, &e);
    for (int i = 0; rc == 0 && i < 4; i++)
        rc = spool_write(sp, data + i * 5000, 5000, &e);
    if (rc == 0)
        rc = spool_finish(sp, &path, &size, sha256, &e);
    if (rc == 0)
        rc = blob_place(store, path, sha256, &e);
    if (rc != 0)
        fail(&e);
    spool_free(sp);
    snprintf(line, sizeof line, "blob %s %llu\n", sha256, (unsigned long long)size);
    say(line);
}

static void *work(void *arg)
{
    int thread = *(int *)arg;
    sem_t done;
    struct err e = {0};
    sem_init(&done, 0, 4); /* so many jobs of this thread are under way at once */
    for (int i = 0; i < jobs_each; i++) {
        struct row *r = calloc(1, sizeof *r);
        if (r == NULL)
            abort();
        *r = (struct row){.job = {.run = row_run, .done = row_done, .arg = r}, .done = &done};
        snprintf(r->key, sizeof r->key, "%d-%d-%d", round_number, thread, i);
        sem_wait(&done);
        if (store_submit(store, &r->job, &e) != 0)
            fail(&e);
        if (i % BLOB_EVERY == 0)
            put_blob(thread, i);
    }
    for (int i = 0; i < 4; i++)
        sem_wait(&done);
    sem_destroy(&done);
    return NULL;
}

int main(int argc, char **argv)
{
    enum { THREADS_MAX = 16 };
    if (argc != 5)
        return 64;
    struct err e = {0};
    struct store_options o = {.dir = argv[1], .clock = &clock_system};
    uint64_t number = 0, threads = 0, jobs = 0;
    if (str_to_u64(str_of(argv[2]), 1000, &number) != 0 ||
        str_to_u64(str_of(argv[3]), THREADS_MAX, &threads) != 0 ||
        str_to_u64(str_of(argv[4]), 1000000, &jobs) != 0)
        return 64;
    round_number = (int)number;
    jobs_each = (int)jobs;
    log_setup(LOG_WARN, LOG_LOGFMT, STDERR_FILENO);
    if (store_open(&o, &store, &e) != 0)
        fail(&e);
    say("open\n");
    pthread_t t[THREADS_MAX];
    int numbers[THREADS_MAX];
    for (int i = 0; i < (int)threads; i++) {
        numbers[i] = i;
        if (pthread_create(&t[i], NULL, work, &numbers[i]) != 0)
            abort();
    }
    for (int i = 0; i < (int)threads; i++)
        pthread_join(t[i], NULL);
    store_close(store);
    say("closed\n");
    return 0;
}
