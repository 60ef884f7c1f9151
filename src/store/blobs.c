#include "store/blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "store/blobs_impl.h"
#include "store/digests.h"
#include "store/folder.h"
#include "store/store_impl.h"

CLEANUP_DEFINE(md, EVP_MD_CTX, EVP_MD_CTX_free);

/* ---- hashing ---- */

static int digest_new(EVP_MD_CTX **out, struct err *e)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(md);
        return err_set(e, ERR_CRYPTO, "cannot set up SHA-256");
    }
    *out = md;
    return 0;
}

static int digest_hex(EVP_MD_CTX *md, char out[SHA256_HEX_SIZE], struct err *e)
{
    unsigned char raw[SHA256_SIZE];
    if (EVP_DigestFinal_ex(md, raw, NULL) != 1)
        return err_set(e, ERR_CRYPTO, "cannot finish SHA-256");
    hex_encode(raw, sizeof raw, out);
    return 0;
}

int blob_hash(int fd, int to, const char *name, char sha256[SHA256_HEX_SIZE], uint64_t *size, struct err *e)
{
    CLEANUP(md_cleanup) EVP_MD_CTX *md = NULL;
    auto_free char *chunk = malloc(BLOB_READ_SIZE);
    if (chunk == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read %s", name);
    int rc = digest_new(&md, e);
    uint64_t sum = 0;
    while (rc == 0) {
        ssize_t n = pread(fd, chunk, BLOB_READ_SIZE, (off_t)sum);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, errno, "cannot read %s", name);
        if (n == 0)
            break;
        sum += (uint64_t)n;
        if (EVP_DigestUpdate(md, chunk, (size_t)n) != 1)
            return err_set(e, ERR_CRYPTO, "cannot hash %s", name);
        if (to >= 0)
            rc = file_write_all(to, chunk, (size_t)n, "the copy", e);
    }
    if (rc == 0)
        rc = digest_hex(md, sha256, e);
    if (rc == 0)
        *size = sum;
    return rc;
}

int blob_verify(int fd, int to, const char *name, const char *sha256, uint64_t size, struct err *e)
{
    char real[SHA256_HEX_SIZE];
    uint64_t real_size = 0;
    int rc = blob_hash(fd, to, name, real, &real_size, e);
    if (rc == 0 && (real_size != size || strcmp(real, sha256) != 0))
        rc = err_set(e, ERR_CORRUPT, "%s is damaged: it has %llu bytes with SHA-256 %s", name,
                     (unsigned long long)real_size, real);
    return rc;
}

/* ---- spool ---- */

struct spool {
    char path[PATH_MAX];
    int fd; /* -1 once finished or given up */
    EVP_MD_CTX *md;
    struct digests *all; /* NULL: SHA-256 alone */
    struct digest_texts texts;
    uint64_t size;
    bool finished;
    struct store *store;
};

int spool_new(struct store *s, struct spool **out, struct err *e)
{
    struct spool *sp = calloc(1, sizeof *sp);
    if (sp == NULL)
        return err_set(e, ERR_NOMEM, "no memory to receive a file");
    sp->fd = -1;
    int rc = store_take_file(s, e);
    if (rc != 0) {
        free(sp);
        return rc;
    }
    sp->store = s;
    rc = folder_tmp_name(s->dir, "upload", sp->path, e);
    if (rc == 0)
        rc = digest_new(&sp->md, e);
    if (rc == 0) {
        sp->fd = open(sp->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (sp->fd < 0)
            rc = err_errno(e, errno, "cannot make the temporary file %s", sp->path);
    }
    if (rc != 0) {
        store_drop_file(s);
        EVP_MD_CTX_free(sp->md);
        free(sp);
        return rc;
    }
    *out = sp;
    return 0;
}

int spool_hash_all(struct spool *sp, struct err *e)
{
    return sp->all != NULL ? 0 : digests_new(&sp->all, e);
}

const struct digest_texts *spool_hashes(const struct spool *sp)
{
    return sp->finished && sp->all != NULL ? &sp->texts : NULL;
}

/* At once, not when the request ends: a full disk should have its space back. */
static void give_up(struct spool *sp)
{
    if (sp->fd >= 0)
        close(sp->fd);
    sp->fd = -1;
    unlink(sp->path);
}

int spool_write(struct spool *sp, const void *data, size_t n, struct err *e)
{
    if (sp->fd < 0)
        return err_set(e, ERR_INTERNAL, "a received file was written to after its end");
    int rc = file_write_all(sp->fd, data, n, sp->path, e);
    if (rc == 0 && sp->all != NULL)
        rc = digests_add(sp->all, data, n, e);
    else if (rc == 0 && EVP_DigestUpdate(sp->md, data, n) != 1)
        rc = err_set(e, ERR_CRYPTO, "cannot hash %s", sp->path);
    if (rc != 0)
        give_up(sp);
    else
        sp->size += n;
    return rc;
}

int spool_finish(struct spool *sp, const char **path, uint64_t *size, char sha256[SHA256_HEX_SIZE],
                 struct err *e)
{
    if (sp->fd < 0)
        return err_set(e, ERR_INTERNAL, "a received file was finished twice, or after a failure");
    int rc = file_fsync(sp->fd, sp->path, e);
    if (rc == 0 && sp->all != NULL)
        rc = digests_end(sp->all, &sp->texts, e);
    else if (rc == 0)
        rc = digest_hex(sp->md, sp->texts.sha256, e);
    if (rc != 0) {
        give_up(sp);
        return rc;
    }
    close(sp->fd);
    sp->fd = -1;
    sp->finished = true;
    memcpy(sha256, sp->texts.sha256, SHA256_HEX_SIZE);
    *path = sp->path;
    *size = sp->size;
    return 0;
}

void spool_free(struct spool *sp)
{
    if (sp == NULL)
        return;
    give_up(sp); /* a placed one has another name by now */
    store_drop_file(sp->store);
    EVP_MD_CTX_free(sp->md);
    digests_free(sp->all);
    free(sp);
}

/* ---- blobs ---- */

static bool is_sha256(const char *z)
{
    return strlen(z) == SHA256_HEX_SIZE - 1 && strspn(z, "0123456789abcdef") == SHA256_HEX_SIZE - 1;
}

int blob_path(const char *dir, const char *sha256, char *out, struct err *e)
{
    if (!is_sha256(sha256))
        return err_set(e, ERR_INVALID, "a blob's name is not a SHA-256 in lower-case hexadecimal");
    int n = snprintf(out, PATH_MAX, "%s/blobs/%.2s/%s", dir, sha256, sha256 + 2);
    if (n < 0 || n >= PATH_MAX)
        return err_set(e, ERR_TOO_LARGE, "the path of the data folder %s is too long", dir);
    return 0;
}

int blobs_lock(const char *dir, int *out, struct err *e)
{
    char path[PATH_MAX];
    if (file_join(path, sizeof path, dir, "blobs.lock") != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of the data folder %s is too long", dir);
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(e, errno, "cannot open %s", path);
    int rc = folder_give(dir, fd, path, e);
    while (rc == 0 && flock(fd, LOCK_EX) != 0)
        if (errno != EINTR)
            rc = err_errno(e, errno, "cannot lock %s", path);
    if (rc == 0)
        *out = take_fd(&fd);
    return rc;
}

static int make_fan_folder(const char *dir, const char *folder, struct err *e)
{
    if (mkdir(folder, 0700) != 0)
        return errno == EEXIST ? 0 : err_errno(e, errno, "cannot make the folder %s", folder);
    auto_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, errno, "cannot open the folder %s", folder);
    return folder_give(dir, fd, folder, e);
}

static int put_in_place(const char *dir, const char *from, const char *to, struct err *e)
{
    auto_close int lock = -1;
    int rc = blobs_lock(dir, &lock, e);
    if (rc != 0)
        return rc;
    if (utimensat(AT_FDCWD, from, NULL, AT_SYMLINK_NOFOLLOW) != 0)
        return err_errno(e, errno, "cannot set the time of %s", from);
    if (rename(from, to) != 0)
        return err_errno(e, errno, "cannot move %s to %s", from, to);
    return 0;
}

int blob_place_in(const char *dir, const char *spool_path, const char *sha256, struct err *e)
{
    char path[PATH_MAX], folder[PATH_MAX], blobs[PATH_MAX];
    int rc = blob_path(dir, sha256, path, e);
    if (rc != 0)
        return rc;
    snprintf(blobs, sizeof blobs, "%.*s", (int)(strlen(path) - strlen("/ab/") - (SHA256_HEX_SIZE - 3)), path);
    snprintf(folder, sizeof folder, "%.*s", (int)(strlen(path) - strlen("/") - (SHA256_HEX_SIZE - 3)), path);
    rc = make_fan_folder(dir, folder, e);
    if (rc == 0)
        rc = put_in_place(dir, spool_path, path, e);
    /* Both, also when the folder was there: who made it may have died before flushing its name. */
    if (rc == 0)
        rc = file_fsync_dir(folder, e);
    if (rc == 0)
        rc = file_fsync_dir(blobs, e);
    return rc;
}

int blob_place(struct store *s, const char *spool_path, const char *sha256, struct err *e)
{
    return blob_place_in(s->dir, spool_path, sha256, e);
}

int blob_open_in(const char *dir, const char *sha256, int *out, uint64_t *size, struct err *e)
{
    char path[PATH_MAX];
    int rc = blob_path(dir, sha256, path, e);
    if (rc != 0)
        return rc;
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "the blob %s is missing from the store", sha256);
    struct stat st;
    if (fd < 0 && errno != ELOOP)
        return err_errno(e, errno, "cannot open the blob %s", sha256);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return err_set(e, ERR_CORRUPT, "the blob %s is not a regular file", sha256);
    *size = (uint64_t)st.st_size;
    *out = take_fd(&fd);
    return 0;
}

int blob_open(struct store *s, const char *sha256, int *fd, uint64_t *size, struct err *e)
{
    return blob_open_in(s->dir, sha256, fd, size, e);
}
