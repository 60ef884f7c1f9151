/*
 * RAUC: `rauc install FILE` asks the rauc service to write the bundle to the other slot; a reboot starts
 * it, and `rauc status mark-good` keeps it.
 *
 * The service opens the bundle by its path, in a process of its own, so it cannot be given our descriptor;
 * and it takes a lease on the file, which it gets only when nobody else has it open (F_SETLEASE), so ours is
 * closed first. The path is the artifact in the state folder, which only we may enter (mode 0700) or write
 * (0600): the file that was checked is the file behind that name. RAUC checks the bundle's signature besides.
 */
#include <poll.h>
#include <string.h>

#include "agent/files.h"
#include "agent/installer.h"
#include "base/log.h"

#define RAUC "/usr/bin/rauc"
#define BUSY "lready processing a different method" /* what it says while the service installs something */
#define BUSY_WAIT_MS 2000

static int check(const struct agent_config *c, struct err *e)
{
    return installer_version_check(c, e);
}

static enum pqota_install install(struct installer *in, const struct pqota_artifact *a,
                                  char why[PQOTA_TEXT_SIZE])
{
    const char *command = in->config->command[0] != '\0' ? in->config->command : RAUC " install";
    int64_t end = clock_mono_ms(&clock_system) + in->config->timeout_seconds * 1000;
    struct installer_run run = {.what = "rauc",
                                .command = command,
                                .artifact = a,
                                .last = files_artifact_path(in->files),
                                .timeout_s = in->config->timeout_seconds};
    files_artifact_close(in->files);
    /* An agent that was killed leaves the service at work: it is waited for, and what it did is done over. */
    while (!installer_run(in, &run, why)) {
        int64_t left = end - clock_mono_ms(&clock_system);
        if (strstr(why, BUSY) == NULL || left <= BUSY_WAIT_MS)
            return PQOTA_INSTALL_FAILED;
        log_info("rauc", "the rauc service is at work already; waiting for it");
        poll(NULL, 0, BUSY_WAIT_MS);
        run.timeout_s = left / 1000 + 1;
    }
    return PQOTA_INSTALL_REBOOT;
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
