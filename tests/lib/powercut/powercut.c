/*
 * Preload library: records what a program does to the files of one folder, so that tests/lib/powercut.py can
 * rebuild the folder as a power cut at any point would have left it.
 *
 *   PQOTA_POWERCUT_DIR   the folder (absolute); what happens elsewhere is not recorded
 *   PQOTA_POWERCUT_LOG   where the records go; appended to, so that several runs make one log
 *   PQOTA_POWERCUT_ACK   set: what is written to descriptor 1 is recorded too, as an acknowledgement
 *
 * A record's place in the log is its time. Changes are made and recorded under one lock, so the log's
 * order is the order in which they happened; a flush runs beside them, and says where the log stood when
 * it began: what was changed before that is on the disk. Writes through a memory map and through stdio
 * are not seen.
 */
/* These would give open, write and the rest other names, or inline bodies. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_MAX 65536

enum kind {
    REC_CREATE = 1, /* path, inode */
    REC_MKDIR,      /* path, inode */
    REC_WRITE,      /* inode, a offset, data */
    REC_SIZE,       /* inode, a new size */
    REC_FSYNC,      /* inode, a where the log stood when it began */
    REC_RENAME,     /* path, path2 */
    REC_LINK,       /* path, path2 */
    REC_UNLINK,     /* path */
    REC_RMDIR,      /* path */
    REC_ACK,        /* data */
    REC_SYMLINK,    /* path, inode, data what it points to */
    REC_SYNCFS,     /* a where the log stood when it began: all of the folder */
};

struct record { /* little-endian, followed by path, path2, data */
    uint32_t magic;
    uint32_t kind;
    uint64_t inode;
    uint64_t a;
    uint32_t path_size, path2_size;
    uint64_t data_size;
};
#define RECORD_MAGIC 0x31637770u /* "pwc1" */

static struct {
    pthread_mutex_t mutex;
    bool ready;
    char dir[PATH_MAX];
    size_t dir_size;
    int log;
    uint64_t at; /* the log's size */
    bool acks;
    uint64_t inode[FDS_MAX]; /* of the descriptors in the folder; 0 for others */
} pc = {.mutex = PTHREAD_MUTEX_INITIALIZER, .log = -1};

#define REAL(ret, name, ...)                                                                                 \
    static ret (*real)(__VA_ARGS__);                                                                         \
    if (real == NULL)                                                                                        \
    *(void **)&real = dlsym(RTLD_NEXT, name)

static void die(const char *what)
{
    dprintf(2, "powercut: %s: %s\n", what, strerror(errno));
    _exit(125);
}

/* Raw system calls, so that neither this library nor a sanitizer sees them. */
static void put(const void *p, size_t n)
{
    const char *c = p;
    while (n > 0) {
        ssize_t w = syscall(SYS_write, pc.log, c, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            die("cannot write the log");
        c += w;
        n -= (size_t)w;
        pc.at += (uint64_t)w;
    }
}

__attribute__((constructor)) static void start(void)
{
    if (pc.ready)
        return;
    const char *dir = getenv("PQOTA_POWERCUT_DIR"), *log = getenv("PQOTA_POWERCUT_LOG");
    if (dir == NULL || log == NULL || realpath(dir, pc.dir) == NULL)
        return;
    pc.dir_size = strlen(pc.dir);
    pc.log = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (pc.log < 0)
        die("cannot open the log");
    pc.at = (uint64_t)lseek(pc.log, 0, SEEK_END);
    pc.acks = getenv("PQOTA_POWERCUT_ACK") != NULL;
    pc.ready = true;
}

static void lock(void)
{
    pthread_mutex_lock(&pc.mutex);
}
static void unlock(void)
{
    int keep = errno;
    pthread_mutex_unlock(&pc.mutex);
    errno = keep;
}

/* Under the lock. Paths are relative to the folder. */
static void record(enum kind kind, uint64_t inode, uint64_t a, const char *path, const char *path2,
                   const void *data, size_t n)
{
    int keep = errno;
    struct record r = {.magic = RECORD_MAGIC, .kind = (uint32_t)kind, .inode = inode, .a = a, .data_size = n};
    r.path_size = path != NULL ? (uint32_t)strlen(path) : 0;
    r.path2_size = path2 != NULL ? (uint32_t)strlen(path2) : 0;
    put(&r, sizeof r);
    put(path, r.path_size);
    put(path2, r.path2_size);
    put(data, n);
    errno = keep;
}

/* ---- where things are ---- */

static bool ours_fd(int fd, uint64_t *inode)
{
    if (!pc.ready || fd < 0 || fd >= FDS_MAX || fd == pc.log)
        return false;
    *inode = pc.inode[fd];
    return *inode != 0;
}

static uint64_t inode_at(int dirfd, const char *path)
{
    struct stat st;
    return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

/* The path of a name as it stands, its folder's links resolved, relative to the folder; false outside it. */
static bool ours_path(int dirfd, const char *path, char out[PATH_MAX])
{
    char whole[PATH_MAX], folder[PATH_MAX], real_folder[PATH_MAX];
    if (!pc.ready || path == NULL)
        return false;
    if (path[0] == '/' || dirfd == AT_FDCWD) {
        if (snprintf(whole, sizeof whole, "%s%s", path[0] == '/' ? "" : "./", path) >= PATH_MAX)
            return false;
    } else if (snprintf(whole, sizeof whole, "/proc/self/fd/%d/%s", dirfd, path) >= PATH_MAX) {
        return false;
    }
    size_t n = strlen(whole);
    while (n > 1 && whole[n - 1] == '/')
        whole[--n] = '\0';
    char *slash = strrchr(whole, '/');
    if (slash == NULL)
        return false;
    snprintf(folder, sizeof folder, "%.*s/.", (int)(slash - whole), whole);
    int keep = errno;
    bool found = realpath(folder, real_folder) != NULL;
    errno = keep;
    if (!found || strncmp(real_folder, pc.dir, pc.dir_size) != 0 ||
        (real_folder[pc.dir_size] != '/' && real_folder[pc.dir_size] != '\0'))
        return false;
    const char *rest = real_folder + pc.dir_size;
    if (*rest == '/')
        rest++;
    return snprintf(out, PATH_MAX, "%s%s%s", rest, *rest != '\0' ? "/" : "", slash + 1) < PATH_MAX;
}

/* A descriptor was opened: is it in the folder (or the folder itself)? */
static uint64_t note_fd(int fd)
{
    char link[32], path[PATH_MAX];
    struct stat st;
    if (!pc.ready || fd < 0 || fd >= FDS_MAX)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    bool in =
        strncmp(path, pc.dir, pc.dir_size) == 0 && (path[pc.dir_size] == '/' || path[pc.dir_size] == '\0');
    pc.inode[fd] = in && fstat(fd, &st) == 0 ? st.st_ino : 0;
    return pc.inode[fd];
}

/* ---- names ---- */

static int do_openat(int dirfd, const char *path, int flags, mode_t mode)
{
    REAL(int, "openat", int, const char *, int, ...);
    char rel[PATH_MAX];
    if (!pc.ready)
        return real(dirfd, path, flags, mode);
    bool changes = (flags & (O_CREAT | O_TRUNC)) != 0 && ours_path(dirfd, path, rel);
    if (changes)
        lock();
    bool was = changes && inode_at(dirfd, path) != 0;
    int fd = real(dirfd, path, flags, mode);
    int keep = errno;
    if (fd >= 0) {
        uint64_t inode = note_fd(fd);
        if (changes && !was)
            record(REC_CREATE, inode, 0, rel, NULL, NULL, 0);
        else if (changes && (flags & O_TRUNC) != 0)
            record(REC_SIZE, inode, 0, NULL, NULL, NULL, 0);
    }
    errno = keep;
    if (changes)
        unlock();
    return fd;
}

#define OPEN_MODE(flags)                                                                                     \
    mode_t mode = 0;                                                                                         \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                                                            \
        va_list ap;                                                                                          \
        va_start(ap, flags);                                                                                 \
        mode = (mode_t)va_arg(ap, unsigned);                                                                 \
        va_end(ap);                                                                                          \
    }

int open(const char *path, int flags, ...)
{
    OPEN_MODE(flags);
    return do_openat(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
int openat(int dirfd, const char *path, int flags, ...)
{
    OPEN_MODE(flags);
    return do_openat(dirfd, path, flags, mode);
}
int openat64(int dirfd, const char *path, int flags, ...) __attribute__((alias("openat")));
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return do_openat(AT_FDCWD, path, flags, 0);
}
int __open64_2(const char *path, int flags) __attribute__((alias("__open_2")));
int __openat_2(int dirfd, const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags)
{
    return do_openat(dirfd, path, flags, 0);
}
int __openat64_2(int dirfd, const char *path, int flags) __attribute__((alias("__openat_2")));

int close(int fd)
{
    REAL(int, "close", int);
    if (pc.ready && fd >= 0 && fd < FDS_MAX)
        pc.inode[fd] = 0;
    return real(fd);
}

/* A copy of a descriptor is the same file. */
int dup(int fd)
{
    REAL(int, "dup", int);
    int copy = real(fd);
    if (pc.ready && copy >= 0 && copy < FDS_MAX && fd >= 0 && fd < FDS_MAX)
        pc.inode[copy] = pc.inode[fd];
    return copy;
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
    REAL(int, "mkdirat", int, const char *, mode_t);
    char rel[PATH_MAX];
    bool ours = ours_path(dirfd, path, rel);
    if (ours)
        lock();
    int rc = real(dirfd, path, mode);
    if (ours && rc == 0)
        record(REC_MKDIR, inode_at(dirfd, path), 0, rel, NULL, NULL, 0);
    if (ours)
        unlock();
    return rc;
}
int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

static int two_names(enum kind kind, int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    char a[PATH_MAX], b[PATH_MAX];
    bool from_ours = ours_path(from_fd, from, a), to_ours = ours_path(to_fd, to, b);
    if (from_ours != to_ours) { /* what comes from outside, or goes there, cannot be told by name alone */
        dprintf(2, "powercut: %s and %s are not both in the folder\n", from, to);
        _exit(125);
    }
    if (from_ours)
        lock();
    int rc = (int)syscall(kind == REC_RENAME ? SYS_renameat2 : SYS_linkat, from_fd, from, to_fd, to, flags);
    if (from_ours && rc == 0)
        record(kind, 0, 0, a, b, NULL, 0);
    if (from_ours)
        unlock();
    return rc;
}

int rename(const char *from, const char *to)
{
    return two_names(REC_RENAME, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return two_names(REC_RENAME, from_fd, from, to_fd, to, 0);
}
int link(const char *from, const char *to)
{
    return two_names(REC_LINK, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    return two_names(REC_LINK, from_fd, from, to_fd, to, (unsigned)flags);
}

int symlinkat(const char *to, int dirfd, const char *path)
{
    REAL(int, "symlinkat", const char *, int, const char *);
    char rel[PATH_MAX];
    bool ours = ours_path(dirfd, path, rel);
    if (ours)
        lock();
    int rc = real(to, dirfd, path);
    if (ours && rc == 0)
        record(REC_SYMLINK, inode_at(dirfd, path), 0, rel, NULL, to, strlen(to));
    if (ours)
        unlock();
    return rc;
}
int symlink(const char *to, const char *path)
{
    return symlinkat(to, AT_FDCWD, path);
}

int unlinkat(int dirfd, const char *path, int flags)
{
    REAL(int, "unlinkat", int, const char *, int);
    char rel[PATH_MAX];
    bool ours = ours_path(dirfd, path, rel);
    if (ours)
        lock();
    int rc = real(dirfd, path, flags);
    if (ours && rc == 0)
        record((flags & AT_REMOVEDIR) != 0 ? REC_RMDIR : REC_UNLINK, 0, 0, rel, NULL, NULL, 0);
    if (ours)
        unlock();
    return rc;
}
int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}
int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}
int remove(const char *path)
{
    int rc = unlink(path);
    return rc != 0 && errno == EISDIR ? rmdir(path) : rc;
}

/* ---- bytes ---- */

ssize_t write(int fd, const void *p, size_t n)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    uint64_t inode = 0;
    bool ack = pc.ready && pc.acks && fd == 1;
    if (!ours_fd(fd, &inode) && !ack)
        return real(fd, p, n);
    lock();
    bool append = !ack && (fcntl(fd, F_GETFL) & O_APPEND) != 0;
    off_t at = ack ? 0 : append ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
    if (ack) /* before it can be seen: what it acknowledges must be on the disk by now */
        record(REC_ACK, 0, 0, NULL, NULL, p, n);
    ssize_t w = real(fd, p, n);
    if (!ack && w > 0)
        record(REC_WRITE, inode, (uint64_t)at, NULL, NULL, p, (size_t)w);
    unlock();
    return w;
}

static ssize_t do_pwrite(int fd, const void *p, size_t n, off_t at)
{
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
    uint64_t inode = 0;
    if (!ours_fd(fd, &inode))
        return real(fd, p, n, at);
    lock();
    ssize_t w = real(fd, p, n, at);
    if (w > 0)
        record(REC_WRITE, inode, (uint64_t)at, NULL, NULL, p, (size_t)w);
    unlock();
    return w;
}
ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return do_pwrite(fd, p, n, at);
}
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at) __attribute__((alias("pwrite")));

ssize_t writev(int fd, const struct iovec *v, int count)
{
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    uint64_t inode = 0;
    if (!ours_fd(fd, &inode) && !(pc.ready && pc.acks && fd == 1))
        return real(fd, v, count);
    ssize_t all = 0;
    for (int i = 0; i < count; i++) { /* piece by piece through the above; a short write ends it */
        ssize_t w = write(fd, v[i].iov_base, v[i].iov_len);
        if (w < 0)
            return all > 0 ? all : w;
        all += w;
        if ((size_t)w < v[i].iov_len)
            break;
    }
    return all;
}

static int do_size(int fd, off_t size)
{
    REAL(int, "ftruncate64", int, off_t);
    uint64_t inode = 0;
    if (!ours_fd(fd, &inode))
        return real(fd, size);
    lock();
    int rc = real(fd, size);
    if (rc == 0)
        record(REC_SIZE, inode, (uint64_t)size, NULL, NULL, NULL, 0);
    unlock();
    return rc;
}
int ftruncate(int fd, off_t size)
{
    return do_size(fd, size);
}
int ftruncate64(int fd, off64_t size) __attribute__((alias("ftruncate")));

/* Room that was given ahead holds zeros and is the file's size: as good as not done at all. */
int posix_fallocate(int fd, off_t at, off_t n)
{
    REAL(int, "posix_fallocate64", int, off_t, off_t);
    uint64_t inode = 0;
    return ours_fd(fd, &inode) ? EOPNOTSUPP : real(fd, at, n);
}
int posix_fallocate64(int fd, off64_t at, off64_t n) __attribute__((alias("posix_fallocate")));

/* ---- flushes ---- */

static int flush(int fd, enum kind kind, long call)
{
    uint64_t inode = 0;
    if (!ours_fd(fd, &inode))
        return (int)syscall(call, fd);
    lock();
    uint64_t began = pc.at;
    unlock();
    int rc = (int)syscall(call, fd);
    lock();
    if (rc == 0)
        record(kind, inode, began, NULL, NULL, NULL, 0);
    unlock();
    return rc;
}
int fsync(int fd)
{
    return flush(fd, REC_FSYNC, SYS_fsync);
}
int fdatasync(int fd)
{
    return flush(fd, REC_FSYNC, SYS_fdatasync);
}
int syncfs(int fd)
{
    return flush(fd, REC_SYNCFS, SYS_syncfs);
}
