/* Any program: exit code 0 is done, reboot_code is done after a reboot, anything else is failed. */
#include <stdio.h>

#include "agent/installer.h"

static int check(const struct agent_config *c, struct err *e)
{
    if (c->command[0] == '\0')
        return err_set(e, ERR_INVALID, "[installer] type = command needs command = /path/of/a/program");
    return installer_version_check(c, e);
}

static enum pqota_install install(struct installer *in, const struct pqota_artifact *a,
                                  char why[PQOTA_TEXT_SIZE])
{
    struct installer_run run = {.what = "the installer",
                                .command = in->config->command,
                                .artifact = a,
                                .file = true,
                                .timeout_s = in->config->timeout_seconds};
    if (installer_run(in, &run, why))
        return PQOTA_INSTALL_DONE;
    return run.code == in->config->reboot_code ? PQOTA_INSTALL_REBOOT : PQOTA_INSTALL_FAILED;
}

static enum pqota_confirm confirm(struct installer *in, const struct pqota_artifact *a, uint32_t *wait_s,
                                  char why[PQOTA_TEXT_SIZE])
{
    return installer_confirm(in, a, in->config->good_command, in->config->bad_command, wait_s, why);
}

const struct installer_kind installer_command = {.name = "command",
                                                 .check = check,
                                                 .running_version = installer_version,
                                                 .install = install,
                                                 .confirm = confirm};
