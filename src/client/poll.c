/* The states idle and ready: a poll, what is offered, and whether the user agrees. */
#include <stdio.h>
#include <string.h>

#include "client/client.h"

struct body {
    char *p;
    size_t n, size;
    bool too_large;
};

static int take_body(void *ctx, const void *data, size_t n)
{
    struct body *b = ctx;
    if (n > b->size - b->n) {
        b->too_large = true;
        return -1;
    }
    memcpy(b->p + b->n, data, n);
    b->n += n;
    return 0;
}

static void poll_path(const pqota_client_t *c, char out[CLIENT_PATH_SIZE + 3 * PQOTA_NAME_SIZE])
{
    char version[PQOTA_NAME_SIZE];
    const size_t size = CLIENT_PATH_SIZE + 3 * PQOTA_NAME_SIZE;
    size_t at = (size_t)snprintf(out, size, "/api/update");
    if (c->ops.installer.running_version(c->ops.installer.ctx, version) == PQOTA_OK &&
        client_is_name(version)) {
        at += (size_t)snprintf(out + at, size - at, "?version=");
        if (!client_percent_encode(out, size, &at, version))
            at = (size_t)snprintf(out, size, "/api/update");
    }
    /* A server does not offer what is only to be downloaded to one that would install it. */
    at += (size_t)snprintf(out + at, size - at, "%shold=yes", strchr(out, '?') != NULL ? "&" : "?");
    if (c->set.consent != NULL)
        snprintf(out + at, size - at, "&consent=yes");
}

static enum pqota_next wait_poll(pqota_client_t *c, uint32_t asked_s, uint32_t *wait_s)
{
    uint32_t s = asked_s != 0 ? asked_s : c->set.poll_s;
    s = s < CLIENT_POLL_MIN_S ? CLIENT_POLL_MIN_S : s > CLIENT_POLL_MAX_S ? CLIENT_POLL_MAX_S : s;
    *wait_s = client_jitter(c, s - s / 10, s + s / 10);
    c->failures = 0;
    return PQOTA_WAIT_POLL;
}

/* --- consent ------------------------------------------------------------------------------------------- */

/* The server is told of a denial once; it is stored, so that a program that is started for each poll tells it
   once too. */
static enum pqota_next denied(pqota_client_t *c, uint32_t action, uint32_t asked_s, uint32_t *wait_s)
{
    uint32_t was = c->st.denied;
    if (was == action)
        return wait_poll(c, asked_s, wait_s);
    switch (client_tell_consent(c, action, false)) {
    case ACK_LATER:
        return client_retry(c, wait_s);
    case ACK_DONE:
    case ACK_GONE:
    case ACK_REFUSED:
        break;
    }
    c->st.denied = action;
    if (client_store(c) != PQOTA_OK) {
        c->st.denied = was;
        return client_retry(c, wait_s);
    }
    return wait_poll(c, asked_s, wait_s);
}

static enum pqota_next ask_consent(pqota_client_t *c, const struct client_state *offered, uint32_t asked_s,
                                   uint32_t *wait_s)
{
    const struct pqota_question q = {
        .action = offered->action, .name = offered->name, .version = offered->version};
    enum pqota_consent answer =
        c->set.consent != NULL ? c->set.consent(c->set.consent_ctx, &q) : PQOTA_CONSENT_NONE;
    if (answer == PQOTA_CONSENT_DENIED)
        return denied(c, q.action, asked_s, wait_s);
    if (answer != PQOTA_CONSENT_GIVEN)
        return wait_poll(c, asked_s, wait_s);
    switch (client_tell_consent(c, q.action, true)) {
    case ACK_DONE:
    case ACK_GONE: /* an answer that was lost may have told it already: the next poll says */
        client_log(c, PQOTA_LOG_INFO, "the user agreed to %s %s", q.name, q.version);
        if (c->agreed == q.action) /* and the server still asks: not in a circle */
            return client_retry(c, wait_s);
        c->agreed = q.action;
        return PQOTA_AGAIN;
    case ACK_LATER:
    case ACK_REFUSED:
        break;
    }
    return client_retry(c, wait_s);
}

/* --- offers -------------------------------------------------------------------------------------------- */

/* What was downloaded is what is offered. */
static bool is_there(pqota_client_t *c, const struct client_state *offered)
{
    char runs[PQOTA_NAME_SIZE];
    const struct client_state *st = &c->st;
    return st->state == PQOTA_READY && strcmp(st->sha256, offered->sha256) == 0 &&
           st->size == offered->size && strcmp(st->name, offered->name) == 0 &&
           strcmp(st->version, offered->version) == 0 &&
           (c->ops.installer.running_version(c->ops.installer.ctx, runs) != PQOTA_OK ||
            strcmp(runs, st->version) != 0);
}

/* It waits on, or is checked once more and then installed, or reported for another action than before. */
static enum pqota_next take_ready(pqota_client_t *c, const struct client_state *offered, uint32_t asked_s,
                                  uint32_t *wait_s)
{
    struct client_state was = c->st;
    if (offered->hold != 0 && offered->action == c->st.action)
        return wait_poll(c, asked_s, wait_s);
    if (offered->action != c->st.action) {
        c->st.acked = PQOTA_IDLE;
        c->st.downloads = 1;
        c->st.installs = 0;
        c->st.stale = c->st.later = 0;
    }
    c->st.action = offered->action;
    c->st.hold = offered->hold;
    memcpy(c->st.path, offered->path, sizeof c->st.path);
    if (client_move(c, PQOTA_VERIFYING) != PQOTA_OK) {
        c->st = was;
        return client_retry(c, wait_s);
    }
    client_log(c, PQOTA_LOG_INFO, "offered: %s %s, which is downloaded already", c->st.name, c->st.version);
    return PQOTA_AGAIN;
}

static enum pqota_next take_offer(pqota_client_t *c, struct body *body, uint32_t asked_s, uint32_t *wait_s)
{
    const struct client_offer_limits limits = {c->set.artifact_most, c->set.wait_if_free};
    struct client_state offered, was = c->st;
    char why[PQOTA_TEXT_SIZE];
    void *pool = c->work + body->size + 16;
    size_t pool_size = c->work_size - body->size - 16;
    enum client_offer found = client_offer_read(body->p, body->n, pool, pool_size, &limits, &offered, why);
    if (found == OFFER_BROKEN) {
        client_log(c, PQOTA_LOG_ERROR, "the server's offer of %s bytes is not understood",
                   client_number(body->n).text);
        return client_retry(c, wait_s);
    }
    if (found == OFFER_WAITING)
        return ask_consent(c, &offered, asked_s, wait_s);
    if (found == OFFER_GOOD && is_there(c, &offered))
        return take_ready(c, &offered, asked_s, wait_s);
    offered.state = was.state;
    offered.denied = was.denied;
    offered.confirmed = was.confirmed;
    offered.confirmed_sequence = was.confirmed_sequence;
    offered.confirmed_counter = was.confirmed_counter;
    if (offered.action == was.action && was.outcome == PQOTA_OUTCOME_NONE) { /* it was not vouched for yet */
        offered.stale = was.stale;
        offered.later = was.later;
    }
    c->st = offered;
    if (found == OFFER_UNUSABLE) {
        enum pqota_next next = client_failed(c, wait_s, "%s", why);
        if (next != PQOTA_AGAIN)
            c->st = was;
        return next;
    }
    if (client_move(c, PQOTA_OFFERED) != PQOTA_OK) {
        c->st = was;
        return client_retry(c, wait_s);
    }
    client_log(c, PQOTA_LOG_INFO, "offered: %s %s", c->st.name, c->st.version);
    return PQOTA_AGAIN;
}

enum pqota_next client_step_idle(pqota_client_t *c, uint32_t *wait_s)
{
    char path[CLIENT_PATH_SIZE + 3 * PQOTA_NAME_SIZE];
    struct pqota_response response = {.content_length = PQOTA_LENGTH_UNKNOWN};
    /* A fifth of the memory for the text, the rest for what yyjson makes of it. */
    struct body body = {.p = (char *)c->work, .size = (c->work_size / 5) & ~(size_t)15};
    if (c->leftover && c->st.state == PQOTA_IDLE)
        client_discard(c);
    poll_path(c, path);
    struct pqota_request request = {.method = "GET", .path = path};
    int rc = c->ops.transport.request(c->ops.transport.ctx, &request, &response, take_body, &body);
    if (body.too_large)
        client_log(c, PQOTA_LOG_ERROR, "the server's answer to a poll is larger than %s bytes",
                   client_number(body.size).text);
    if (rc == PQOTA_OK && !body.too_large) {
        if (response.status == 204)
            return wait_poll(c, response.poll_interval_s, wait_s);
        if (response.status == 200)
            return take_offer(c, &body, response.poll_interval_s, wait_s);
        client_log(c, PQOTA_LOG_ERROR, "the server answered a poll with %d", response.status);
        c->retry_after_s =
            response.retry_after_s < CLIENT_POLL_MAX_S ? response.retry_after_s : CLIENT_POLL_MAX_S;
    }
    return client_retry(c, wait_s);
}
