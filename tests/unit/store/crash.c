/* kill -9 in the middle of writing: what was acknowledged before is there afterwards. */
#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "store/blobs.h"
#include "store/blobs_impl.h"

enum { ROUNDS = 20, WRITERS = 3 };

struct writing {
    struct store *store;
    int acks; /* pipe */
    int round, number;
};

struct numbered {
    struct store_job job;
    struct writing *w;
    char key[64];
    bool busy; /* by whom submitted it, until done; guarded by the mutex */
};
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static int put_run(struct db *db, void *arg, struct err *e)
{
    return fixture_put(db, ((struct numbered *)arg)->key, e);
}

static void put_done(void *arg, int rc, const struct err *e)
{
    struct numbered *n = arg;
    if (rc != 0) {
        fprintf(stderr, "child: %s\n", e->text);
        _exit(3);
    }
    char line[80];
    int len = snprintf(line, sizeof line, "%s\n", n->key);
    if (write(n->w->acks, line, (size_t)len) != len) /* shorter than PIPE_BUF: whole or not at all */
        _exit(4);
    pthread_mutex_lock(&mutex);
    n->busy = false;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
}

static void *keep_writing(void *arg)
{
    struct writing *w = arg;
    static struct numbered jobs[WRITERS][16];
    struct err e;
    for (int i = 0;; i++) {
        struct numbered *n = &jobs[w->number][i % 16];
        pthread_mutex_lock(&mutex);
        while (n->busy)
            pthread_cond_wait(&cond, &mutex);
        n->busy = true;
        pthread_mutex_unlock(&mutex);
        n->w = w;
        n->job = (struct store_job){.run = put_run, .done = put_done, .arg = n};
        snprintf(n->key, sizeof n->key, "row-%d-%d-%d", w->round, w->number, i);
        if (store_submit(w->store, &n->job, &e) != 0)
            _exit(5);
    }
}

static void *keep_uploading(void *arg)
{
    struct writing *w = arg;
    struct err e = {0};
    for (int i = 0;; i++) {
        struct spool *sp = NULL;
        const char *path = NULL;
        uint64_t size = 0;
        char sha256[SHA256_HEX_SIZE], data[4096], line[80];
        memset(data, i, sizeof data);
        int n = snprintf(data, sizeof data, "%d %d", w->round, i);
        data[n] = 'x';
        if (spool_new(w->store, &sp, &e) != 0 || spool_write(sp, data, sizeof data, &e) != 0 ||
            spool_finish(sp, &path, &size, sha256, &e) != 0 || blob_place(w->store, path, sha256, &e) != 0)
            _exit(6);
        spool_free(sp);
        int len = snprintf(line, sizeof line, "%s\n", sha256);
        if (write(w->acks, line, (size_t)len) != len)
            _exit(7);
    }
}

static _Noreturn void child(struct fixture *f, int round, int acks)
{
    struct store *s = NULL;
    struct err e = {0};
    if (store_open(&f->options, &s, &e) != 0) {
        fprintf(stderr, "child: %s\n", e.text);
        _exit(2);
    }
    struct writing w[WRITERS + 1];
    pthread_t t;
    for (int i = 0; i <= WRITERS; i++) {
        w[i] = (struct writing){.store = s, .acks = acks, .round = round, .number = i};
        if (pthread_create(&t, NULL, i < WRITERS ? keep_writing : keep_uploading, &w[i]) != 0)
            _exit(8);
    }
    for (;;)
        pause();
}

static void check_line(struct fixture *f, struct db *db, const char *line)
{
    if (strncmp(line, "row-", 4) == 0) {
        struct stmt s;
        assert_ok(db_prepare(db, &s, "SELECT 1 FROM meta WHERE key = ?", &f->e), f->e);
        stmt_text(&s, 1, line);
        if (stmt_step(&s, &f->e) != STMT_ROW)
            fail_msg("the acknowledged row %s is gone", line);
        stmt_done(&s);
        return;
    }
    int fd = -1;
    uint64_t size = 0;
    assert_ok(blob_open(f->store, line, &fd, &size, &f->e), f->e);
    assert_ok(blob_verify(fd, -1, line, line, 4096, &f->e), f->e);
    close(fd);
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fixture_close(f);
    unsigned seed = 20261122;
    size_t all = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int acks[2], status = 0;
        assert_int_equal(pipe(acks), 0);
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(acks[0]);
            child(f, round, acks[1]);
        }
        close(acks[1]);
        FILE *in = fdopen(acks[0], "r");
        char(*lines)[80] = calloc(200000, sizeof *lines);
        size_t n = 0, kill_after = 1 + (size_t)rand_r(&seed) % 400;
        while (n < 200000 && fgets(lines[n], sizeof lines[n], in) != NULL) {
            lines[n][strcspn(lines[n], "\n")] = '\0';
            if (++n == kill_after)
                assert_int_equal(kill(pid, SIGKILL), 0);
        }
        fclose(in);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_true(n >= kill_after);
        all += n;
        fixture_open(f);
        struct db *db = NULL;
        assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
        for (size_t i = 0; i < n; i++)
            check_line(f, db, lines[i]);
        store_reader_free(db);
        free(lines);
        assert_int_equal(fixture_ask(f, "SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'"),
                         0);
        char tmp[PATH_MAX];
        assert_int_equal(rmdir(fixture_path(f, "tmp", tmp)), 0); /* swept: it is empty */
        assert_int_equal(mkdir(tmp, 0700), 0);
        fixture_close(f);
    }
    print_message("%zu acknowledgements in %d rounds\n", all, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_acknowledged_survives_kill_9, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
