#include "client/client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MOVE(s) (1u << (s))

/* The whole machine: what a state does, and where it may go. */
static const struct {
    const char *name;
    enum pqota_next (*step)(pqota_client_t *c, uint32_t *wait_s);
    unsigned next;
} states[] = {
    [PQOTA_IDLE] = {"idle", client_step_idle, MOVE(PQOTA_OFFERED) | MOVE(PQOTA_REPORTING)},
    [PQOTA_OFFERED] = {"offered", client_step_offered,
                       MOVE(PQOTA_DOWNLOADING) | MOVE(PQOTA_CONFIRMING) | MOVE(PQOTA_REPORTING) |
                           MOVE(PQOTA_IDLE)},
    [PQOTA_DOWNLOADING] = {"downloading", client_step_downloading,
                           MOVE(PQOTA_VERIFYING) | MOVE(PQOTA_REPORTING) | MOVE(PQOTA_IDLE) |
                               MOVE(PQOTA_OFFERED)},
    [PQOTA_VERIFYING] = {"verifying", client_step_verifying,
                         MOVE(PQOTA_READY) | MOVE(PQOTA_INSTALLING) | MOVE(PQOTA_DOWNLOADING) |
                             MOVE(PQOTA_REPORTING) | MOVE(PQOTA_IDLE) | MOVE(PQOTA_OFFERED)},
    [PQOTA_INSTALLING] = {"installing", client_step_installing,
                          MOVE(PQOTA_VERIFYING) | MOVE(PQOTA_REBOOTING) | MOVE(PQOTA_CONFIRMING) |
                              MOVE(PQOTA_REPORTING) | MOVE(PQOTA_OFFERED)},
    [PQOTA_REBOOTING] = {"rebooting", client_step_rebooting, MOVE(PQOTA_CONFIRMING)},
    [PQOTA_CONFIRMING] = {"confirming", client_step_confirming, MOVE(PQOTA_REPORTING)},
    [PQOTA_REPORTING] = {"reporting", client_step_reporting, MOVE(PQOTA_IDLE)},
    [PQOTA_READY] = {"downloaded", client_step_idle,
                     MOVE(PQOTA_VERIFYING) | MOVE(PQOTA_OFFERED) | MOVE(PQOTA_REPORTING)},
};
#define STATES (sizeof states / sizeof *states)

const char *pqota_state_name(enum pqota_state state)
{
    return (size_t)state < STATES ? states[state].name : "unknown";
}

void client_log(const pqota_client_t *c, enum pqota_log level, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    c->ops.platform.log(c->ops.platform.ctx, level, text);
}

int client_store(pqota_client_t *c)
{
    char text[PQOTA_STATE_SIZE];
    memcpy(c->st.boot, c->boot, sizeof c->boot);
    size_t n = client_state_write(&c->st, &c->ops.sha256, text);
    if (n == 0 || c->ops.storage.save(c->ops.storage.ctx, text, n) != PQOTA_OK) {
        client_log(c, PQOTA_LOG_ERROR, "the state could not be stored; nothing is done before it can");
        return PQOTA_E_AGAIN;
    }
    return PQOTA_OK;
}

int client_move(pqota_client_t *c, enum pqota_state next)
{
    enum pqota_state was = c->st.state;
    assert((states[was].next & MOVE(next)) != 0);
    c->st.state = next;
    if (client_store(c) != PQOTA_OK) {
        c->st.state = was;
        return PQOTA_E_AGAIN;
    }
    client_log(c, PQOTA_LOG_DEBUG, "%s, now %s", states[was].name, states[next].name);
    c->failures = 0;
    c->tries = 0;
    return PQOTA_OK;
}

uint32_t client_jitter(pqota_client_t *c, uint32_t low, uint32_t high)
{
    uint64_t span = (uint64_t)high - low + 1;
    return low + (uint32_t)(c->ops.platform.random(c->ops.platform.ctx) % span);
}

/* Doubles from backoff_first_s up to backoff_most_s; the upper half of it is random, so that devices that
   failed together do not come back together. */
enum pqota_next client_retry(pqota_client_t *c, uint32_t *wait_s)
{
    uint64_t wait = c->set.backoff_first_s;
    for (uint32_t i = 0; i < c->failures && wait < c->set.backoff_most_s; i++)
        wait *= 2;
    if (wait > c->set.backoff_most_s)
        wait = c->set.backoff_most_s;
    if (c->failures < UINT32_MAX)
        c->failures++;
    *wait_s = client_jitter(c, (uint32_t)((wait + 1) / 2), (uint32_t)wait);
    if (c->retry_after_s > *wait_s)
        *wait_s = client_jitter(c, c->retry_after_s, c->retry_after_s + c->retry_after_s / 10);
    c->retry_after_s = 0;
    return PQOTA_WAIT_RETRY;
}

enum pqota_next client_failed(pqota_client_t *c, uint32_t *wait_s, const char *fmt, ...)
{
    char text[PQOTA_TEXT_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct client_state was = c->st;
    c->st.outcome = PQOTA_FAILED;
    client_text(c->st.message, sizeof c->st.message, text);
    if (c->ops.installer.running_version(c->ops.installer.ctx, c->st.running) != PQOTA_OK ||
        !client_is_name(c->st.running))
        c->st.running[0] = '\0';
    if (client_move(c, PQOTA_REPORTING) != PQOTA_OK) {
        c->st = was;
        return client_retry(c, wait_s);
    }
    client_log(c, PQOTA_LOG_ERROR, "the update to %s %s failed: %s", c->st.name, c->st.version,
               c->st.message);
    return PQOTA_AGAIN;
}

enum pqota_next client_drop(pqota_client_t *c, uint32_t *wait_s, const char *why)
{
    struct client_state was = c->st;
    c->st.outcome = PQOTA_FAILED;
    client_text(c->st.message, sizeof c->st.message, why);
    if (client_move(c, PQOTA_IDLE) != PQOTA_OK) {
        c->st = was;
        return client_retry(c, wait_s);
    }
    client_log(c, PQOTA_LOG_WARN, "the update to %s %s ends here: %s", c->st.name, c->st.version, why);
    client_discard(c);
    return PQOTA_AGAIN;
}

void client_discard(pqota_client_t *c)
{
    c->leftover = c->ops.storage.discard(c->ops.storage.ctx) != PQOTA_OK;
    if (c->leftover)
        client_log(c, PQOTA_LOG_WARN,
                   "the artifact could not be removed; it is tried again with the next poll");
}

static bool complete(const struct pqota_ops *o)
{
    const struct pqota_storage *s = &o->storage;
    const struct pqota_installer *i = &o->installer;
    return o->transport.request != NULL && s->load != NULL && s->save != NULL && s->prepare != NULL &&
           s->size != NULL && s->write != NULL && s->read != NULL && s->truncate != NULL && s->sync != NULL &&
           s->discard != NULL && o->sha256.begin != NULL && o->sha256.update != NULL &&
           o->sha256.finish != NULL && i->running_version != NULL && i->install != NULL &&
           i->reboot != NULL && i->confirm != NULL && o->trust.vouch != NULL && o->platform.random != NULL &&
           o->platform.boot_id != NULL && o->platform.log != NULL;
}

static void defaults(struct pqota_settings *s)
{
    if (s->poll_s == 0)
        s->poll_s = 300;
    if (s->backoff_first_s == 0)
        s->backoff_first_s = 5;
    if (s->backoff_most_s == 0)
        s->backoff_most_s = 3600;
    if (s->backoff_most_s > CLIENT_POLL_MAX_S)
        s->backoff_most_s = CLIENT_POLL_MAX_S;
    if (s->segment_bytes == 0)
        s->segment_bytes = 16u << 20;
    if (s->checkpoint_bytes == 0)
        s->checkpoint_bytes = 1u << 20;
    if (s->artifact_most == 0)
        s->artifact_most = (uint64_t)64 << 30;
}

static int load_state(pqota_client_t *c)
{
    char text[PQOTA_STATE_SIZE];
    size_t n = 0;
    if (c->ops.storage.load(c->ops.storage.ctx, text, sizeof text, &n) != PQOTA_OK)
        return PQOTA_E_AGAIN;
    /* Damaged: the server still has the action open and offers it again. */
    if (n > 0 && (n > sizeof text || client_state_read(text, n, &c->ops.sha256, &c->st) != PQOTA_OK))
        client_log(c, PQOTA_LOG_ERROR, "the stored state is damaged; starting anew");
    if (c->st.state == PQOTA_IDLE)
        client_discard(c);
    return PQOTA_OK;
}

int pqota_client_init(void *memory, size_t size, const struct pqota_ops *ops,
                      const struct pqota_settings *settings, pqota_client_t **client)
{
    if (memory == NULL || size < PQOTA_MEMORY_MIN || ((uintptr_t)memory & 15) != 0 || ops == NULL ||
        !complete(ops))
        return PQOTA_E_INVALID;
    pqota_client_t *c = memory;
    size_t own = (sizeof *c + 15) & ~(size_t)15;
    memset(c, 0, sizeof *c);
    c->ops = *ops;
    if (settings != NULL)
        c->set = *settings;
    defaults(&c->set);
    c->work = (unsigned char *)memory + own;
    c->work_size = size - own;
    if (c->ops.platform.boot_id(c->ops.platform.ctx, c->boot) != PQOTA_OK || !client_is_name(c->boot))
        return PQOTA_E_AGAIN;
    int rc = load_state(c);
    if (rc != PQOTA_OK)
        return rc;
    *client = c;
    return PQOTA_OK;
}

enum pqota_next pqota_client_step(pqota_client_t *c, uint32_t *wait_s)
{
    *wait_s = 0;
    return states[c->st.state].step(c, wait_s);
}

static void show(const struct client_state *st, struct pqota_status *out)
{
    memset(out, 0, sizeof *out);
    out->state = st->state;
    out->outcome = st->outcome;
    out->action = st->action;
    memcpy(out->name, st->name, sizeof out->name);
    memcpy(out->version, st->version, sizeof out->version);
    memcpy(out->message, st->message, sizeof out->message);
    out->size = st->size;
    out->have = st->have;
    out->standing = client_standing(st);
}

void pqota_client_status(const pqota_client_t *c, struct pqota_status *out)
{
    show(&c->st, out);
}

int pqota_client_read_state(const void *stored, size_t n, const struct pqota_sha256 *sha256,
                            struct pqota_status *out)
{
    struct client_state st;
    if (client_state_read(stored, n, sha256, &st) != PQOTA_OK)
        return PQOTA_E_INVALID;
    show(&st, out);
    return PQOTA_OK;
}
