#include "agent/config.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/installer.h"
#include "agent/process.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"
#include "mqtt/mqtt.h"
#include "tls/policy.h"

enum kind { TEXT, SECONDS, COUNT, COMMAND, FOLDER, YES_NO };

static const struct row {
    const char *section, *key;
    enum kind kind;
    size_t offset;
    const char *missing;  /* the default */
    uint64_t least, most; /* of a number */
} rows[] = {
#define AT(member) offsetof(struct agent_config, member)
    {"agent", "server", TEXT, AT(server), "", 0, 0},
    {"agent", "ca", FOLDER, AT(ca), "", 0, 0},
    {"agent", "state_dir", FOLDER, AT(state_dir), "/var/lib/pqota-agent", 0, 0},
    {"agent", "policy", TEXT, AT(policy), "balanced", 0, 0},
    {"agent", "proxy", TEXT, AT(proxy), "", 0, 0},
    {"agent", "broker", TEXT, AT(broker), "", 0, 0},
    {"agent", "model", TEXT, AT(model), "", 0, 0},
    {"agent", "poll_seconds", SECONDS, AT(poll_seconds), "300", 10, 86400},
    {"agent", "request_seconds", SECONDS, AT(request_seconds), "120", 1, 3600},
    {"agent", "log_level", TEXT, AT(log_level), "info", 0, 0},
    {"agent", "log_format", TEXT, AT(log_format), "logfmt", 0, 0},
    {"agent", "boot_id_file", FOLDER, AT(boot_id_file), "/proc/sys/kernel/random/boot_id", 0, 0},
    {"installer", "type", TEXT, AT(type), "command", 0, 0},
    {"installer", "command", COMMAND, AT(command), "", 0, 0},
    {"installer", "timeout_seconds", SECONDS, AT(timeout_seconds), "1800", 1, 86400},
    {"installer", "reboot_code", COUNT, AT(reboot_code), "10", 1, 125},
    {"installer", "reboot_command", COMMAND, AT(reboot_command), "", 0, 0},
    {"installer", "version_file", FOLDER, AT(version_file), "", 0, 0},
    {"installer", "version_command", COMMAND, AT(version_command), "", 0, 0},
    {"installer", "health_command", COMMAND, AT(health_command), "", 0, 0},
    {"installer", "health_seconds", SECONDS, AT(health_seconds), "60", 1, 86400},
    {"installer", "confirm_seconds", SECONDS, AT(confirm_seconds), "300", 1, 86400},
    {"installer", "good_command", COMMAND, AT(good_command), "", 0, 0},
    {"installer", "bad_command", COMMAND, AT(bad_command), "", 0, 0},
    {"installer", "slots_dir", FOLDER, AT(slots_dir), "", 0, 0},
    {"installer", "unpack_command", COMMAND, AT(unpack_command), "", 0, 0},
    {"installer", "restart_command", COMMAND, AT(restart_command), "", 0, 0},
    {"update", "attempt", TEXT, AT(attempt), "install", 0, 0},
    {"update", "consent", TEXT, AT(consent), "ask", 0, 0},
    {"trust", "image_root", FOLDER, AT(image_root), "", 0, 0},
    {"trust", "director_root", FOLDER, AT(director_root), "", 0, 0},
    {"trust", "insecure_unsigned", YES_NO, AT(insecure_unsigned), "no", 0, 0},
    {"tunnel", "listen", TEXT, AT(tunnel_listen), "127.0.0.1:8480", 0, 0},
    {"tunnel", "socket", FOLDER, AT(tunnel_socket), "", 0, 0},
    {"tunnel", "ranges", TEXT, AT(tunnel_ranges), "no", 0, 0},
    {"tunnel", "connections", COUNT, AT(tunnel_connections), "8", 1, 64},
};
#define ROWS (sizeof rows / sizeof *rows)

static bool is_number(const struct row *r)
{
    return r->kind == SECONDS || r->kind == COUNT;
}

static int set_row(struct agent_config *c, const struct row *r, const char *value, struct err *e)
{
    char *place = (char *)c + r->offset;
    if (is_number(r)) {
        uint64_t v;
        if (str_to_u64(str_of(value), r->most, &v) != 0 || v < r->least)
            return err_set(e, ERR_INVALID, "[%s] %s must be a whole number from %llu to %llu, not \"%s\"",
                           r->section, r->key, (unsigned long long)r->least, (unsigned long long)r->most,
                           value);
        int64_t n = (int64_t)v;
        memcpy(place, &n, sizeof n);
        return 0;
    }
    if (r->kind == YES_NO) {
        bool yes = strcmp(value, "yes") == 0;
        if (!yes && strcmp(value, "no") != 0)
            return err_set(e, ERR_INVALID, "[%s] %s must be yes or no, not \"%.64s\"", r->section, r->key,
                           value);
        memcpy(place, &yes, sizeof yes);
        return 0;
    }
    if (strlen(value) >= AGENT_VALUE_SIZE || !str_is_text(str_of(value)))
        return err_set(e, ERR_INVALID, "[%s] %s is longer than %d bytes or has control characters",
                       r->section, r->key, AGENT_VALUE_SIZE - 1);
    if (value[0] != '\0' && r->kind == FOLDER && value[0] != '/')
        return err_set(e, ERR_INVALID, "[%s] %s must be a path from the root (/...), not \"%s\"", r->section,
                       r->key, value);
    if (value[0] != '\0' && r->kind == COMMAND) {
        struct args args;
        int rc = args_split(value, &args, e);
        if (rc != 0)
            return err_context(e, "[%s] %s", r->section, r->key);
    }
    snprintf(place, AGENT_VALUE_SIZE, "%s", value);
    return 0;
}

int agent_config_set(struct agent_config *c, const char *section, const char *key, const char *value,
                     struct err *e)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].key, key) == 0) {
            c->installs = c->installs || strcmp(section, "installer") == 0;
            return set_row(c, &rows[i], value, e);
        }
    return err_set(e, ERR_INVALID, "there is no setting [%s] %s; see pqota-agent.conf(5)", section, key);
}

void agent_config_init(struct agent_config *c)
{
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < ROWS; i++)
        if (set_row(c, &rows[i], rows[i].missing, NULL) != 0)
            abort(); /* a default of ours that is none */
}

struct reading {
    struct agent_config *c;
    struct str rest;
    struct err e;
    int line;
    bool seen[ROWS];
};

static int on_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    if (r->e.code != 0)
        return 0;
    if (agent_config_set(r->c, section, name, value, &r->e) != 0)
        return 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].section, section) != 0 || strcmp(rows[i].key, name) != 0)
            continue;
        if (r->seen[i])
            err_set(&r->e, ERR_INVALID, "[%s] %s is there twice", section, name);
        r->seen[i] = true;
    }
    return r->e.code == 0;
}

/* inih: the next line, as fgets. Without its indentation, which inih would take for a continued value. */
static char *next_line(char *out, int size, void *user)
{
    struct reading *r = user;
    struct str line;
    if (r->e.code != 0 || !str_split(&r->rest, '\n', &line))
        return NULL;
    r->line++;
    line = str_trim(line);
    if (line.n > (size_t)size - 2) {
        err_set(&r->e, ERR_INVALID, "the line is longer than %d bytes; put a long command into a script",
                size - 2);
        return NULL;
    }
    memcpy(out, line.p, line.n);
    memcpy(out + line.n, "\n", 2);
    return out;
}

int agent_config_read(struct agent_config *c, const char *path, int must_exist, struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, AGENT_CONFIG_MAX);
    struct err why = {0};
    int rc = file_read(path, AGENT_CONFIG_MAX, &text, &why);
    if (rc == ERR_NOT_FOUND && !must_exist)
        return 0;
    if (rc != 0)
        return err_set(e, rc, "%s", why.text);
    if (strlen(text.p) != text.n)
        return err_set(e, ERR_INVALID, "%s is not a text file", path);
    struct agent_config fresh = *c;
    struct reading r = {.c = &fresh, .rest = buf_str(&text)};
    int line = ini_parse_stream(next_line, &r, on_line, &r);
    if (r.e.code != 0)
        return err_set(e, ERR_INVALID, "%s, line %d: %s", path, r.line, r.e.text);
    if (line != 0)
        return err_set(e, ERR_INVALID, "%s, line %d is no [section], no \"key = value\" and no comment", path,
                       line);
    *c = fresh;
    return 0;
}

int agent_server_url(const char *text, char out[AGENT_VALUE_SIZE], struct err *e)
{
    static const char scheme[] = "https://";
    size_t n = strlen(text);
    if (n > 0 && text[n - 1] == '/')
        n--;
    bool good =
        n > sizeof scheme - 1 && n < AGENT_VALUE_SIZE && strncmp(text, scheme, sizeof scheme - 1) == 0;
    for (size_t i = sizeof scheme - 1; good && i < n; i++)
        good = text[i] > ' ' && text[i] < 0x7F && strchr("/?#@\\\"<>", text[i]) == NULL;
    if (!good)
        return err_set(e, ERR_INVALID, "the server must be https://HOST or https://HOST:PORT, not \"%.200s\"",
                       text);
    memcpy(out, text, n);
    out[n] = '\0';
    return 0;
}

static int check_trust(const struct agent_config *c, struct err *e)
{
    bool image = c->image_root[0] != '\0', director = c->director_root[0] != '\0';
    if (c->model[0] != '\0' && !str_is_name(str_of(c->model)))
        return err_set(e, ERR_INVALID, "[agent] model: \"%.64s\" is no name of a model", c->model);
    if (c->insecure_unsigned && (image || director))
        return err_set(
            e, ERR_INVALID,
            "[trust] names roots, and insecure_unsigned = yes says that they do not count: take out "
            "one of the two");
    if (c->insecure_unsigned || (image && director))
        return 0;
    return err_set(e, ERR_INVALID,
                   "[trust] %s not set: copy image.root.json and director.root.json, which pqota trust init "
                   "wrote under trust/device, to this device, and name them there; or, if whoever has the "
                   "server may have the device, set insecure_unsigned = yes",
                   image      ? "director_root is"
                   : director ? "image_root is"
                              : "image_root and director_root are");
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]:", 6) == 0;
}

/* Who reaches the tunnel speaks for this device: no other machine may. */
static int check_tunnel(const struct agent_config *c, struct err *e)
{
    if (c->tunnel_listen[0] == '\0' && c->tunnel_socket[0] == '\0')
        return err_set(e, ERR_INVALID, "[tunnel] has neither listen nor socket; set one of the two");
    if (c->tunnel_listen[0] != '\0' && !is_loopback(c->tunnel_listen))
        return err_set(e, ERR_INVALID,
                       "[tunnel] listen must be 127.0.0.1:PORT or [::1]:PORT, not \"%.64s\": who reaches the "
                       "tunnel speaks for this device",
                       c->tunnel_listen);
    if (strcmp(c->tunnel_ranges, "vouched") != 0 && strcmp(c->tunnel_ranges, "no") != 0)
        return err_set(e, ERR_INVALID, "[tunnel] ranges must be vouched or no, not \"%.64s\"",
                       c->tunnel_ranges);
    return 0;
}

static int check_update(const struct agent_config *c, struct err *e)
{
    if (strcmp(c->attempt, "install") != 0 && strcmp(c->attempt, "wait") != 0)
        return err_set(e, ERR_INVALID, "[update] attempt must be install or wait, not \"%.64s\"", c->attempt);
    if (strcmp(c->consent, "ask") != 0 && strcmp(c->consent, "always") != 0 &&
        strcmp(c->consent, "never") != 0)
        return err_set(e, ERR_INVALID, "[update] consent must be ask, always or never, not \"%.64s\"",
                       c->consent);
    return 0;
}

int agent_config_check_tunnel(const struct agent_config *c, struct err *e)
{
    char url[AGENT_VALUE_SIZE];
    if (c->state_dir[0] == '\0')
        return err_set(e, ERR_INVALID, "[agent] state_dir is empty; name a folder for the agent's files");
    if (c->boot_id_file[0] == '\0')
        return err_set(e, ERR_INVALID, "[agent] boot_id_file is empty; leave the line out for the kernel's");
    if (strncmp(c->proxy, "https://", 8) == 0)
        return err_set(e, ERR_INVALID,
                       "[agent] proxy: a proxy reached over TLS is not supported; use http:// or "
                       "socks5h://, the connection to the server is encrypted through it");
    if (!tls_policy_is_post_quantum(c->policy))
        return err_set(e, ERR_INVALID, "[agent] policy must be balanced, cnsa2 or constrained, not \"%s\"",
                       c->policy);
    if (c->server[0] != '\0' && agent_server_url(c->server, url, e) != 0)
        return err_context(e, "[agent] server");
    char host[AGENT_VALUE_SIZE];
    int port;
    if (c->broker[0] != '\0' && mqtt_split_broker(c->broker, host, sizeof host, &port, e) != 0)
        return err_context(e, "[agent] broker");
    int rc = check_update(c, e);
    if (rc == 0)
        rc = check_tunnel(c, e);
    return rc != 0 ? rc : check_trust(c, e);
}

int agent_config_check(const struct agent_config *c, struct err *e)
{
    int rc = installer_check(c, e);
    return rc != 0 ? rc : agent_config_check_tunnel(c, e);
}
