#include "agent/installer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/files.h"
#include "agent/unhealthy.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"

#define VERSION_SECONDS 30 /* for the version command */
#define REBOOT_SECONDS 60  /* for the reboot command to end; the machine may take longer to go down */
#define VERSION_FILE_MAX 4096
#define BAD_WAIT_S 300 /* for the reboot after bad_command */

static const struct installer_kind *const kinds[] = {&installer_command, &installer_slots, &installer_rauc,
                                                     &installer_swupdate};

static const struct installer_kind *find(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

int installer_check(const struct agent_config *c, struct err *e)
{
    const struct installer_kind *kind = find(c->type);
    if (kind == NULL)
        return err_set(e, ERR_INVALID,
                       "[installer] type must be command, slots, rauc or swupdate, not \"%s\"", c->type);
    return kind->check(c, e);
}

int installer_init(struct installer *in, const struct agent_config *c, struct files *files,
                   int64_t (*now_s)(void *ctx), void *now_ctx, struct err *e)
{
    int rc = installer_check(c, e);
    if (rc != 0)
        return rc;
    *in = (struct installer){
        .kind = find(c->type), .config = c, .files = files, .now_s = now_s, .now_ctx = now_ctx};
    return 0;
}

bool installer_run(struct installer *in, struct installer_run *r, char why[PQOTA_TEXT_SIZE])
{
    enum { NAMES = 7, SIZE = PQOTA_NAME_SIZE + AGENT_VALUE_SIZE };
    char text[NAMES][SIZE];
    const char *env[NAMES + 1];
    size_t n = 0;
    const struct pqota_artifact *a = r->artifact;
    if (a != NULL) {
        snprintf(text[n++], SIZE, "PQOTA_NAME=%s", a->name);
        snprintf(text[n++], SIZE, "PQOTA_VERSION=%s", a->version);
        snprintf(text[n++], SIZE, "PQOTA_FILENAME=%s", a->filename);
        snprintf(text[n++], SIZE, "PQOTA_SHA256=%s", a->sha256);
        snprintf(text[n++], SIZE, "PQOTA_SIZE=%" PRIu64, a->size);
    }
    if (r->slot != NULL)
        snprintf(text[n++], SIZE, "PQOTA_SLOT=%s", r->slot);
    if (r->file)
        snprintf(text[n++], SIZE, "PQOTA_FILE=%s", PROCESS_FILE);
    for (size_t i = 0; i < n; i++)
        env[i] = text[i];
    env[n] = NULL;

    struct args args;
    struct err e = {0};
    struct process_result result;
    struct process p = {.args = &args,
                        .env = env,
                        .file = r->file ? files_artifact_fd(in->files) : -1,
                        .timeout_ms = r->timeout_s * 1000};
    r->code = -1;
    int rc = args_split(r->command, &args, &e);
    if (rc == 0 && r->last != NULL)
        rc = args_add(&args, r->last, &e);
    if (rc == 0)
        rc = process_run(&p, &result, &e);
    if (rc != 0) {
        snprintf(why, PQOTA_TEXT_SIZE, "%s: %.400s", r->what, e.text);
        return false;
    }
    if (!result.timed_out)
        r->code = result.code;
    if (r->code == 0)
        return true;
    char said[460];
    process_describe(&result, p.timeout_ms, said, sizeof said);
    snprintf(why, PQOTA_TEXT_SIZE, "%s failed, %s", r->what, said);
    return false;
}

int installer_read_version(const char *path, char out[PQOTA_NAME_SIZE], struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, VERSION_FILE_MAX);
    int rc = file_read(path, VERSION_FILE_MAX, &text, e);
    if (rc != 0)
        return rc;
    struct str line = str_trim((struct str){.p = text.p, .n = strcspn(text.p, "\r\n")});
    if (!str_is_name(line))
        return err_set(e, ERR_INVALID, "the first line of %s is no version", path);
    snprintf(out, PQOTA_NAME_SIZE, STR_FMT, STR_ARG(line));
    return 0;
}

int installer_version(struct installer *in, char out[PQOTA_NAME_SIZE], struct err *e)
{
    const struct agent_config *c = in->config;
    if (c->version_command[0] == '\0')
        return installer_read_version(c->version_file, out, e);
    struct args args;
    struct process_result result;
    char line[PQOTA_NAME_SIZE + 1], said[460];
    int rc = args_split(c->version_command, &args, e);
    struct process p = {.args = &args, .file = -1, .timeout_ms = VERSION_SECONDS * 1000};
    if (rc == 0)
        rc = process_run(&p, &result, e);
    if (rc != 0)
        return rc;
    if (result.timed_out || result.code != 0) {
        process_describe(&result, p.timeout_ms, said, sizeof said);
        return err_set(e, ERR_IO, "the version command failed, %s", said);
    }
    process_first_line(&result, line, sizeof line);
    if (!str_is_name(str_of(line)))
        return err_set(e, ERR_INVALID, "the version command's first line is no version: \"%.60s\"", line);
    snprintf(out, PQOTA_NAME_SIZE, "%s", line);
    return 0;
}

int installer_version_check(const struct agent_config *c, struct err *e)
{
    if ((c->version_command[0] == '\0') == (c->version_file[0] == '\0'))
        return err_set(e, ERR_INVALID,
                       "[installer] needs version_file or version_command (one of them): success is "
                       "reported only when the new version really runs");
    return 0;
}

static int reboot_now(struct installer *in, char why[PQOTA_TEXT_SIZE])
{
    if (in->config->reboot_command[0] == '\0') {
        log_warn("installer",
                 "the update needs a reboot, and there is no [installer] reboot_command: waiting for one");
        return PQOTA_OK;
    }
    struct installer_run run = {
        .what = "the reboot command", .command = in->config->reboot_command, .timeout_s = REBOOT_SECONDS};
    log_info("installer", "rebooting");
    return installer_run(in, &run, why) ? PQOTA_OK : PQOTA_E_AGAIN;
}

/* Not healthy: the boot loader is told, and a reboot should bring the old version back. Not for ever. */
static enum pqota_confirm go_back(struct installer *in, const struct pqota_artifact *a, uint32_t *wait_s,
                                  char why[PQOTA_TEXT_SIZE])
{
    const char *dir = in->config->state_dir;
    struct err e = {0};
    struct unhealthy u = {.reboots = 0};
    if (unhealthy_read(dir, a->version, &u, &e) != 0)
        snprintf(u.version, sizeof u.version, "%s", a->version);
    if (u.reboots >= UNHEALTHY_REBOOTS_MAX) {
        snprintf(u.why, sizeof u.why, "%s", why);
        snprintf(why, PQOTA_TEXT_SIZE, "%d reboots did not bring the old version back: %s",
                 UNHEALTHY_REBOOTS_MAX, u.why);
        unhealthy_forget(dir);
        return PQOTA_CONFIRM_RETURNED;
    }
    u.reboots++;
    snprintf(u.why, sizeof u.why, "%s", why);
    char trouble[PQOTA_TEXT_SIZE] = "";
    if (unhealthy_write(dir, &u, &e) != 0)
        log_error("installer", "no reboot: it could not be counted", LOG_ERR(&e));
    else if (reboot_now(in, trouble) != PQOTA_OK)
        log_error("installer", "the reboot did not begin", LOG_STR("error", trouble));
    *wait_s = BAD_WAIT_S;
    return PQOTA_CONFIRM_WAIT;
}

/* The old version runs again: the report says why it does, if that is known. */
static void say_returned(struct installer *in, const struct pqota_artifact *a, const char *now,
                         char why[PQOTA_TEXT_SIZE])
{
    struct err e = {0};
    struct unhealthy u;
    bool known = unhealthy_read(in->config->state_dir, a->version, &u, &e) == 0;
    snprintf(why, PQOTA_TEXT_SIZE, "the device runs %s: it returned to it, or never left it%s%s", now,
             known ? "; " : "", known ? u.why : "");
    unhealthy_forget(in->config->state_dir);
}

enum pqota_confirm installer_confirm(struct installer *in, const struct pqota_artifact *a, const char *good,
                                     const char *bad, uint32_t *wait_s, char why[PQOTA_TEXT_SIZE])
{
    const struct agent_config *c = in->config;
    char now[PQOTA_NAME_SIZE];
    struct err e = {0};
    if (in->kind->running_version(in, now, &e) != 0)
        /* the client asks for the version itself, and reports that it cannot be told */
        return PQOTA_CONFIRM_GOOD;
    if (strcmp(now, a->version) != 0) {
        say_returned(in, a, now, why);
        return PQOTA_CONFIRM_RETURNED;
    }
    struct installer_run run = {.what = "the health command",
                                .command = c->health_command,
                                .artifact = a,
                                .timeout_s = c->health_seconds};
    bool healthy = c->health_command[0] == '\0' || installer_run(in, &run, why);
    const char *next = healthy ? good : bad;
    struct installer_run mark = {.what = healthy ? "the good command" : "the bad command",
                                 .command = next,
                                 .artifact = a,
                                 .timeout_s = c->health_seconds};
    char trouble[PQOTA_TEXT_SIZE] = "";
    if (next[0] != '\0' && !installer_run(in, &mark, trouble)) {
        log_error("installer", "the new version could not be marked", LOG_STR("error", trouble));
        if (healthy) {
            *wait_s = 10;
            return PQOTA_CONFIRM_WAIT;
        }
    }
    if (healthy) {
        unhealthy_forget(c->state_dir);
        return PQOTA_CONFIRM_GOOD;
    }
    log_error("installer", "the new version is not good", LOG_STR("error", why));
    if (bad[0] == '\0' || c->reboot_command[0] == '\0')
        return PQOTA_CONFIRM_RETURNED; /* there is no way back from here; the report says what runs */
    return go_back(in, a, wait_s, why);
}

static int cb_version(void *ctx, char out[PQOTA_NAME_SIZE])
{
    struct installer *in = ctx;
    struct err e = {0};
    if (in->kind->running_version(in, out, &e) == 0)
        return PQOTA_OK;
    log_debug("installer", "the running version is not known", LOG_ERR(&e));
    return PQOTA_E_AGAIN;
}

static enum pqota_install cb_install(void *ctx, const struct pqota_artifact *a, char why[PQOTA_TEXT_SIZE])
{
    struct installer *in = ctx;
    return in->kind->install(in, a, why);
}

static int cb_reboot(void *ctx, char why[PQOTA_TEXT_SIZE])
{
    return reboot_now(ctx, why);
}

static enum pqota_confirm cb_confirm(void *ctx, const struct pqota_artifact *a, uint32_t *wait_s,
                                     char why[PQOTA_TEXT_SIZE])
{
    struct installer *in = ctx;
    return in->kind->confirm(in, a, wait_s, why);
}

struct pqota_installer installer_callbacks(struct installer *in)
{
    return (struct pqota_installer){.ctx = in,
                                    .running_version = cb_version,
                                    .install = cb_install,
                                    .reboot = cb_reboot,
                                    .confirm = cb_confirm};
}
