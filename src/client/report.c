/* Reports to the server (POST /api/update/{action}/status), and the state that repeats the last one until
   it arrived. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"

static int ignore_body(void *ctx, const void *data, size_t n)
{
    size_t *seen = ctx;
    (void)data;
    *seen += n;
    return *seen > CLIENT_REPLY_MAX ? -1 : 0;
}

static bool add_text(char *out, size_t *at, const char *key, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return true;
    int w = snprintf(out + *at, CLIENT_REPORT_SIZE - *at, ",\"%s\":\"", key);
    if (w < 0 || (size_t)w >= CLIENT_REPORT_SIZE - *at)
        return false;
    *at += (size_t)w;
    if (!client_json_escape(out, CLIENT_REPORT_SIZE, at, value) || *at + 1 >= CLIENT_REPORT_SIZE)
        return false;
    out[(*at)++] = '"';
    return true;
}

static size_t write_report(char out[CLIENT_REPORT_SIZE], const char *state, int progress, const char *message,
                           const char *version)
{
    size_t at = (size_t)snprintf(out, CLIENT_REPORT_SIZE, "{\"state\":\"%s\"", state);
    if (progress >= 0)
        at += (size_t)snprintf(out + at, CLIENT_REPORT_SIZE - at, ",\"progress\":%d", progress);
    if (!add_text(out, &at, "message", message) || !add_text(out, &at, "version", version) ||
        at + 1 >= CLIENT_REPORT_SIZE)
        return 0;
    out[at++] = '}';
    return at;
}

static enum client_ack judge(pqota_client_t *c, const struct pqota_response *response, const char *state)
{
    switch (response->status) {
    case 200:
    case 204:
        return ACK_DONE;
    case 404:
    case 410:
        return ACK_GONE;
    case 400:
    case 409:
    case 413:
    case 415:
    case 422:
        client_log(c, PQOTA_LOG_ERROR, "the server refused the report \"%s\" with %d", state,
                   response->status);
        return ACK_REFUSED;
    default:
        client_log(c, PQOTA_LOG_WARN, "the server answered the report \"%s\" with %d", state,
                   response->status);
        c->retry_after_s =
            response->retry_after_s < CLIENT_POLL_MAX_S ? response->retry_after_s : CLIENT_POLL_MAX_S;
        return ACK_LATER;
    }
}

/* POST /api/update/{action}/<where> */
static enum client_ack send(pqota_client_t *c, uint32_t action, const char *where, const char *word,
                            const char *text, size_t n)
{
    char path[64];
    size_t seen = 0;
    snprintf(path, sizeof path, "/api/update/%" PRIu32 "/%s", action, where);
    struct pqota_request request = {.method = "POST", .path = path, .body = text, .body_size = n};
    struct pqota_response response = {.content_length = PQOTA_LENGTH_UNKNOWN};
    int rc = c->ops.transport.request(c->ops.transport.ctx, &request, &response, ignore_body, &seen);
    /* The status is known even if the text of a refusal was longer than is worth reading. */
    if (rc != PQOTA_OK && seen <= CLIENT_REPLY_MAX)
        return ACK_LATER;
    return judge(c, &response, word);
}

enum client_ack client_report(pqota_client_t *c, const char *state, int progress, const char *message,
                              const char *version)
{
    char text[CLIENT_REPORT_SIZE];
    size_t n = write_report(text, state, progress, message, version);
    return n != 0 ? send(c, c->st.action, "status", state, text, n) : ACK_REFUSED;
}

enum client_ack client_tell_consent(pqota_client_t *c, uint32_t action, bool given)
{
    const char *text = given ? "{\"answer\":\"confirmed\"}" : "{\"answer\":\"denied\"}";
    return send(c, action, "consent", given ? "confirmed" : "denied", text, strlen(text));
}

static enum pqota_next finish(pqota_client_t *c, uint32_t *wait_s)
{
    if (client_move(c, PQOTA_IDLE) != PQOTA_OK)
        return client_retry(c, wait_s);
    c->plain_report = false;
    /* Only now: until it is stored that the update is over, a restart may still want the artifact. */
    client_discard(c);
    return PQOTA_AGAIN;
}

enum pqota_next client_step_reporting(pqota_client_t *c, uint32_t *wait_s)
{
    bool good = c->st.outcome == PQOTA_SUCCEEDED;
    const char *word = good ? "succeeded" : "failed";
    switch (client_report(c, word, good ? 100 : -1, c->plain_report ? NULL : c->st.message, c->st.running)) {
    case ACK_DONE:
        client_log(c, PQOTA_LOG_INFO, "reported: %s", word);
        return finish(c, wait_s);
    case ACK_GONE:
        client_log(c, PQOTA_LOG_WARN, "the server had closed the action before it heard \"%s\"", word);
        return finish(c, wait_s);
    case ACK_REFUSED:
        /* Repeating what is refused would keep the device from every later update: once more without what
           could displease, then it is over. */
        if (!c->plain_report) {
            c->plain_report = true;
            return client_retry(c, wait_s);
        }
        client_log(c, PQOTA_LOG_ERROR, "the report \"%s\" was given up: the server refuses it", word);
        return finish(c, wait_s);
    case ACK_LATER:
        break;
    }
    return client_retry(c, wait_s);
}
