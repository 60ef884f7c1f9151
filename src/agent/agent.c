#include "agent/agent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/identity.h"
#include "agent/signals.h"
#include "agent/slots.h"
#include "base/log.h"
#include "base/rand.h"

static void take_signals(struct agent *a)
{
    struct signalfd_siginfo info;
    while (read(a->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGUSR1)
            a->wake_now = true;
        else
            a->stop = true;
    }
}

static bool cb_stop(void *ctx)
{
    struct agent *a = ctx;
    take_signals(a);
    return a->stop;
}

static int64_t cb_now(void *ctx)
{
    return clock_floor_now(ctx);
}

static uint32_t cb_random(void *ctx)
{
    (void)ctx;
    return rand_spread(); /* of polls */
}

static int cb_boot_id(void *ctx, char out[PQOTA_BOOT_SIZE])
{
    struct agent *a = ctx;
    struct err e = {0};
    if (slots_boot_id(a->config.boot_id_file, out, &e) == 0)
        return PQOTA_OK;
    log_error("agent", "the boot cannot be told from another", LOG_ERR(&e));
    return PQOTA_E_AGAIN;
}

static void cb_log(void *ctx, enum pqota_log level, const char *text)
{
    static const enum log_level levels[] = {[PQOTA_LOG_DEBUG] = LOG_DEBUG,
                                            [PQOTA_LOG_INFO] = LOG_INFO,
                                            [PQOTA_LOG_WARN] = LOG_WARN,
                                            [PQOTA_LOG_ERROR] = LOG_ERROR};
    (void)ctx;
    log_at(levels[level], "update", text);
}

static int open_link(struct agent *a, struct err *e)
{
    struct link_settings set = identity_link(&a->files, &a->config, &a->floor);
    set.stop = cb_stop;
    set.stop_ctx = a;
    return link_init(&a->link, &set, e);
}

static int open_client(struct agent *a, struct err *e)
{
    struct pqota_ops ops = {
        .transport = {.ctx = &a->link, .request = link_request},
        .storage = files_storage(&a->files),
        .sha256 = files_sha256(&a->sha),
        .installer = installer_callbacks(&a->installer),
        .trust = a->trust.callback,
        .platform = {.ctx = a, .random = cb_random, .boot_id = cb_boot_id, .log = cb_log},
    };
    struct pqota_settings set = {.poll_s = (uint32_t)a->config.poll_seconds,
                                 .wait_if_free = strcmp(a->config.attempt, "wait") == 0};
    a->consent = (struct consent){.files = &a->files, .always = strcmp(a->config.consent, "always") == 0};
    if (strcmp(a->config.consent, "never") != 0) {
        set.consent = consent_ask;
        set.consent_ctx = &a->consent;
    }
    a->memory = aligned_alloc(16, AGENT_MEMORY);
    if (a->memory == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the update client");
    if (pqota_client_init(a->memory, AGENT_MEMORY, &ops, &set, &a->client) != PQOTA_OK)
        return err_set(e, ERR_IO, "the stored state in %s could not be read", a->files.dir);
    return 0;
}

int agent_open(struct agent *a, const struct agent_config *config, struct err *e)
{
    struct pki_cert cert;
    memset(a, 0, sizeof *a);
    a->signals = a->wake.event = -1;
    pthread_mutex_init(&a->wake.lock, NULL);
    a->config = *config;
    int rc = files_open(&a->files, config->state_dir, false, e);
    if (rc == 0)
        rc = identity_read(&a->files, &cert, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND,
                       "this device is not enrolled (%s is not there): run pqota-agent enroll first",
                       a->files.cert);
    if (rc == 0 && config->server[0] == '\0')
        rc = err_set(e, ERR_INVALID, "no server is known: set [agent] server, or run pqota-agent enroll");
    if (rc == 0) /* before the lock, which names us to those who want to wake us */
        rc = signals_open(&a->signals, e);
    if (rc == 0)
        rc = files_lock(&a->files, e);
    if (rc == 0)
        files_may_wake(&a->files);
    if (rc != 0)
        return rc;
    files_sweep(a->files.dir);
    clock_floor_load(&a->floor, a->files.floor, &clock_system);
    rc = installer_init(&a->installer, &a->config, &a->files, cb_now, &a->floor, e);
    if (rc == 0)
        rc = open_link(a, e);
    if (rc == 0)
        rc = agent_trust_open(&a->trust, &a->config, &a->files, cert.common_name, false, &a->link, e);
    if (rc == 0)
        rc = open_client(a, e);
    return rc;
}

void agent_close(struct agent *a)
{
    wake_stop(&a->wake);
    pthread_mutex_destroy(&a->wake.lock);
    agent_trust_close(&a->trust);
    link_fini(&a->link);
    files_sha256_free(&a->sha);
    files_close(&a->files);
    free(a->memory);
    if (a->signals >= 0)
        close(a->signals);
    a->memory = NULL;
    a->signals = -1;
}

static bool active(const struct agent *a, struct pqota_status *st)
{
    pqota_client_status(a->client, st);
    return st->state != PQOTA_IDLE && st->state != PQOTA_READY;
}

/* One step of the update client; what the user was asked by an earlier poll, and by this one no more, is
   taken away. */
static enum pqota_next step(struct agent *a, uint32_t *wait)
{
    struct pqota_status st;
    bool polls = !active(a, &st);
    consent_begin(&a->consent);
    enum pqota_next next = pqota_client_step(a->client, wait);
    consent_end(&a->consent, polls && next != PQOTA_WAIT_RETRY);
    return next;
}

/* Sleeps, unless a signal comes, or a hint over MQTT. A hint asks for a poll, so while an update is under way
   it waits for its end, and shortens none of its pauses; one after a poll that failed it does shorten. */
static void wait_s(struct agent *a, int64_t seconds)
{
    int64_t until = clock_mono_ms(&clock_system) + seconds * 1000;
    struct pqota_status st;
    bool idle = !active(a, &st);
    take_signals(a);
    while (!a->stop && !a->wake_now) {
        int64_t left = until - clock_mono_ms(&clock_system), due = idle ? wake_due(&a->wake) : -1;
        struct pollfd fds[2] = {{.fd = a->signals, .events = POLLIN},
                                {.fd = idle ? a->wake.event : -1, .events = POLLIN}};
        if (due >= 0 && due < left)
            left = due;
        if (left <= 0)
            break;
        if (poll(fds, 2, left > 3600000 ? 3600000 : (int)left) < 0 && errno != EINTR)
            break;
        take_signals(a);
    }
    a->wake_now = false;
}

/* Seconds until the certificate wants to be looked at again. */
static int64_t tend_certificate(struct agent *a)
{
    int64_t now = clock_mono_ms(&clock_system), next;
    bool changed;
    if (now < a->tick_at) {
        wake_trust(&a->wake, a->link.set.ca_file, a->floor.floor, false);
        return (a->tick_at - now) / 1000 + 1;
    }
    identity_tick(&a->files, &a->link, clock_floor_now(&a->floor), &next, &changed);
    if (changed) {
        struct err e = {0};
        a->link.set.ca_file = identity_roots(&a->files, &a->config);
        if (link_renew(&a->link, &e) != 0)
            log_error("agent", "no connection can be made", LOG_ERR(&e));
    }
    wake_trust(&a->wake, a->link.set.ca_file, a->floor.floor, changed);
    a->tick_at = clock_mono_ms(&clock_system) + next * 1000;
    return next;
}

/* What an earlier update left, when the client does not know of it any more. Seconds to wait, 0 when it is
   right. */
static uint32_t put_right(struct agent *a)
{
    struct pqota_status st;
    uint32_t again = 0;
    if (a->installer.kind->recover != NULL && !active(a, &st))
        a->installer.kind->recover(&a->installer, &again);
    return again;
}

/* Without it the agent polls as ever. */
static void open_wake(struct agent *a)
{
    struct pki_cert cert;
    struct err e = {0};
    wake_trust(&a->wake, a->link.set.ca_file, a->floor.floor, false);
    int rc = identity_read(&a->files, &cert, &e);
    if (rc == 0)
        rc = wake_start(&a->wake, &a->config, &a->files, cert.common_name, &e);
    if (rc != 0)
        log_error("wake", "no broker can be listened to; polling goes on", LOG_ERR(&e));
}

enum agent_exit agent_run(struct agent *a)
{
    log_info("agent", "started", LOG_STR("server", a->config.server), LOG_STR("installer", a->config.type));
    open_wake(a);
    agent_notify("READY=1");
    for (take_signals(a); !a->stop; take_signals(a)) {
        uint32_t wait = put_right(a);
        if (wait > 0) {
            wait_s(a, wait);
            continue;
        }
        int64_t certificate = tend_certificate(a);
        if (a->stop)
            break;
        if (step(a, &wait) == PQOTA_AGAIN)
            continue;
        wait_s(a, wait < certificate ? wait : certificate);
    }
    agent_notify("STOPPING=1");
    log_info("agent", "stopped");
    return AGENT_OK;
}

enum agent_exit agent_once(struct agent *a)
{
    struct pqota_status st;
    uint32_t wait;
    bool began = active(a, &st);
    while ((wait = put_right(a)) > 0 && !a->stop)
        wait_s(a, wait);
    tend_certificate(a);
    while (!a->stop) {
        enum pqota_next next = step(a, &wait);
        bool now = active(a, &st);
        if (began && !now && next == PQOTA_AGAIN) /* the update is over and reported */
            return st.outcome == PQOTA_FAILED ? AGENT_UPDATE_FAILED : AGENT_OK;
        began = began || now;
        switch (next) {
        case PQOTA_AGAIN:
            break;
        case PQOTA_WAIT_POLL:
            return AGENT_OK;
        case PQOTA_WAIT_RETRY:
            return AGENT_LATER;
        case PQOTA_WAIT_REBOOT:
            return AGENT_REBOOT;
        case PQOTA_WAIT_CONFIRM:
            wait_s(a, wait);
        }
    }
    return AGENT_LATER;
}
