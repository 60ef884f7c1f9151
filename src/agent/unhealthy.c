#include "agent/unhealthy.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"

#define NAME "unhealthy"
#define FILE_MAX 4096

/* Three lines: version, reboots, why. */
int unhealthy_read(const char *dir, const char *version, struct unhealthy *out, struct err *e)
{
    char path[PATH_MAX];
    auto_buf struct buf text;
    buf_init(&text, FILE_MAX);
    int rc = file_join(path, sizeof path, dir, NAME);
    if (rc != 0)
        return err_set(e, rc, "the path of the state folder is too long");
    rc = file_read(path, FILE_MAX, &text, e);
    if (rc != 0)
        return rc;
    struct str rest = buf_str(&text), name, count, why;
    struct unhealthy u = {.reboots = 0};
    uint64_t reboots = 0;
    if (!str_split(&rest, '\n', &name) || !str_split(&rest, '\n', &count) || !str_split(&rest, '\n', &why) ||
        name.n >= sizeof u.version || why.n >= sizeof u.why ||
        str_to_u64(count, UNHEALTHY_REBOOTS_MAX, &reboots) != 0)
        return err_set(e, ERR_CORRUPT, "%s cannot be read", path);
    if (!str_is(name, version))
        return err_set(e, ERR_NOT_FOUND, "%s is about another version", path);
    memcpy(u.version, name.p, name.n);
    memcpy(u.why, why.p, why.n);
    u.reboots = (int64_t)reboots;
    *out = u;
    return 0;
}

int unhealthy_write(const char *dir, const struct unhealthy *u, struct err *e)
{
    char path[PATH_MAX], text[PQOTA_NAME_SIZE + PQOTA_TEXT_SIZE + 32], why[PQOTA_TEXT_SIZE];
    int rc = file_join(path, sizeof path, dir, NAME);
    if (rc != 0)
        return err_set(e, rc, "the path of the state folder is too long");
    snprintf(why, sizeof why, "%s", u->why);
    for (char *p = why; *p != '\0'; p++)
        if (*p == '\n')
            *p = ' ';
    int n = snprintf(text, sizeof text, "%s\n%lld\n%s\n", u->version, (long long)u->reboots, why);
    return file_write_atomic(path, text, (size_t)n, 0600, e);
}

void unhealthy_forget(const char *dir)
{
    char path[PATH_MAX];
    if (file_join(path, sizeof path, dir, NAME) == 0)
        unlink(path);
}
