/* The agent put together: settings, files, identity, link, installer and the client library. */
#ifndef PQOTA_AGENT_AGENT_H
#define PQOTA_AGENT_AGENT_H

#include "agent/clock_floor.h"
#include "agent/config.h"
#include "agent/consent.h"
#include "agent/files.h"
#include "agent/installer.h"
#include "agent/link.h"
#include "agent/trust.h"
#include "agent/wake.h"

#define AGENT_MEMORY (256 * 1024) /* of the client library: enough for an offer of about 50 KiB */

/* Exit codes of the program. */
enum agent_exit {
    AGENT_OK = 0,
    AGENT_ERROR = 1,
    AGENT_USAGE = 2,
    AGENT_UPDATE_FAILED = 3, /* once: the update failed; the old version runs */
    AGENT_LATER = 4,         /* once: the server could not be reached, or something failed for now */
    AGENT_REBOOT = 5,        /* once: the update goes on after a reboot */
};

struct agent {
    struct agent_config config;
    struct files files;
    struct clock_floor floor;
    struct link link;
    struct installer installer;
    struct agent_trust trust;
    struct wake wake;
    struct consent consent;
    void *sha; /* files_sha256's */
    void *memory;
    pqota_client_t *client;
    int signals;     /* signalfd */
    bool stop;       /* SIGTERM or SIGINT came */
    bool wake_now;   /* SIGUSR1 came: poll now */
    int64_t tick_at; /* monotonic ms of the next look at the certificate */
};

/* Opens everything; needs an enrolled device. */
int agent_open(struct agent *a, const struct agent_config *config, struct err *e) MUST_CHECK;
void agent_close(struct agent *a);
enum agent_exit agent_run(struct agent *a);
enum agent_exit agent_once(struct agent *a);

/* Tells systemd, if it started us (sd_notify(3)). */
void agent_notify(const char *state);

/* `pqota-agent status` */
int agent_print_status(const struct agent_config *config, struct err *e) MUST_CHECK;
/* `pqota-agent confirm` */
int agent_confirm(const struct agent_config *config, struct err *e) MUST_CHECK;

#endif
