/* Reads the settings file: ini, by inih, line by line with our own count of lines. */
#include "server/config.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "server/config_table.h"

struct reading {
    const char *path;
    char *folder;
    struct str rest; /* lines not read yet */
    int line;        /* the one being read */
    bool seen[CONFIG_ROWS_MAX];
    struct server_config *config;
    struct arena *arena;
    struct err *e;
    int rc;       /* of the first failure */
    int bad_line; /* where that was */
};

static void fail(struct reading *r, int rc)
{
    r->bad_line = r->line;
    r->rc = rc != ERR_INVALID || r->e == NULL ? rc : err_context(r->e, "%s:%d", r->path, r->line);
}

static const struct config_section *find_section(const char *name)
{
    for (size_t i = 0; i < config_section_count; i++)
        if (strcmp(config_sections[i].name, name) == 0)
            return &config_sections[i];
    return NULL;
}

static int unknown_section(const char *name, struct err *e)
{
    const char *names[CONFIG_ROWS_MAX] = {NULL};
    for (size_t i = 0; i < config_section_count; i++)
        names[i] = config_sections[i].name;
    const char *near = str_nearest(str_of(name), names, config_section_count);
    if (near != NULL)
        return err_set(e, ERR_INVALID, "there is no section [%s]; did you mean [%s]?", name, near);
    return err_set(e, ERR_INVALID, "there is no section [%s]", name);
}

static int unknown_key(const char *section, const char *key, struct err *e)
{
    if (section[0] == '\0')
        return err_set(e, ERR_INVALID, "\"%s\" stands before the first [section]", key);
    const char *names[CONFIG_ROWS_MAX] = {NULL};
    size_t n = 0;
    for (size_t i = 0; i < config_row_count; i++)
        if (strcmp(config_rows[i].section, section) == 0)
            names[n++] = config_rows[i].key;
    const char *near = str_nearest(str_of(key), names, n);
    if (near != NULL)
        return err_set(e, ERR_INVALID, "section [%s] has no setting \"%s\"; did you mean \"%s\"?", section,
                       key, near);
    for (size_t i = 0; i < config_row_count; i++)
        if (strcmp(config_rows[i].key, key) == 0)
            return err_set(e, ERR_INVALID, "section [%s] has no setting \"%s\"; [%s] has one", section, key,
                           config_rows[i].section);
    return err_set(e, ERR_INVALID, "section [%s] has no setting \"%s\"", section, key);
}

static int set(struct reading *r, const char *section, const char *key, const char *value)
{
    const struct config_row *row = config_find(section, key);
    if (row == NULL)
        return unknown_key(section, key, r->e);
    size_t i = (size_t)(row - config_rows);
    if (r->seen[i])
        return err_set(r->e, ERR_INVALID, "[%s] %s is set a second time", section, key);
    r->seen[i] = true;
    return config_value_set(row, str_of(value), r->folder, r->arena, r->config, r->e);
}

/* inih: one pair; nonzero goes on. */
static int on_pair(void *arg, const char *section, const char *key, const char *value)
{
    struct reading *r = arg;
    if (r->rc != 0)
        return 0;
    int rc = set(r, section, key, value);
    if (rc != 0)
        fail(r, rc);
    return rc == 0;
}

/* inih calls nobody for a section without a pair, so its name is looked at here. */
static int check_heading(struct str line, struct err *e)
{
    const char *end = memchr(line.p, ']', line.n);
    if (line.n == 0 || line.p[0] != '[' || end == NULL)
        return 0;
    char name[64];
    size_t n = (size_t)(end - line.p) - 1;
    if (n >= sizeof name)
        n = sizeof name - 1;
    memcpy(name, line.p + 1, n);
    name[n] = '\0';
    return find_section(name) == NULL ? unknown_section(name, e) : 0;
}

static int check_line(struct str line, size_t room, struct err *e)
{
    if (memchr(line.p, '\0', line.n) != NULL)
        return err_set(e, ERR_INVALID, "the line holds a NUL byte");
    if (line.n >= room)
        return err_set(e, ERR_INVALID, "the line is longer than %zu bytes", room - 1);
    return check_heading(line, e);
}

/* inih: the next line, as fgets. Without its indentation, which inih would take for a continued value. */
static char *on_line(char *out, int size, void *arg)
{
    struct reading *r = arg;
    struct str line;
    if (r->rc != 0 || !str_split(&r->rest, '\n', &line))
        return NULL;
    r->line++;
    line = str_trim(line);
    int rc = check_line(line, (size_t)size - 1, r->e);
    if (rc != 0) {
        fail(r, rc);
        return NULL;
    }
    if (line.n > 0)
        memcpy(out, line.p, line.n);
    memcpy(out + line.n, "\n", 2);
    return out;
}

static int set_defaults(struct reading *r)
{
    for (size_t i = 0; i < config_row_count; i++) {
        int rc = config_value_set(&config_rows[i], str_of(config_rows[i].initial), r->folder, r->arena,
                                  r->config, r->e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int read_text(struct reading *r)
{
    int rc = set_defaults(r);
    if (rc != 0)
        return rc;
    int bad = ini_parse_stream(on_line, r, on_pair, r);
    if (r->rc != 0 && (bad <= 0 || r->bad_line <= bad))
        return r->rc;
    if (bad > 0)
        return err_set(r->e, ERR_INVALID,
                       "%s:%d: this is no [section], no \"key = value\" and no comment (#)", r->path, bad);
    return bad == 0 ? 0 : err_set(r->e, ERR_NOMEM, "no memory to read %s", r->path);
}

static char *folder_of(const char *path, struct arena *a)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return arena_dup_str(a, STR("."));
    return arena_dup(a, path, slash == path ? 1 : (size_t)(slash - path));
}

int config_read(const char *path, struct arena *a, struct server_config *out, struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, CONFIG_FILE_MAX);
    int rc = file_read(path, CONFIG_FILE_MAX, &text, e);
    if (rc != 0)
        return rc;
    auto_free struct reading *r = calloc(1, sizeof *r);
    auto_free struct server_config *config = calloc(1, sizeof *config);
    char *folder = folder_of(path, a);
    if (r == NULL || config == NULL || folder == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read %s", path);
    *r = (struct reading){
        .path = path, .folder = folder, .rest = buf_str(&text), .config = config, .arena = a, .e = e};
    rc = read_text(r);
    if (rc == 0)
        *out = *config;
    return rc;
}
