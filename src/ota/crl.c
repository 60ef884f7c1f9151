#include "ota/crl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/certificates.h"
#include "store/store.h"

#define ARENA_MAX ((size_t)1 << 28) /* CRL_ENTRIES_MAX entries, and the list as text */

struct crl {
    pthread_mutex_t lock;
    bool touched; /* something was revoked since the list was begun */
    bool making;
    int64_t made_ms;  /* 0: none since start */
    int64_t begun_ms; /* the last try */
};

int crl_new(struct crl **out, struct err *e)
{
    struct crl *c = calloc(1, sizeof *c);
    if (c == NULL || pthread_mutex_init(&c->lock, NULL) != 0) {
        free(c);
        return err_set(e, ERR_NOMEM, "no memory for the revocation list's state");
    }
    *out = c;
    return 0;
}

void crl_free(struct crl *c)
{
    if (c == NULL)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void crl_touch(struct crl *c)
{
    pthread_mutex_lock(&c->lock);
    c->touched = true;
    pthread_mutex_unlock(&c->lock);
}

bool crl_due(struct crl *c, int64_t now_ms, int64_t crl_hours)
{
    pthread_mutex_lock(&c->lock);
    /* A clock that went back must not keep the list from being made: then its age is unknown. */
    bool tried_now = c->begun_ms != 0 && now_ms >= c->begun_ms && now_ms - c->begun_ms < CRL_GAP_MS;
    bool aged = now_ms < c->made_ms || now_ms - c->made_ms > crl_hours * 3600000 / 2;
    bool due = !c->making && !tried_now && (c->touched || c->made_ms == 0 || aged);
    pthread_mutex_unlock(&c->lock);
    return due;
}

void crl_begin(struct crl *c, struct crl_work *w, int64_t now_ms)
{
    *w = (struct crl_work){0};
    arena_init(&w->arena, ARENA_MAX);
    pthread_mutex_lock(&c->lock);
    c->making = true;
    c->touched = false;
    c->begun_ms = now_ms;
    pthread_mutex_unlock(&c->lock);
}

void crl_end(struct crl *c, struct crl_work *w, int rc)
{
    pthread_mutex_lock(&c->lock);
    c->making = false;
    if (rc == 0)
        c->made_ms = c->begun_ms;
    else
        c->touched = true;
    pthread_mutex_unlock(&c->lock);
    pki_ca_free(w->ca);
    arena_fini(&w->arena);
    *w = (struct crl_work){0};
}

int ota_crl_number(struct db *db, struct crl_work *w, struct err *e)
{
    return store_crl_number(db, &w->number, e);
}

int ota_crl_collect(struct ota *ota, struct db *db, struct crl_work *w, struct err *e)
{
    /* Of the authority that issues now: another's list would need its key, and this server refuses what an
       older one issued from memory. Those past their grace time are refused as expired, so they are left
       out. */
    struct pki_ca *ca = ota->device_ca(ota->device_ca_ctx);
    int64_t end = clock_unix_ms(ota->clock) - ota->renew_grace_days * 86400000;
    struct certificate *list;
    size_t count = 0;
    int rc =
        store_certificate_revoked(db, &w->arena, pki_ca_key_id(ca), end, CRL_ENTRIES_MAX, &list, &count, e);
    struct pki_revoked *revoked = rc == 0 ? arena_array(&w->arena, struct pki_revoked, count + 1) : NULL;
    if (rc == 0 && revoked == NULL)
        rc = err_set(e, ERR_NOMEM, "no memory for a revocation list of %zu entries", count);
    if (rc != 0) {
        pki_ca_free(ca);
        return rc;
    }
    for (size_t i = 0; i < count; i++)
        revoked[i] = (struct pki_revoked){.serial = list[i].serial, .revoked_at = list[i].revoked_at / 1000};
    w->ca = ca;
    w->list = revoked;
    w->count = count;
    return 0;
}

static int path_of(struct ota *ota, char path[PATH_MAX], struct err *e)
{
    if (file_join(path, PATH_MAX, store_dir(ota->store), CRL_FILE) != 0)
        return err_set(e, ERR_INTERNAL, "the path of the data folder is too long for %s in it", CRL_FILE);
    return 0;
}

int ota_crl_build(struct ota *ota, struct crl_work *w, struct err *e)
{
    char path[PATH_MAX];
    struct str pem;
    int64_t now_s = clock_unix_ms(ota->clock) / 1000;
    int rc = pki_crl_make(w->ca, w->list, w->count, w->number, now_s, now_s + ota->crl_hours * 3600,
                          &w->arena, &pem, e);
    if (rc == 0)
        rc = path_of(ota, path, e);
    return rc != 0 ? rc : file_write_atomic(path, pem.p, pem.n, 0644, e);
}

int ota_crl_open(struct ota *ota, struct crl_file *out, struct err *e)
{
    char path[PATH_MAX];
    int rc = path_of(ota, path, e);
    if (rc != 0)
        return rc;
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_BUSY, "the first revocation list is being made; try again in a few seconds");
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(e, errno, "cannot open %s", path);
    *out = (struct crl_file){
        .size = (uint64_t)st.st_size,
        .modified_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000,
    };
    /* Replaced as a whole, never changed: a new file has another number. */
    snprintf(out->etag, sizeof out->etag, "\"crl-%llx-%llx%09lx\"", (unsigned long long)st.st_ino,
             (unsigned long long)st.st_mtim.tv_sec, (unsigned long)st.st_mtim.tv_nsec);
    out->fd = take_fd(&fd);
    return 0;
}
