/*
 * RAUC: `rauc install FILE` asks the rauc service to write the bundle to the other slot; a reboot starts
 * it, and `rauc status mark-good` keeps it.
 *
 * The service opens the bundle by its path, in a process of its own, so it cannot be given our descriptor.
 * The path is the artifact in the state folder, which only we may enter (mode 0700) or write (0600), and
 * which we hold open: the file that was checked is the file behind that name. RAUC checks the bundle's
 * signature besides.
 */
#include "agent/files.h"
#include "agent/installer.h"

#define RAUC "/usr/bin/rauc"

static int check(const struct agent_config *c, struct err *e)
{
    return installer_version_check(c, e);
}

static enum pqota_install install(struct installer *in, const struct pqota_artifact *a,
                                  char why[PQOTA_TEXT_SIZE])
{
    const char *command = in->config->command[0] != '\0' ? in->config->command : RAUC " install";
    struct installer_run run = {.what = "rauc",
                                .command = command,
                                .artifact = a,
                                .last = files_artifact_path(in->files),
                                .timeout_s = in->config->timeout_seconds};
    return installer_run(in, &run, why) ? PQOTA_INSTALL_REBOOT : PQOTA_INSTALL_FAILED;
}

static enum pqota_confirm confirm(struct installer *in, const struct pqota_artifact *a, uint32_t *wait_s,
                                  char why[PQOTA_TEXT_SIZE])
{
    const struct agent_config *c = in->config;
    return installer_confirm(in, a, c->good_command[0] != '\0' ? c->good_command : RAUC " status mark-good",
                             c->bad_command[0] != '\0' ? c->bad_command : RAUC " status mark-bad", wait_s,
                             why);
}

const struct installer_kind installer_rauc = {.name = "rauc",
                                              .check = check,
                                              .running_version = installer_version,
                                              .install = install,
                                              .confirm = confirm};
