#include "agent/files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"

int files_open(struct files *f, const char *dir, bool make, struct err *e)
{
    memset(f, 0, sizeof *f);
    f->artifact_fd = f->lock_fd = -1;
    if (make) {
        int rc = file_mkdirs(dir, 0700, e);
        if (rc != 0)
            return rc;
    }
    const struct {
        char *path;
        const char *name;
    } names[] = {{f->state, "state"},
                 {f->artifact, "artifact"},
                 {f->key, "device.key"},
                 {f->cert, "device.crt"},
                 {f->cert_new, "device.crt.new"},
                 {f->roots, "server-roots.pem"},
                 {f->roots_new, "server-roots.pem.new"},
                 {f->server, "server"},
                 {f->model, "model"},
                 {f->floor, "clock-floor"},
                 {f->lock, "lock"},
                 {f->question, "consent-question"},
                 {f->answer, "consent-answer"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (file_join(names[i].path, PATH_MAX, dir, names[i].name) != 0)
            return err_set(e, ERR_TOO_LARGE, "the path of the state folder %s is too long", dir);
    memcpy(f->dir, dir, strlen(dir) + 1);
    return 0;
}

void files_close(struct files *f)
{
    if (f->artifact_fd >= 0)
        close(f->artifact_fd);
    if (f->lock_fd >= 0)
        close(f->lock_fd);
    f->artifact_fd = f->lock_fd = -1;
}

int files_lock(struct files *f, struct err *e)
{
    int fd = open(f->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(e, errno, "cannot open %s", f->lock);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int en = errno;
        close(fd);
        if (en == EWOULDBLOCK)
            return err_set(e, ERR_BUSY, "another pqota-agent is at work in %s", f->dir);
        return err_errno(e, en, "cannot lock %s", f->lock);
    }
    if (ftruncate(fd, 0) != 0)
        log_warn("agent", "the lock's file could not be emptied", LOG_STR("file", f->lock)); /* a help only */
    f->lock_fd = fd;
    return 0;
}

void files_may_wake(struct files *f)
{
    char pid[24];
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (pwrite(f->lock_fd, pid, (size_t)n, 0) != n)
        log_warn("agent", "the process id could not be written", LOG_STR("file", f->lock));
}

pid_t files_woken(const struct files *f)
{
    char text[24] = "";
    uint64_t pid = 0;
    auto_close int fd = open(f->lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) /* nobody has it */
        return 0;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    struct str line = {.p = text, .n = n > 0 ? (size_t)n - 1 : 0};
    return str_to_u64(line, INT32_MAX, &pid) == 0 && pid > 1 ? (pid_t)pid : 0;
}

static bool is_leftover(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot != name && (strcmp(dot, ".tmp") == 0 || strcmp(dot, ".check") == 0);
}

void files_sweep(const char *dir)
{
    auto_closedir DIR *d = opendir(dir);
    struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL)
        if (is_leftover(entry->d_name) && unlinkat(dirfd(d), entry->d_name, 0) != 0)
            log_warn("files", "a temporary file could not be removed", LOG_STR("file", entry->d_name));
}

int files_artifact_fd(const struct files *f)
{
    return f->artifact_fd;
}

void files_artifact_close(struct files *f)
{
    if (f->artifact_fd >= 0)
        close(f->artifact_fd);
    f->artifact_fd = -1;
}

const char *files_artifact_path(const struct files *f)
{
    return f->artifact;
}

static int failed(const struct err *e)
{
    log_error("files", "storage failed", LOG_ERR(e));
    return e->code == ERR_FULL ? PQOTA_E_FULL : PQOTA_E_AGAIN;
}

static int failed_errno(int en, const char *what, const struct files *f)
{
    struct err e = {0};
    err_errno(&e, en, "cannot %s %s", what, f->artifact);
    return failed(&e);
}

static int st_load(void *ctx, void *data, size_t size, size_t *n)
{
    struct files *f = ctx;
    auto_buf struct buf text;
    buf_init(&text, size);
    struct err e = {0};
    *n = 0;
    int rc = file_read(f->state, size, &text, &e);
    if (rc == ERR_NOT_FOUND)
        return PQOTA_OK;
    /* Larger than any state of ours: damaged, which the library is told by a text it does not accept. */
    if (rc == ERR_TOO_LARGE) {
        memset(data, 0, size);
        *n = 1;
        return PQOTA_OK;
    }
    if (rc != 0)
        return failed(&e);
    memcpy(data, text.p, text.n);
    *n = text.n;
    return PQOTA_OK;
}

static int st_save(void *ctx, const void *data, size_t n)
{
    struct files *f = ctx;
    struct err e = {0};
    return file_write_atomic(f->state, data, n, 0600, &e) == 0 ? PQOTA_OK : failed(&e);
}

static int open_artifact(struct files *f, int flags)
{
    if (f->artifact_fd >= 0)
        return PQOTA_OK;
    int fd = open(f->artifact, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (fd < 0)
        return failed_errno(errno, "open", f);
    f->artifact_fd = fd;
    return PQOTA_OK;
}

static int st_discard(void *ctx)
{
    struct files *f = ctx;
    files_artifact_close(f);
    if (unlink(f->artifact) != 0 && errno != ENOENT)
        return failed_errno(errno, "remove", f);
    return PQOTA_OK;
}

/* Takes the room now, so that a download does not end at its last megabyte, and leaves some for the state,
   which must be stored for anything to be done at all. */
static int reserve(struct files *f, uint64_t size)
{
    struct statvfs vfs;
    bool reserved = fallocate(f->artifact_fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) == 0;
    if (!reserved && errno != EOPNOTSUPP && errno != ENOSYS) {
        if (errno == EFBIG) /* no file of this file system is that large */
            errno = ENOSPC;
        return failed_errno(errno, "reserve room for", f);
    }
    if (fstatvfs(f->artifact_fd, &vfs) != 0)
        return PQOTA_OK; /* nothing can be said */
    uint64_t left = (uint64_t)vfs.f_bavail * vfs.f_frsize, need = FILES_HEADROOM;
    if (!reserved)
        need += size;
    return left >= need ? PQOTA_OK : failed_errno(ENOSPC, "reserve room for", f);
}

static int st_prepare(void *ctx, uint64_t size)
{
    struct files *f = ctx;
    struct err e = {0};
    int rc = st_discard(f);
    if (rc == PQOTA_OK)
        rc = open_artifact(f, O_CREAT | O_EXCL);
    if (rc != PQOTA_OK)
        return rc;
    rc = reserve(f, size);
    if (rc != PQOTA_OK) {
        /* What was reserved in part would keep even the failure from being stored. */
        if (st_discard(f) != PQOTA_OK)
            log_error("files", "the room that was reserved could not be given back");
        return rc;
    }
    return file_fsync_dir(f->dir, &e) == 0 ? PQOTA_OK : failed(&e);
}

static int st_size(void *ctx, uint64_t *n)
{
    struct files *f = ctx;
    struct stat st;
    if (f->artifact_fd < 0 && access(f->artifact, F_OK) != 0 && errno == ENOENT) {
        /* It was lost, or never begun: an empty one takes its place. */
        int rc = open_artifact(f, O_CREAT | O_EXCL);
        if (rc != PQOTA_OK)
            return rc;
    }
    int rc = open_artifact(f, 0);
    if (rc != PQOTA_OK)
        return rc;
    if (fstat(f->artifact_fd, &st) != 0)
        return failed_errno(errno, "examine", f);
    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        return failed_errno(errno, "use (it is no regular file)", f);
    }
    *n = (uint64_t)st.st_size;
    return PQOTA_OK;
}

static int st_write(void *ctx, uint64_t offset, const void *data, size_t n)
{
    struct files *f = ctx;
    const char *p = data;
    while (n > 0) {
        ssize_t w = pwrite(f->artifact_fd, p, n, (off_t)offset);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return failed_errno(errno, "write", f);
        p += w;
        n -= (size_t)w;
        offset += (uint64_t)w;
    }
    return PQOTA_OK;
}

static int st_read(void *ctx, uint64_t offset, void *data, size_t n)
{
    struct files *f = ctx;
    char *p = data;
    while (n > 0) {
        ssize_t r = pread(f->artifact_fd, p, n, (off_t)offset);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return failed_errno(r < 0 ? errno : EIO, "read", f);
        p += r;
        n -= (size_t)r;
        offset += (uint64_t)r;
    }
    return PQOTA_OK;
}

static int st_truncate(void *ctx, uint64_t n)
{
    struct files *f = ctx;
    uint64_t size;
    int rc = st_size(f, &size);
    if (rc != PQOTA_OK || size <= n)
        return rc;
    return ftruncate(f->artifact_fd, (off_t)n) == 0 ? PQOTA_OK : failed_errno(errno, "cut", f);
}

static int st_sync(void *ctx)
{
    struct files *f = ctx;
    return fdatasync(f->artifact_fd) == 0 ? PQOTA_OK : failed_errno(errno, "flush", f);
}

struct pqota_storage files_storage(struct files *f)
{
    return (struct pqota_storage){.ctx = f,
                                  .load = st_load,
                                  .save = st_save,
                                  .prepare = st_prepare,
                                  .size = st_size,
                                  .write = st_write,
                                  .read = st_read,
                                  .truncate = st_truncate,
                                  .sync = st_sync,
                                  .discard = st_discard};
}

static int sha_begin(void *ctx)
{
    EVP_MD_CTX **md = ctx;
    if (*md == NULL)
        *md = EVP_MD_CTX_new();
    return *md != NULL && EVP_DigestInit_ex2(*md, EVP_sha256(), NULL) == 1 ? PQOTA_OK : PQOTA_E_AGAIN;
}

static int sha_update(void *ctx, const void *data, size_t n)
{
    EVP_MD_CTX **md = ctx;
    return EVP_DigestUpdate(*md, data, n) == 1 ? PQOTA_OK : PQOTA_E_AGAIN;
}

static int sha_finish(void *ctx, unsigned char out[32])
{
    EVP_MD_CTX **md = ctx;
    unsigned n = 0;
    return EVP_DigestFinal_ex(*md, out, &n) == 1 && n == 32 ? PQOTA_OK : PQOTA_E_AGAIN;
}

struct pqota_sha256 files_sha256(void **state)
{
    return (struct pqota_sha256){
        .ctx = state, .begin = sha_begin, .update = sha_update, .finish = sha_finish};
}

void files_sha256_free(void **state)
{
    EVP_MD_CTX_free(*state);
    *state = NULL;
}
