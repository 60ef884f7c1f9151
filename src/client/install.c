/* The states installing, rebooting and confirming: from a checked artifact to what really runs. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"

static bool runs_new(pqota_client_t *c)
{
    char now[PQOTA_NAME_SIZE];
    return c->ops.installer.running_version(c->ops.installer.ctx, now) == PQOTA_OK &&
           strcmp(now, c->st.version) == 0;
}

static struct pqota_artifact artifact(const pqota_client_t *c)
{
    return (struct pqota_artifact){.name = c->st.name,
                                   .version = c->st.version,
                                   .filename = c->st.filename,
                                   .sha256 = c->st.sha256,
                                   .size = c->st.size};
}

/* Started in the middle of an installation: it may have come through, or must begin anew, with a new check.
   */
static enum pqota_next interrupted(pqota_client_t *c, uint32_t *wait_s)
{
    if (strcmp(c->st.running, c->st.version) == 0)
        return client_failed(c, wait_s,
                             "the installation was cut off, and as version %s ran before it, too, nothing "
                             "tells whether it came through",
                             c->st.version);
    if (runs_new(c))
        return client_move(c, PQOTA_CONFIRMING) == PQOTA_OK ? PQOTA_AGAIN : client_retry(c, wait_s);
    if (c->st.installs >= CLIENT_INSTALLS_MAX)
        return client_failed(c, wait_s, "the installation was cut off %d times", CLIENT_INSTALLS_MAX);
    if (c->st.vouched == 0) /* begun by a program that asked nobody */
        return client_move(c, PQOTA_OFFERED) == PQOTA_OK ? PQOTA_AGAIN : client_retry(c, wait_s);
    client_log(c, PQOTA_LOG_WARN, "the installation was cut off; it starts over");
    return client_move(c, PQOTA_VERIFYING) == PQOTA_OK ? PQOTA_AGAIN : client_retry(c, wait_s);
}

enum pqota_next client_step_installing(pqota_client_t *c, uint32_t *wait_s)
{
    if (!c->verified)
        return interrupted(c, wait_s);
    c->verified = false;
    assert(c->st.vouched == 1);
    char why[PQOTA_TEXT_SIZE] = "";
    struct pqota_artifact a = artifact(c);
    client_log(c, PQOTA_LOG_INFO, "installing %s %s", a.name, a.version);
    switch (c->ops.installer.install(c->ops.installer.ctx, &a, why)) {
    case PQOTA_INSTALL_DONE:
        return client_move(c, PQOTA_CONFIRMING) == PQOTA_OK ? PQOTA_AGAIN : client_retry(c, wait_s);
    case PQOTA_INSTALL_REBOOT:
        return client_move(c, PQOTA_REBOOTING) == PQOTA_OK ? PQOTA_AGAIN : client_retry(c, wait_s);
    case PQOTA_INSTALL_FAILED:
        break;
    }
    return client_failed(c, wait_s, "%s", why[0] != '\0' ? why : "the installer failed and did not say why");
}

enum pqota_next client_step_rebooting(pqota_client_t *c, uint32_t *wait_s)
{
    if (strcmp(c->st.boot, c->boot) != 0)
        return client_move(c, PQOTA_CONFIRMING) == PQOTA_OK ? PQOTA_AGAIN : client_retry(c, wait_s);
    if (c->st.acked != PQOTA_REBOOTING && c->tries < CLIENT_REBOOT_REPORT_TRIES) {
        /* Good to know for the server, but the device gets its new version without it. */
        if (client_report(c, "rebooting", -1, NULL, NULL) == ACK_LATER) {
            c->tries++;
            return client_retry(c, wait_s);
        }
        c->st.acked = PQOTA_REBOOTING;
    }
    char why[PQOTA_TEXT_SIZE] = "";
    if (c->ops.installer.reboot(c->ops.installer.ctx, why) != PQOTA_OK) {
        client_log(c, PQOTA_LOG_ERROR, "the reboot did not begin: %s", why);
        return client_retry(c, wait_s);
    }
    *wait_s = CLIENT_REBOOT_WAIT_S;
    return PQOTA_WAIT_REBOOT;
}

/* Success is what runs, not what was done. */
static enum pqota_next conclude(pqota_client_t *c, uint32_t *wait_s)
{
    char now[PQOTA_NAME_SIZE];
    if (c->ops.installer.running_version(c->ops.installer.ctx, now) != PQOTA_OK || !client_is_name(now)) {
        if (++c->tries >= CLIENT_VERSION_TRIES)
            return client_failed(c, wait_s, "the version that runs cannot be told");
        return client_retry(c, wait_s);
    }
    if (strcmp(now, c->st.version) != 0)
        return client_failed(c, wait_s, "the device runs %s: it returned to it, or never left it", now);
    struct client_state was = c->st;
    c->st.outcome = PQOTA_SUCCEEDED;
    c->st.message[0] = '\0';
    memcpy(c->st.running, now, sizeof now);
    /* Only now: a version that does not confirm itself must leave the way back open. */
    c->st.confirmed = 1;
    c->st.confirmed_sequence = c->st.vouched != 0 ? c->st.sequence : 0;
    if (c->st.vouched != 0 && c->st.counter > c->st.confirmed_counter)
        c->st.confirmed_counter = c->st.counter;
    if (client_move(c, PQOTA_REPORTING) != PQOTA_OK) {
        c->st = was;
        return client_retry(c, wait_s);
    }
    client_log(c, PQOTA_LOG_INFO, "version %s runs and is confirmed", now);
    return PQOTA_AGAIN;
}

enum pqota_next client_step_confirming(pqota_client_t *c, uint32_t *wait_s)
{
    char why[PQOTA_TEXT_SIZE] = "";
    uint32_t again_s = 1;
    struct pqota_artifact a = artifact(c);
    switch (c->ops.installer.confirm(c->ops.installer.ctx, &a, &again_s, why)) {
    case PQOTA_CONFIRM_GOOD:
        return conclude(c, wait_s);
    case PQOTA_CONFIRM_WAIT:
        *wait_s = again_s < CLIENT_CONFIRM_WAIT_MAX_S ? again_s : CLIENT_CONFIRM_WAIT_MAX_S;
        return PQOTA_WAIT_CONFIRM;
    case PQOTA_CONFIRM_RETURNED:
        break;
    }
    return client_failed(c, wait_s, "%s", why[0] != '\0' ? why : "the new version was not good");
}
