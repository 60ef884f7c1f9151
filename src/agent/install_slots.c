/*
 * Two folders and a link: slots_dir/a, slots_dir/b, slots_dir/current -> a or b. An update goes to the folder
 * that is not current, the link is switched by one rename, the restart command is run, and the new version is
 * kept when the health command (or `pqota-agent confirm`) says so in time; otherwise the link goes back.
 *
 * slots_dir/pending says what is under way and is written before each step, so that after a power cut at any
 * moment the next start knows whether to go on, to go back, or that it is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/files.h"
#include "agent/installer.h"
#include "agent/slots.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"

#define STARTS_MAX 3   /* boots in a new version that may pass without its being confirmed */
#define ASK_AGAIN_S 2  /* between two looks at a version that is not confirmed yet */
#define TRY_AGAIN_S 10 /* after an I/O error */
#define NOT_YET 75     /* EX_TEMPFAIL: the health command cannot say yet */

static int check(const struct agent_config *c, struct err *e)
{
    if (c->slots_dir[0] == '\0')
        return err_set(e, ERR_INVALID, "[installer] type = slots needs slots_dir = /path/of/the/slots");
    return 0;
}

static int running_version(struct installer *in, char out[PQOTA_NAME_SIZE], struct err *e)
{
    char path[PATH_MAX];
    if (file_join(path, sizeof path, in->config->slots_dir, "current/version") != 0)
        return err_set(e, ERR_TOO_LARGE, "[installer] slots_dir is too long");
    return installer_read_version(path, out, e);
}

static int fill_slot(struct installer *in, const struct pqota_artifact *a, const char *slot,
                     char why[PQOTA_TEXT_SIZE], struct err *e)
{
    if (in->config->unpack_command[0] == '\0')
        return slots_copy(files_artifact_fd(in->files), a->size, slot, e);
    struct installer_run run = {.what = "the unpack command",
                                .command = in->config->unpack_command,
                                .artifact = a,
                                .slot = slot,
                                .file = true,
                                .timeout_s = in->config->timeout_seconds};
    return installer_run(in, &run, why) ? 0 : err_set(e, ERR_IO, "%.500s", why);
}

static int write_version(const char *slot, const char *version, struct err *e)
{
    char path[PATH_MAX], line[PQOTA_NAME_SIZE + 1];
    int n = snprintf(line, sizeof line, "%s\n", version);
    if (file_join(path, sizeof path, slot, "version") != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of the slot %s is too long", slot);
    return file_write_atomic(path, line, (size_t)n, 0644, e);
}

static int install_steps(struct installer *in, const struct pqota_artifact *a, char why[PQOTA_TEXT_SIZE],
                         struct err *e)
{
    const char *dir = in->config->slots_dir;
    struct slots_pending p = {.phase = SLOTS_SWITCHING};
    char slot[PATH_MAX];
    int rc = slots_current(dir, p.from, e);
    if (rc != 0)
        return rc;
    snprintf(p.to, sizeof p.to, "%s", strcmp(p.from, "a") == 0 ? "b" : "a");
    snprintf(p.version, sizeof p.version, "%s", a->version);
    if (file_join(slot, sizeof slot, dir, p.to) != 0)
        return err_set(e, ERR_TOO_LARGE, "[installer] slots_dir is too long");
    rc = slots_empty(slot, e);
    if (rc == 0)
        rc = fill_slot(in, a, slot, why, e);
    /* The version last: a slot without it is not a whole one. */
    if (rc == 0)
        rc = write_version(slot, a->version, e);
    if (rc == 0)
        rc = slots_flush(slot, e);
    if (rc == 0)
        rc = slots_boot_id(in->config->boot_id_file, p.boot, e);
    if (rc == 0)
        rc = slots_pending_write(dir, &p, e);
    if (rc == 0)
        rc = slots_point(dir, p.to, e);
    return rc;
}

static enum pqota_install install(struct installer *in, const struct pqota_artifact *a,
                                  char why[PQOTA_TEXT_SIZE])
{
    struct err e = {0};
    if (install_steps(in, a, why, &e) == 0)
        return PQOTA_INSTALL_DONE;
    snprintf(why, PQOTA_TEXT_SIZE, "%s", e.text);
    return PQOTA_INSTALL_FAILED;
}

static bool restart(struct installer *in, const struct pqota_artifact *a, const char *slot,
                    char why[PQOTA_TEXT_SIZE])
{
    struct installer_run run = {.what = "the restart command",
                                .command = in->config->restart_command,
                                .artifact = a,
                                .slot = slot,
                                .timeout_s = in->config->timeout_seconds};
    return in->config->restart_command[0] == '\0' || installer_run(in, &run, why);
}

static enum pqota_confirm later(const struct err *e, uint32_t *wait_s)
{
    log_error("slots", "cannot go on now", LOG_ERR(e));
    *wait_s = TRY_AGAIN_S;
    return PQOTA_CONFIRM_WAIT;
}

/* Goes back to the slot the update came from. Repeated from its beginning if it is cut off. */
static enum pqota_confirm go_back(struct installer *in, const struct pqota_artifact *a,
                                  struct slots_pending *p, const char *reason, uint32_t *wait_s,
                                  char why[PQOTA_TEXT_SIZE])
{
    const char *dir = in->config->slots_dir;
    struct err e = {0};
    char trouble[PQOTA_TEXT_SIZE] = "", now[PQOTA_NAME_SIZE] = "nothing", slot[PATH_MAX];
    if (p->phase != SLOTS_RETURNING) {
        p->phase = SLOTS_RETURNING;
        snprintf(p->why, sizeof p->why, "%.400s", reason);
        if (slots_pending_write(dir, p, &e) != 0)
            return later(&e, wait_s);
    }
    if (slots_point(dir, p->from, &e) != 0)
        return later(&e, wait_s);
    snprintf(slot, sizeof slot, "%s/%s", dir, p->from);
    if (p->from[0] != '\0' && !restart(in, a, slot, trouble))
        log_error("slots", "the old version is back, but did not restart", LOG_STR("error", trouble));
    if (slots_pending_remove(dir, &e) != 0)
        return later(&e, wait_s);
    if (running_version(in, now, &e) != 0)
        snprintf(now, sizeof now, "%s", "the version before");
    snprintf(why, PQOTA_TEXT_SIZE, "%.380s; the device returned to %.100s", p->why, now);
    log_warn("slots", "returned to the old slot", LOG_STR("reason", p->why), LOG_STR("version", now));
    return PQOTA_CONFIRM_RETURNED;
}

static enum pqota_confirm keep(struct installer *in, uint32_t *wait_s)
{
    struct err e = {0};
    return slots_pending_remove(in->config->slots_dir, &e) == 0 ? PQOTA_CONFIRM_GOOD : later(&e, wait_s);
}

/* First look at the new version: the restart, and the time from which it has to prove itself. */
static enum pqota_confirm begin(struct installer *in, const struct pqota_artifact *a, struct slots_pending *p,
                                const char *slot, uint32_t *wait_s, char why[PQOTA_TEXT_SIZE])
{
    struct err e = {0};
    char trouble[PQOTA_TEXT_SIZE];
    if (!restart(in, a, slot, trouble))
        return go_back(in, a, p, trouble, wait_s, why);
    p->phase = SLOTS_RESTARTED;
    p->deadline = in->now_s(in->now_ctx) + in->config->confirm_seconds;
    if (slots_pending_write(in->config->slots_dir, p, &e) != 0)
        return later(&e, wait_s);
    *wait_s = 0;
    return PQOTA_CONFIRM_WAIT;
}

/* A version that takes the machine down before it can be asked never reaches its deadline on a board whose
   clock starts anew each time: so boots are counted too. */
static int count_start(struct installer *in, struct slots_pending *p, struct err *e)
{
    char boot[PQOTA_BOOT_SIZE];
    int rc = slots_boot_id(in->config->boot_id_file, boot, e);
    if (rc != 0 || strcmp(boot, p->boot) == 0)
        return rc;
    memcpy(p->boot, boot, sizeof boot);
    p->starts++;
    return slots_pending_write(in->config->slots_dir, p, e);
}

static enum pqota_confirm judge(struct installer *in, const struct pqota_artifact *a, struct slots_pending *p,
                                uint32_t *wait_s, char why[PQOTA_TEXT_SIZE])
{
    const struct agent_config *c = in->config;
    char slot[PATH_MAX], reason[PQOTA_TEXT_SIZE];
    struct err e = {0};
    if (count_start(in, p, &e) != 0)
        return later(&e, wait_s);
    if (p->starts > STARTS_MAX)
        return go_back(in, a, p, "the device started several times before the new version was confirmed",
                       wait_s, why);
    snprintf(slot, sizeof slot, "%s/%s", c->slots_dir, p->to);
    if (p->phase == SLOTS_SWITCHING)
        return begin(in, a, p, slot, wait_s, why);
    if (slots_confirmed(c->slots_dir, p->to, p->version))
        return keep(in, wait_s);
    int64_t left = p->deadline - in->now_s(in->now_ctx);
    if (left <= 0) {
        snprintf(reason, sizeof reason, "the new version was not confirmed within %lld s",
                 (long long)c->confirm_seconds);
        return go_back(in, a, p, reason, wait_s, why);
    }
    *wait_s = ASK_AGAIN_S;
    if (c->health_command[0] == '\0')
        return PQOTA_CONFIRM_WAIT;
    struct installer_run run = {.what = "the health command",
                                .command = c->health_command,
                                .artifact = a,
                                .slot = slot,
                                .timeout_s = left < c->health_seconds ? left : c->health_seconds};
    if (installer_run(in, &run, reason))
        return keep(in, wait_s);
    if (run.code == NOT_YET)
        return PQOTA_CONFIRM_WAIT;
    return go_back(in, a, p, reason, wait_s, why);
}

static enum pqota_confirm settled(struct installer *in, const struct pqota_artifact *a,
                                  char why[PQOTA_TEXT_SIZE])
{
    char now[PQOTA_NAME_SIZE] = "an unknown version";
    struct err e = {0};
    if (running_version(in, now, &e) == 0 && (a == NULL || strcmp(now, a->version) == 0))
        return PQOTA_CONFIRM_GOOD;
    snprintf(why, PQOTA_TEXT_SIZE, "the device runs %s", now);
    return PQOTA_CONFIRM_RETURNED;
}

static enum pqota_confirm confirm(struct installer *in, const struct pqota_artifact *a, uint32_t *wait_s,
                                  char why[PQOTA_TEXT_SIZE])
{
    const char *dir = in->config->slots_dir;
    struct slots_pending p;
    char current[SLOTS_NAME_SIZE];
    struct err e = {0};
    int rc = slots_pending_read(dir, &p, &e);
    if (rc == ERR_NOT_FOUND)
        return settled(in, a, why);
    if (rc == ERR_CORRUPT || rc == ERR_INVALID || rc == ERR_TOO_LARGE) {
        /* What it said is lost; the link is whole in any case, and what it points to is what runs. */
        log_error("slots", "the note on the switch is damaged and was removed", LOG_ERR(&e));
        return slots_pending_remove(dir, &e) == 0 ? settled(in, a, why) : later(&e, wait_s);
    }
    if (rc != 0 || slots_current(dir, current, &e) != 0)
        return later(&e, wait_s);
    if (p.phase == SLOTS_RETURNING)
        return go_back(in, a, &p, p.why, wait_s, why);
    if (strcmp(current, p.to) == 0)
        return judge(in, a, &p, wait_s, why);
    /* Cut off before the switch. */
    return slots_pending_remove(dir, &e) == 0 ? settled(in, a, why) : later(&e, wait_s);
}

static void recover(struct installer *in, uint32_t *wait_s)
{
    struct slots_pending p;
    char why[PQOTA_TEXT_SIZE] = "";
    *wait_s = 0;
    if (slots_pending_read(in->config->slots_dir, &p, NULL) == ERR_NOT_FOUND) {
        files_sweep(in->config->slots_dir); /* while a switch is under way, `confirm` may be writing here */
        return;
    }
    uint32_t again = 0;
    if (confirm(in, NULL, &again, why) == PQOTA_CONFIRM_WAIT)
        *wait_s = again > 0 ? again : 1;
}

static int mark_good(struct installer *in, struct err *e)
{
    struct slots_pending p;
    int rc = slots_pending_read(in->config->slots_dir, &p, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "no switch in %s waits for a confirmation", in->config->slots_dir);
    return rc != 0 ? rc : slots_confirm(in->config->slots_dir, p.to, p.version, e);
}

const struct installer_kind installer_slots = {.name = "slots",
                                               .check = check,
                                               .running_version = running_version,
                                               .install = install,
                                               .confirm = confirm,
                                               .recover = recover,
                                               .mark_good = mark_good};
