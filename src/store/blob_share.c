/* Blobs that are being sent: however many devices fetch the same file, one descriptor is open for it. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "store/blobs.h"
#include "store/blobs_impl.h"
#include "store/store_impl.h"

struct shared {
    struct list link;
    char sha256[SHA256_HEX_SIZE];
    dev_t dev;
    ino_t ino;
    int fd;
    size_t users;
};

struct blob_shares {
    pthread_mutex_t lock;
    struct list all; /* few: the distinct files that are fetched at the moment */
};

struct blob_shares *blob_shares_new(void)
{
    struct blob_shares *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    pthread_mutex_init(&b->lock, NULL);
    list_init(&b->all);
    return b;
}

void blob_shares_free(struct blob_shares *b)
{
    if (b == NULL)
        return;
    list_for_each_safe(it, tmp, &b->all)
    {
        struct shared *sh = container_of(it, struct shared, link);
        close(sh->fd);
        free(sh);
    }
    pthread_mutex_destroy(&b->lock);
    free(b);
}

/* What is open already, if it still is what stands in the blob's place: a damaged blob is mended by
   another file there, and who reads the old one reads on in it. */
static struct shared *find(struct store *s, const char *sha256, uint64_t *size)
{
    char path[PATH_MAX];
    struct stat st;
    if (blob_path(s->dir, sha256, path, NULL) != 0 || lstat(path, &st) != 0)
        return NULL;
    list_for_each(it, &s->shares->all)
    {
        struct shared *sh = container_of(it, struct shared, link);
        if (sh->dev != st.st_dev || sh->ino != st.st_ino || strcmp(sh->sha256, sha256) != 0)
            continue;
        *size = (uint64_t)st.st_size;
        return sh;
    }
    return NULL;
}

static int open_shared(struct store *s, const char *sha256, struct shared **out, uint64_t *size,
                       struct err *e)
{
    auto_free struct shared *sh = calloc(1, sizeof *sh);
    auto_close int fd = -1;
    struct stat st;
    if (sh == NULL)
        return err_set(e, ERR_NOMEM, "no memory to open the blob %s", sha256);
    int rc = store_take_file(s, e);
    if (rc != 0)
        return rc;
    rc = blob_open(s, sha256, &fd, size, e);
    if (rc == 0 && fstat(fd, &st) != 0)
        rc = err_errno(e, errno, "cannot look at the blob %s", sha256);
    if (rc != 0) {
        store_drop_file(s);
        return rc;
    }
    snprintf(sh->sha256, sizeof sh->sha256, "%s", sha256);
    sh->dev = st.st_dev;
    sh->ino = st.st_ino;
    sh->fd = take_fd(&fd);
    list_add_tail(&s->shares->all, &sh->link);
    *out = take_ptr(sh);
    return 0;
}

int blob_share(struct store *s, const char *sha256, int *fd, uint64_t *size, struct err *e)
{
    /* All of it under the lock: two that ask at once shall not open it twice. */
    pthread_mutex_lock(&s->shares->lock);
    uint64_t found = 0;
    struct shared *sh = find(s, sha256, &found);
    int rc = sh == NULL ? open_shared(s, sha256, &sh, &found, e) : 0;
    if (rc == 0) {
        sh->users++;
        *fd = sh->fd;
        *size = found;
    }
    pthread_mutex_unlock(&s->shares->lock);
    return rc;
}

void blob_give_back(struct store *s, int fd)
{
    struct shared *done = NULL;
    pthread_mutex_lock(&s->shares->lock);
    list_for_each(it, &s->shares->all)
    {
        struct shared *sh = container_of(it, struct shared, link);
        if (sh->fd != fd)
            continue;
        if (--sh->users == 0)
            done = sh;
        break;
    }
    if (done != NULL)
        list_remove(&done->link);
    pthread_mutex_unlock(&s->shares->lock);
    if (done == NULL)
        return;
    close(done->fd);
    free(done);
    store_drop_file(s);
}
