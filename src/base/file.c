#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "base/rand.h"

int file_read(const char *path, size_t max, struct buf *out, struct err *e)
{
    /* Without O_NONBLOCK a pipe would hold us until somebody writes to it. */
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_errno(e, errno, "cannot open %s", path);
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_errno(e, errno, "cannot examine %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_INVALID, "%s is not a regular file", path);
    auto_buf struct buf b;
    buf_init(&b, max);
    for (;;) {
        char chunk[16384];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, errno, "cannot read %s", path);
        if (n == 0)
            break;
        int rc = buf_add(&b, chunk, (size_t)n);
        if (rc != 0)
            return err_set(e, rc, "%s is larger than %zu bytes", path, max);
    }
    if (b.p == NULL && buf_add(&b, "", 0) != 0)
        return err_set(e, ERR_NOMEM, "no memory to read %s", path);
    struct buf old = *out;
    *out = b;
    b = old; /* freed by the scope */
    return 0;
}

int file_write_all(int fd, const void *data, size_t n, const char *name, struct err *e)
{
    const char *p = data;
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return err_errno(e, errno, "cannot write %s", name);
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

int file_fsync(int fd, const char *name, struct err *e)
{
    if (fsync(fd) != 0)
        return err_errno(e, errno, "cannot flush %s to the disk", name);
    return 0;
}

int file_fsync_dir(const char *dir, struct err *e)
{
    auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, errno, "cannot open the folder %s", dir);
    return file_fsync(fd, dir, e);
}

static void dir_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        snprintf(out, PATH_MAX, ".");
    else if (slash == path)
        snprintf(out, PATH_MAX, "/");
    else
        snprintf(out, PATH_MAX, "%.*s", (int)(slash - path), path);
}

static int write_beside(const char *path, const void *data, size_t n, mode_t mode, char tmp[PATH_MAX],
                        struct err *e)
{
    unsigned char raw[8];
    char suffix[2 * sizeof raw + 1];
    int rc = rand_bytes(raw, sizeof raw, e);
    if (rc != 0)
        return rc;
    hex_encode(raw, sizeof raw, suffix);
    if (snprintf(tmp, PATH_MAX, "%s.%s.tmp", path, suffix) >= PATH_MAX)
        return err_set(e, ERR_TOO_LARGE, "the path %s is too long", path);
    auto_close int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_errno(e, errno, "cannot create %s", tmp);
    /* The mode is the one asked for whatever the umask: a key stays 0600, a certificate stays readable. */
    if (fchmod(fd, mode) != 0)
        rc = err_errno(e, errno, "cannot set the mode of %s", tmp);
    if (rc == 0)
        rc = file_write_all(fd, data, n, tmp, e);
    if (rc == 0)
        rc = file_fsync(fd, tmp, e);
    if (rc != 0)
        unlink(tmp);
    return rc;
}

int file_write_atomic(const char *path, const void *data, size_t n, mode_t mode, struct err *e)
{
    char tmp[PATH_MAX], dir[PATH_MAX];
    int rc = write_beside(path, data, n, mode, tmp, e);
    if (rc != 0)
        return rc;
    if (rename(tmp, path) != 0) {
        rc = err_errno(e, errno, "cannot rename %s to %s", tmp, path);
        unlink(tmp);
        return rc;
    }
    dir_of(path, dir);
    return file_fsync_dir(dir, e);
}

int file_create_atomic(const char *path, const void *data, size_t n, mode_t mode, struct err *e)
{
    char tmp[PATH_MAX], dir[PATH_MAX];
    int rc = write_beside(path, data, n, mode, tmp, e);
    if (rc != 0)
        return rc;
    if (link(tmp, path) != 0) {
        int en = errno;
        unlink(tmp);
        if (en == EEXIST)
            return err_set(e, ERR_CONFLICT, "%s exists already", path);
        return err_errno(e, en, "cannot create %s", path);
    }
    unlink(tmp);
    dir_of(path, dir);
    return file_fsync_dir(dir, e);
}

int file_mkdirs(const char *path, mode_t mode, struct err *e)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return err_set(e, ERR_INVALID, "the folder name \"%s\" is empty or too long", path);
    while (n > 1 && path[n - 1] == '/') /* "x/" is x, and gets its mode */
        n--;
    for (size_t i = 1; i <= n; i++) {
        if (i < n && path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        bool last = i == n;
        if (mkdir(part, last ? mode : 0755) != 0 && errno != EEXIST)
            return err_errno(e, errno, "cannot make the folder %s", part);
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set(e, ERR_CONFLICT, "%s exists and is not a folder", path);
    return 0;
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

int file_join(char *out, size_t size, const char *dir, const char *name)
{
    int n = snprintf(out, size, "%s/%s", dir, name);
    return n < 0 || (size_t)n >= size ? ERR_TOO_LARGE : 0;
}
