/* Removes blobs that no row needs any more. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/blobs.h"
#include "store/blobs_impl.h"
#include "store/store_impl.h"

#define FAN 256 /* folders "00" to "ff" */

struct sweep {
    struct store *s;
    int64_t younger_stays; /* Unix ms: what has a later time is left alone */
    int (*keep)(void *ctx, const char *sha256, struct err *e);
    void *ctx;
    size_t removed;
};

static bool is_old(const struct sweep *w, const char *path, bool *gone)
{
    struct stat st;
    *gone = lstat(path, &st) != 0;
    return !*gone && S_ISREG(st.st_mode) &&
           (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000 < w->younger_stays;
}

/* Under the lock: nobody can place the blob anew between the look at its time and its removal. */
static int look_at(struct sweep *w, const char *sha256, struct err *e)
{
    char path[PATH_MAX];
    bool gone = false;
    int rc = blob_path(w->s->dir, sha256, path, e);
    if (rc != 0)
        return rc;
    if (!is_old(w, path, &gone))
        return 0;
    auto_close int lock = -1;
    rc = blobs_lock(w->s->dir, &lock, e);
    if (rc != 0 || !is_old(w, path, &gone))
        return rc;
    rc = w->keep(w->ctx, sha256, e);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (unlink(path) != 0 && errno != ENOENT)
        return err_errno(e, errno, "cannot remove the blob %s", sha256);
    w->removed++;
    return 0;
}

static int is_rest(const struct dirent *it)
{
    return strlen(it->d_name) == SHA256_HEX_SIZE - 3 &&
           strspn(it->d_name, "0123456789abcdef") == SHA256_HEX_SIZE - 3;
}

/* One folder, in the order of names, from after the cursor on. */
static int sweep_folder(struct sweep *w, unsigned fan, size_t *left, struct err *e)
{
    char path[PATH_MAX], sha256[SHA256_HEX_SIZE];
    int n = snprintf(path, sizeof path, "%s/blobs/%02x", w->s->dir, fan);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(e, ERR_TOO_LARGE, "the path of the data folder %s is too long", w->s->dir);
    struct dirent **names = NULL;
    n = scandir(path, &names, is_rest, alphasort);
    if (n < 0)
        return errno == ENOENT ? 0 : err_errno(e, errno, "cannot list the folder %s", path);
    int rc = 0;
    for (int i = 0; i < n; i++) {
        snprintf(sha256, sizeof sha256, "%02x%.62s", fan, names[i]->d_name);
        free(names[i]);
        if (rc != 0 || *left == 0 || strcmp(sha256, w->s->sweep_after) <= 0)
            continue;
        --*left;
        rc = look_at(w, sha256, e);
        memcpy(w->s->sweep_after, sha256, sizeof sha256);
    }
    free(names);
    return rc;
}

int blob_sweep(struct store *s, int64_t now_ms, int64_t grace_ms, size_t most,
               int (*keep)(void *ctx, const char *sha256, struct err *e), void *ctx, size_t *removed,
               struct err *e)
{
    struct sweep w = {.s = s, .younger_stays = now_ms - grace_ms, .keep = keep, .ctx = ctx};
    char start[3] = "00";
    if (s->sweep_after[0] != '\0')
        memcpy(start, s->sweep_after, 2);
    int rc = 0;
    size_t left = most;
    for (unsigned fan = (unsigned)strtoul(start, NULL, 16); rc == 0 && left > 0 && fan < FAN; fan++)
        rc = sweep_folder(&w, fan, &left, e);
    if (rc == 0 && left > 0)
        s->sweep_after[0] = '\0'; /* came to the end: the next call begins anew */
    if (rc == 0)
        *removed = w.removed;
    return rc;
}
