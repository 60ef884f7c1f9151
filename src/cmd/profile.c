#include "cmd/profile.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"

#define PROFILE_MAX 65536
#define PLACES_MAX 4

static const char *env_of_process(const char *name)
{
    const char *v = getenv(name);
    return v != NULL && *v != '\0' ? v : NULL;
}

const struct profile_places profile_usual_places = {
    .env = env_of_process, .here = ".", .system = "/etc/pqota/operator/profile"};

static const char get_one[] =
    "`pqota init` makes one for the first operator, `pqota operator add` for others; "
    "name it by --profile FILE or PQOTA_PROFILE";

static int given_place(const char *path, const char *by, struct arena *a, const char **out, struct err *e)
{
    if (!file_exists(path))
        return err_set(e, ERR_NOT_FOUND, "there is no profile %s, which %s names; %s", path, by, get_one);
    char *copy = arena_dup_str(a, str_of(path));
    if (copy == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the profile's path");
    *out = copy;
    return 0;
}

int profile_find(const struct profile_places *places, struct arena *a, const char **path, struct err *e)
{
    if (places->option != NULL)
        return given_place(places->option, "--profile", a, path, e);
    const char *named = places->env("PQOTA_PROFILE");
    if (named != NULL)
        return given_place(named, "PQOTA_PROFILE", a, path, e);
    const char *config = places->env("XDG_CONFIG_HOME"), *home = places->env("HOME");
    const char *tries[PLACES_MAX];
    size_t n = 0;
    tries[n++] = arena_printf(a, "%s/pqota/operator/profile", places->here);
    if (config != NULL)
        tries[n++] = arena_printf(a, "%s/pqota/profile", config);
    else if (home != NULL)
        tries[n++] = arena_printf(a, "%s/.config/pqota/profile", home);
    tries[n++] = places->system;
    char looked[ERR_TEXT_MAX / 2] = "";
    for (size_t i = 0; i < n; i++) {
        if (tries[i] == NULL)
            return err_set(e, ERR_NOMEM, "no memory for the profile's path");
        if (file_exists(tries[i])) {
            *path = tries[i];
            return 0;
        }
        size_t used = strlen(looked);
        snprintf(looked + used, sizeof looked - used, "%s%s", i > 0 ? ", " : "", tries[i]);
    }
    return err_set(e, ERR_NOT_FOUND,
                   "there is no profile that says which server to talk to (looked for %s); %s", looked,
                   get_one);
}

struct reading {
    struct arena *arena;
    struct profile *profile;
    struct err *err;
    int rc;
};

struct row {
    const char *key;
    size_t offset; /* of the const char * in struct profile */
    bool is_path;
    bool needed;
};

static const struct row rows[] = {
    {"server", offsetof(struct profile, server), false, true},
    {"certificate", offsetof(struct profile, certificate), true, true},
    {"key", offsetof(struct profile, key), true, true},
    {"ca", offsetof(struct profile, ca), true, true},
    {"policy", offsetof(struct profile, policy), false, false},
};
#define ROWS (sizeof rows / sizeof rows[0])

static const char **field_of(struct profile *p, const struct row *r)
{
    return (const char **)(void *)((char *)p + r->offset);
}

/* A scheme of at least two letters before a colon, as in pkcs11:token=x. */
static bool is_uri(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
    return n >= 2 && s[n] == ':';
}

static int on_key(void *ctx, const char *section, const char *key, const char *value)
{
    struct reading *r = ctx;
    if (r->rc != 0)
        return 1;
    if (strcmp(section, "profile") != 0) {
        r->rc = err_set(r->err, ERR_INVALID, "\"%.64s\" stands outside [profile]", key);
        return 0;
    }
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(key, rows[i].key) != 0)
            continue;
        bool relative = rows[i].is_path && value[0] != '/' && !is_uri(value);
        const char *text = relative ? arena_printf(r->arena, "%s/%s", r->profile->dir, value)
                                    : arena_dup_str(r->arena, str_of(value));
        if (text == NULL)
            r->rc = err_set(r->err, ERR_NOMEM, "no memory for \"%s\"", key);
        else if (*value != '\0')
            *field_of(r->profile, &rows[i]) = text;
        return r->rc == 0;
    }
    r->rc = err_set(r->err, ERR_INVALID,
                    "\"%.64s\" is not known; there are server, certificate, key, ca and policy", key);
    return 0;
}

static int check_server(struct profile *p, struct arena *a, struct err *e)
{
    static const char scheme[] = "https://";
    const char *host = p->server + sizeof scheme - 1;
    if (strncmp(p->server, scheme, sizeof scheme - 1) != 0 || *host == '\0')
        return err_set(e, ERR_INVALID, "server is \"%.128s\"; it must be https://HOST or https://HOST:PORT",
                       p->server);
    struct str s = str_of(p->server);
    while (s.n > sizeof scheme - 1 && s.p[s.n - 1] == '/')
        s.n--;
    if (s.n == sizeof scheme - 1)
        return err_set(e, ERR_INVALID, "server is \"%.128s\"; it names no host", p->server);
    for (size_t i = sizeof scheme - 1; i < s.n; i++)
        if (strchr(" /?#@\\\"<>", s.p[i]) != NULL || (unsigned char)s.p[i] <= 0x20)
            return err_set(e, ERR_INVALID,
                           "server is \"%.128s\"; after https:// stand only a host and a port", p->server);
    p->server = arena_dup_str(a, s);
    return p->server != NULL ? 0 : err_set(e, ERR_NOMEM, "no memory for the server's name");
}

int profile_read(const char *path, struct arena *a, struct profile *out, struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, PROFILE_MAX);
    int rc = file_read(path, PROFILE_MAX, &text, e);
    if (rc != 0)
        return rc;
    if (strlen(text.p) != text.n)
        return err_set(e, ERR_INVALID, "profile %s: it contains a NUL byte, so it is no text file", path);
    const char *slash = strrchr(path, '/');
    struct profile p = {.path = arena_dup_str(a, str_of(path))};
    p.dir = slash == NULL ? "." : slash == path ? "/" : arena_dup(a, path, (size_t)(slash - path));
    if (p.path == NULL || p.dir == NULL)
        return err_set(e, ERR_NOMEM, "no memory for profile %s", path);
    struct err why = {0};
    struct reading r = {.arena = a, .profile = &p, .err = &why};
    int line = ini_parse_string(text.p, on_key, &r);
    if (line != 0)
        return err_set(e, r.rc != 0 ? r.rc : ERR_INVALID, "profile %s, line %d: %s", path, line,
                       r.rc != 0 ? why.text : "neither [section] nor key = value");
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].needed && *field_of(&p, &rows[i]) == NULL)
            return err_set(e, ERR_INVALID, "profile %s: \"%s = ...\" is missing", path, rows[i].key);
    if (check_server(&p, a, &why) != 0)
        return err_set(e, why.code, "profile %s: %s", path, why.text);
    *out = p;
    return 0;
}

bool profile_key_exposed(const struct profile *p, unsigned *mode)
{
    struct stat st;
    if (is_uri(p->key) || stat(p->key, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 077) == 0)
        return false;
    *mode = st.st_mode & 0777;
    return true;
}
