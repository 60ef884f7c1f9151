/*
 * SWUpdate: `swupdate -i FILE`, with what else it needs (-H board:revision, -k certificate, ...) from the
 * command setting. It runs as our child, so FILE is the descriptor that was checked.
 */
#include "agent/installer.h"

#define SWUPDATE "/usr/bin/swupdate -i"

static int check(const struct agent_config *c, struct err *e)
{
    return installer_version_check(c, e);
}

static enum pqota_install install(struct installer *in, const struct pqota_artifact *a,
                                  char why[PQOTA_TEXT_SIZE])
{
    const char *command = in->config->command[0] != '\0' ? in->config->command : SWUPDATE;
    struct installer_run run = {.what = "swupdate",
                                .command = command,
                                .artifact = a,
                                .last = PROCESS_FILE,
                                .file = true,
                                .timeout_s = in->config->timeout_seconds};
    return installer_run(in, &run, why) ? PQOTA_INSTALL_REBOOT : PQOTA_INSTALL_FAILED;
}

static enum pqota_confirm confirm(struct installer *in, const struct pqota_artifact *a, uint32_t *wait_s,
                                  char why[PQOTA_TEXT_SIZE])
{
    return installer_confirm(in, a, in->config->good_command, in->config->bad_command, wait_s, why);
}

const struct installer_kind installer_swupdate = {.name = "swupdate",
                                                  .check = check,
                                                  .running_version = installer_version,
                                                  .install = install,
                                                  .confirm = confirm};
