#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/rand.h"

static int part_of(const char *dir, const char *name, char out[PATH_MAX], struct err *e)
{
    if (file_join(out, PATH_MAX, dir, name) != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of the data folder %s is too long", dir);
    return 0;
}

int folder_give(const char *dir, int fd, const char *name, struct err *e)
{
    struct stat st;
    if (geteuid() != 0)
        return 0;
    if (stat(dir, &st) != 0)
        return err_errno(e, errno, "cannot examine the folder %s", dir);
    if (fchown(fd, st.st_uid, st.st_gid) != 0)
        return err_errno(e, errno, "cannot give %s to the owner of %s", name, dir);
    return 0;
}

static int make_part(const char *dir, const char *path, struct err *e)
{
    if (file_exists(path))
        return file_mkdirs(path, 0700, e); /* says so if it is no folder */
    int rc = file_mkdirs(path, 0700, e);
    if (rc != 0)
        return rc;
    auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, errno, "cannot open the folder %s", path);
    return folder_give(dir, fd, path, e);
}

/* The folder that `path` stands in: cuts the last name off. */
static void cut_name(char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    path[n] = '\0';
    if (n == 0)
        memcpy(path, ".", sizeof "."); /* a path has room for one byte and its end */
}

/* The names of the folders just made, each in the one above it, up to `old`, which was there before. One
   that may not be opened for reading is somebody else's, and was there before too. */
static int flush_names(const char *dir, const char *old, struct err *e)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", dir);
    for (;;) {
        cut_name(path);
        auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno != EACCES)
            return err_errno(e, errno, "cannot open the folder %s", path);
        int rc = fd >= 0 ? file_fsync(fd, path, e) : 0;
        bool top = strcmp(path, "/") == 0 || strcmp(path, ".") == 0;
        if (rc != 0 || top || strcmp(path, old) == 0 || strlen(path) < strlen(old))
            return rc;
    }
}

int folder_make(const char *dir, struct err *e)
{
    static const char *const names[] = {"blobs", "tmp", "backups"};
    char old[PATH_MAX];
    if (strlen(dir) == 0 || strlen(dir) >= sizeof old - 1)
        return err_set(e, ERR_TOO_LARGE, "the path of the data folder is empty or too long");
    snprintf(old, sizeof old, "%s", dir);
    while (!file_exists(old) && strcmp(old, "/") != 0 && strcmp(old, ".") != 0)
        cut_name(old);
    int rc = file_mkdirs(dir, 0700, e);
    if (rc == 0)
        rc = flush_names(dir, old, e);
    for (size_t i = 0; rc == 0 && i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_MAX];
        rc = part_of(dir, names[i], path, e);
        if (rc == 0)
            rc = make_part(dir, path, e);
    }
    return rc == 0 ? file_fsync_dir(dir, e) : rc;
}

/* An OFD lock: it belongs to this open file, so closing another descriptor of it cannot drop it, and it ends
   with the process whatever way that ends. */
int folder_lock(const char *dir, int *out, struct err *e)
{
    char path[PATH_MAX], pid[16] = "";
    int rc = part_of(dir, "lock", path, e);
    if (rc != 0)
        return rc;
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(e, errno, "cannot open the lock file %s", path);
    rc = folder_give(dir, fd, path, e);
    if (rc != 0)
        return rc;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        if (errno != EAGAIN && errno != EACCES)
            return err_errno(e, errno, "cannot lock %s", path);
        ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
        size_t digits = n > 0 ? strspn(pid, "0123456789") : 0;
        pid[digits] = '\0';
        return err_set(e, ERR_CONFLICT, "another pqota%s%s works on the data folder %s; stop it first",
                       digits > 0 ? " with process id " : "", pid, dir);
    }
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
        return err_errno(e, errno, "cannot write %s", path);
    *out = take_fd(&fd);
    return 0;
}

int folder_sweep_tmp(const char *dir, struct err *e)
{
    char path[PATH_MAX];
    int rc = part_of(dir, "tmp", path, e);
    if (rc != 0)
        return rc;
    auto_closedir DIR *d = opendir(path);
    if (d == NULL)
        return err_errno(e, errno, "cannot open the folder %s", path);
    int64_t removed = 0;
    for (struct dirent *it; (errno = 0, it = readdir(d)) != NULL;) {
        if (strcmp(it->d_name, ".") == 0 || strcmp(it->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(d), it->d_name, 0) == 0)
            removed++;
        else if (errno == EISDIR || errno == EPERM)
            log_warn("store", "a folder in tmp/ is not ours and stays", LOG_STR("name", it->d_name));
        else if (errno != ENOENT)
            return err_errno(e, errno, "cannot remove the left-over file %s/%s", path, it->d_name);
    }
    if (errno != 0)
        return err_errno(e, errno, "cannot list the folder %s", path);
    if (removed > 0)
        log_info("store", "removed left-over temporary files", LOG_I64("files", removed));
    return 0;
}

int folder_tmp_name(const char *dir, const char *prefix, char *out, struct err *e)
{
    unsigned char raw[12];
    char hex[2 * sizeof raw + 1];
    int rc = rand_bytes(raw, sizeof raw, e);
    if (rc != 0)
        return rc;
    hex_encode(raw, sizeof raw, hex);
    int n = snprintf(out, PATH_MAX, "%s/tmp/%s-%s", dir, prefix, hex);
    if (n < 0 || n >= PATH_MAX)
        return err_set(e, ERR_TOO_LARGE, "the path of the data folder %s is too long", dir);
    return 0;
}
