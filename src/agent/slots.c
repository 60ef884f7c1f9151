#include "agent/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#define NOTE_MAX 2048
#define NOTE_HEAD "pqota-slots 1\n"
#define OPEN_FOLDERS 16 /* descriptors while a slot is emptied */
#define COPY_CHUNK 65536

static int join(char out[PATH_MAX], const char *dir, const char *name, struct err *e)
{
    if (file_join(out, PATH_MAX, dir, name) != 0)
        return err_set(e, ERR_TOO_LARGE, "the path %s/%s is too long", dir, name);
    return 0;
}

static bool is_slot(const char *s)
{
    return strcmp(s, "a") == 0 || strcmp(s, "b") == 0;
}

int slots_current(const char *dir, char out[SLOTS_NAME_SIZE], struct err *e)
{
    char path[PATH_MAX], target[PATH_MAX];
    int rc = join(path, dir, "current", e);
    if (rc != 0)
        return rc;
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0 && errno == ENOENT) {
        out[0] = '\0';
        return 0;
    }
    if (n < 0)
        return err_errno(e, errno, "cannot read the link %s", path);
    target[n] = '\0';
    if (!is_slot(target))
        return err_set(e, ERR_INVALID, "%s must be a link to \"a\" or \"b\" beside it, not to \"%.100s\"",
                       path, target);
    memcpy(out, target, SLOTS_NAME_SIZE);
    return 0;
}

int slots_point(const char *dir, const char *slot, struct err *e)
{
    char path[PATH_MAX], next[PATH_MAX];
    int rc = join(path, dir, "current", e);
    if (rc == 0)
        rc = join(next, dir, "current.new", e);
    if (rc != 0)
        return rc;
    if (slot[0] == '\0') {
        if (unlink(path) != 0 && errno != ENOENT)
            return err_errno(e, errno, "cannot remove the link %s", path);
        return file_fsync_dir(dir, e);
    }
    if (unlink(next) != 0 && errno != ENOENT)
        return err_errno(e, errno, "cannot remove %s", next);
    if (symlink(slot, next) != 0)
        return err_errno(e, errno, "cannot make the link %s", next);
    if (rename(next, path) != 0)
        return err_errno(e, errno, "cannot switch the link %s", path);
    return file_fsync_dir(dir, e);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    return where->level == 0 ? 0 : remove(path);
}

int slots_empty(const char *slot, struct err *e)
{
    char version[PATH_MAX];
    int rc = file_mkdirs(slot, 0755, e);
    if (rc == 0)
        rc = join(version, slot, "version", e);
    if (rc != 0)
        return rc;
    /* A slot that is half emptied or half filled must not look like a whole one. */
    if (unlink(version) != 0 && errno != ENOENT)
        return err_errno(e, errno, "cannot remove %s", version);
    rc = file_fsync_dir(slot, e);
    if (rc != 0)
        return rc;
    /* FTW_PHYS: a link is removed, never followed. */
    if (nftw(slot, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
        return err_errno(e, errno, "cannot empty the slot %s", slot);
    return 0;
}

int slots_copy(int artifact, uint64_t size, const char *slot, struct err *e)
{
    char path[PATH_MAX];
    auto_free char *chunk = malloc(COPY_CHUNK);
    int rc = join(path, slot, "firmware.bin", e);
    if (rc != 0)
        return rc;
    if (chunk == NULL)
        return err_set(e, ERR_NOMEM, "no memory to copy the artifact");
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_errno(e, errno, "cannot create %s", path);
    for (uint64_t at = 0; at < size;) {
        size_t want = size - at < COPY_CHUNK ? (size_t)(size - at) : COPY_CHUNK;
        ssize_t n = pread(artifact, chunk, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_errno(e, n < 0 ? errno : EIO, "cannot read the artifact");
        rc = file_write_all(fd, chunk, (size_t)n, path, e);
        if (rc != 0)
            return rc;
        at += (uint64_t)n;
    }
    return file_fsync(fd, path, e);
}

int slots_flush(const char *slot, struct err *e)
{
    auto_close int fd = open(slot, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, errno, "cannot open the slot %s", slot);
    if (syncfs(fd) != 0)
        return err_errno(e, errno, "cannot flush the slot %s to the disk", slot);
    return 0;
}

static const char *const phases[] = {
    [SLOTS_SWITCHING] = "switching", [SLOTS_RESTARTED] = "restarted", [SLOTS_RETURNING] = "returning"};

int slots_pending_write(const char *dir, const struct slots_pending *p, struct err *e)
{
    char path[PATH_MAX], text[NOTE_MAX];
    int rc = join(path, dir, "pending", e);
    if (rc != 0)
        return rc;
    int n = snprintf(text, sizeof text,
                     NOTE_HEAD
                     "phase=%s\nfrom=%s\nto=%s\nversion=%s\ndeadline=%lld\nboot=%s\nstarts=%lld\nwhy=%s\n",
                     phases[p->phase], p->from, p->to, p->version, (long long)p->deadline, p->boot,
                     (long long)p->starts, p->why);
    if (n < 0 || (size_t)n >= sizeof text)
        return err_set(e, ERR_TOO_LARGE, "the note on the switch is too long");
    return file_write_atomic(path, text, (size_t)n, 0644, e);
}

static int take(struct str *rest, const char *key, char *out, size_t size)
{
    struct str line, name;
    if (!str_split(rest, '\n', &line) || !str_split(&line, '=', &name) || !str_is(name, key) ||
        line.p == NULL || line.n >= size || !str_is_text(line))
        return ERR_CORRUPT;
    memcpy(out, line.p, line.n);
    out[line.n] = '\0';
    return 0;
}

static int take_number(struct str *rest, const char *key, int64_t *out)
{
    char text[24];
    uint64_t v;
    if (take(rest, key, text, sizeof text) != 0 || str_to_u64(str_of(text), INT64_MAX, &v) != 0)
        return ERR_CORRUPT;
    *out = (int64_t)v;
    return 0;
}

static int parse(struct str rest, struct slots_pending *p)
{
    char phase[16];
    if (rest.n < sizeof NOTE_HEAD - 1 || memcmp(rest.p, NOTE_HEAD, sizeof NOTE_HEAD - 1) != 0)
        return ERR_CORRUPT;
    rest.p += sizeof NOTE_HEAD - 1;
    rest.n -= sizeof NOTE_HEAD - 1;
    if (take(&rest, "phase", phase, sizeof phase) != 0 || take(&rest, "from", p->from, sizeof p->from) != 0 ||
        take(&rest, "to", p->to, sizeof p->to) != 0 ||
        take(&rest, "version", p->version, sizeof p->version) != 0 ||
        take_number(&rest, "deadline", &p->deadline) != 0 ||
        take(&rest, "boot", p->boot, sizeof p->boot) != 0 || take_number(&rest, "starts", &p->starts) != 0 ||
        take(&rest, "why", p->why, sizeof p->why) != 0)
        return ERR_CORRUPT;
    if (!is_slot(p->to) || (p->from[0] != '\0' && !is_slot(p->from)) || strcmp(p->from, p->to) == 0 ||
        !str_is_name(str_of(p->version)))
        return ERR_CORRUPT;
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        if (strcmp(phase, phases[i]) != 0)
            continue;
        p->phase = (enum slots_phase)i;
        return 0;
    }
    return ERR_CORRUPT;
}

int slots_pending_read(const char *dir, struct slots_pending *out, struct err *e)
{
    char path[PATH_MAX];
    auto_buf struct buf text;
    buf_init(&text, NOTE_MAX);
    int rc = join(path, dir, "pending", e);
    if (rc == 0)
        rc = file_read(path, NOTE_MAX, &text, e);
    if (rc != 0)
        return rc;
    struct slots_pending p = {0};
    if (parse(buf_str(&text), &p) != 0)
        return err_set(e, ERR_CORRUPT, "%s is damaged", path);
    *out = p;
    return 0;
}

static int remove_note(const char *dir, const char *name, struct err *e)
{
    char path[PATH_MAX];
    int rc = join(path, dir, name, e);
    if (rc == 0 && unlink(path) != 0 && errno != ENOENT)
        rc = err_errno(e, errno, "cannot remove %s", path);
    return rc;
}

int slots_pending_remove(const char *dir, struct err *e)
{
    int rc = remove_note(dir, "pending", e);
    if (rc == 0)
        rc = remove_note(dir, "confirmed", e);
    return rc != 0 ? rc : file_fsync_dir(dir, e);
}

int slots_confirm(const char *dir, const char *slot, const char *version, struct err *e)
{
    char path[PATH_MAX], line[PQOTA_NAME_SIZE + 8];
    int rc = join(path, dir, "confirmed", e);
    int n = snprintf(line, sizeof line, "%s %s\n", slot, version);
    return rc != 0 ? rc : file_write_atomic(path, line, (size_t)n, 0644, e);
}

bool slots_confirmed(const char *dir, const char *slot, const char *version)
{
    char path[PATH_MAX], line[PQOTA_NAME_SIZE + 8];
    auto_buf struct buf text;
    buf_init(&text, sizeof line);
    snprintf(line, sizeof line, "%s %s\n", slot, version);
    return join(path, dir, "confirmed", NULL) == 0 && file_read(path, sizeof line, &text, NULL) == 0 &&
           str_is(buf_str(&text), line);
}

int slots_boot_id(const char *file, char out[PQOTA_BOOT_SIZE], struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, PQOTA_BOOT_SIZE + 8);
    int rc = file_read(file, PQOTA_BOOT_SIZE + 8, &text, e);
    if (rc != 0)
        return rc;
    struct str line = str_trim((struct str){.p = text.p, .n = strcspn(text.p, "\r\n")});
    if (line.n >= PQOTA_BOOT_SIZE || !str_is_name(line))
        return err_set(e, ERR_INVALID, "the first line of %s is no boot id", file);
    memcpy(out, line.p, line.n);
    out[line.n] = '\0';
    return 0;
}
