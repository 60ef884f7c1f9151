/* A data folder of its own for each test, and what the store's tests ask over and over. */
#ifndef PQOTA_TESTS_STORE_FIXTURE_H
#define PQOTA_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "store/db_open.h"
#include "store/store_impl.h"

#define assert_ok(call, e)                                                                                   \
    do {                                                                                                     \
        int ok_rc_ = (call);                                                                                 \
        if (ok_rc_ != 0)                                                                                     \
            fail_msg("%s: %d %s", #call, ok_rc_, (e).text);                                                  \
    } while (0)

struct fixture {
    char dir[64];        /* the temporary folder */
    char data[PATH_MAX]; /* data folder in it */
    struct store_options options;
    struct store *store;
    struct err e;
};

static inline int fixture_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/pqota-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->data, sizeof f->data, "%s/data", f->dir);
    f->options = (struct store_options){.dir = f->data, .clock = &clock_system};
    log_setup(LOG_ERROR, LOG_LOGFMT, open("/dev/null", O_WRONLY | O_CLOEXEC));
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    nftw(f->dir, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static inline void fixture_open(struct fixture *f)
{
    assert_ok(store_open(&f->options, &f->store, &f->e), f->e);
}

static inline void fixture_close(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
}

static inline void fixture_reopen(struct fixture *f)
{
    fixture_close(f);
    fixture_open(f);
}

/* dir/name in a buffer of the caller's. */
static inline const char *fixture_path(const struct fixture *f, const char *name, char out[PATH_MAX])
{
    assert_int_equal(file_join(out, PATH_MAX, f->data, name), 0);
    return out;
}

/* A job's run: puts the key (its arg) into meta. */
static inline int fixture_put(struct db *db, void *arg, struct err *e)
{
    auto_stmt struct stmt s;
    int rc = db_prepare(db, &s, "INSERT INTO meta (key, value) VALUES (?, 'x')", e);
    if (rc == 0) {
        stmt_text(&s, 1, arg);
        rc = stmt_run(&s, e);
    }
    return rc;
}

static inline int64_t fixture_ask(struct fixture *f, const char *sql)
{
    struct db *db = NULL;
    int64_t v = -1;
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    assert_ok(db_get_i64(db, sql, &v, &f->e), f->e);
    assert_true(db_idle(db));
    store_reader_free(db);
    return v;
}

static inline bool fixture_has(struct fixture *f, const char *key)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM meta WHERE key = '%s'", key);
    return fixture_ask(f, sql) == 1;
}

static inline void fixture_exec(const char *path, const char *sql)
{
    struct err e = {0};
    struct db *db = NULL;
    assert_ok(db_open(path, DB_WRITE, &clock_system, &db, &e), e);
    assert_ok(db_exec(db, sql, &e), e);
    db_close(db);
}

static inline void fixture_read(const char *path, struct buf *out)
{
    struct err e = {0};
    buf_init(out, 1 << 26);
    assert_ok(file_read(path, 1 << 26, out, &e), e);
}

#endif
