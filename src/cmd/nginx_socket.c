/* Whether nginx's user may connect to the server's Unix socket. */
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/nginx.h"

#define GROUPS_MAX 64

struct user {
    const char *name;
    uid_t uid;
    gid_t groups[GROUPS_MAX];
    int count;
};

static bool find_user(const char *name, struct user *out)
{
    const struct passwd *pw = getpwnam(name);
    if (pw == NULL)
        return false;
    *out = (struct user){.name = name, .uid = pw->pw_uid, .count = GROUPS_MAX};
    return getgrouplist(name, pw->pw_gid, out->groups, &out->count) >= 0;
}

static bool in_group(const struct user *u, gid_t gid)
{
    for (int i = 0; i < u->count; i++)
        if (u->groups[i] == gid)
            return true;
    return false;
}

/* bit: S_IXOTH or S_IWOTH, which the owner and the group have shifted by six and three. */
static bool allowed(const struct user *u, const struct stat *st, mode_t bit)
{
    if (u->uid == 0)
        return true;
    if (u->uid == st->st_uid)
        return (st->st_mode & (bit << 6)) != 0;
    if (in_group(u, st->st_gid))
        return (st->st_mode & (bit << 3)) != 0;
    return (st->st_mode & bit) != 0;
}

static void explain(const struct user *u, const struct stat *st, const char *path, mode_t bit, char *why,
                    size_t size)
{
    const struct group *g = getgrgid(st->st_gid);
    bool by_group =
        (st->st_mode & (bit << 3)) != 0 && st->st_gid != 0 && g != NULL && !in_group(u, st->st_gid);
    if (by_group)
        snprintf(why, size, "nginx's user %s cannot reach %s: usermod -a -G %s %s, then restart nginx",
                 u->name, path, g->gr_name, u->name);
    else
        snprintf(
            why, size,
            "nginx's user %s cannot reach %s: give its group the permission, or set [unix] path and mode",
            u->name, path);
}

bool nginx_may_connect(const char *socket, int64_t mode, const char *user, char *why, size_t size)
{
    struct user u;
    struct stat st, folder = {.st_uid = 0};
    char path[PATH_MAX];
    if (!find_user(user, &u) || snprintf(path, sizeof path, "%s", socket) >= (int)sizeof path)
        return true;
    for (char *slash = path; (slash = strchr(slash + 1, '/')) != NULL; *slash = '/') {
        *slash = '\0';
        if (stat(path, &folder) == 0 && !allowed(&u, &folder, S_IXOTH)) {
            explain(&u, &folder, path, S_IXOTH, why, size);
            return false;
        }
    }
    if (stat(socket, &st) != 0) { /* as the server will make it */
        st = folder;
        st.st_mode = (mode_t)mode;
    }
    if (allowed(&u, &st, S_IWOTH))
        return true;
    explain(&u, &st, socket, S_IWOTH, why, size);
    return false;
}
