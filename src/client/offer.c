/* The idle state: a poll, and what an offer must look like (GET /api/update). */
#include <stdio.h>
#include <string.h>
#include <yyjson.h>

#include "client/client.h"

#define OFFER_MEMBERS_MAX 64 /* of one object that is read */
#define PADDING 4            /* bytes that yyjson's in-place reader needs after the text */

/* A name that is there twice could be read in two ways: refused. */
static bool unique_members(yyjson_val *obj)
{
    if (!yyjson_is_obj(obj) || yyjson_obj_size(obj) > OFFER_MEMBERS_MAX)
        return false;
    yyjson_obj_iter outer = yyjson_obj_iter_with(obj);
    yyjson_val *a;
    while ((a = yyjson_obj_iter_next(&outer)) != NULL) {
        yyjson_obj_iter inner = outer;
        yyjson_val *b;
        while ((b = yyjson_obj_iter_next(&inner)) != NULL)
            if (yyjson_equals_strn(a, yyjson_get_str(b), yyjson_get_len(b)))
                return false;
    }
    return true;
}

static bool take_name(yyjson_val *obj, const char *key, char out[PQOTA_NAME_SIZE])
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    struct str s = {.p = yyjson_get_str(v), .n = yyjson_get_len(v)};
    if (!yyjson_is_str(v) || !str_is_name(s))
        return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

/* The path of "https://host/path" or "/path". The host in it does not matter: the request goes to the one
   server that is known and trusted, under whatever name it is reached from here. */
static bool take_path(yyjson_val *obj, char out[CLIENT_PATH_SIZE])
{
    yyjson_val *v = yyjson_obj_get(obj, "url");
    struct str s = {.p = yyjson_get_str(v), .n = yyjson_get_len(v)};
    if (!yyjson_is_str(v))
        return false;
    if (s.n > 8 && memcmp(s.p, "https://", 8) == 0) {
        const char *slash = memchr(s.p + 8, '/', s.n - 8);
        if (slash == NULL)
            return false;
        s = (struct str){.p = slash, .n = s.n - (size_t)(slash - s.p)};
    }
    if (s.n < 2 || s.n >= CLIENT_PATH_SIZE || s.p[0] != '/' || s.p[1] == '/')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7F || s.p[i] == '#' || s.p[i] == '\\')
            return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

static enum client_offer unusable(char *why, const char *text)
{
    snprintf(why, PQOTA_TEXT_SIZE, "%s", text);
    return OFFER_UNUSABLE;
}

static enum client_offer take_artifact(yyjson_val *root, uint64_t most, struct client_state *st, char *why)
{
    yyjson_val *list = yyjson_obj_get(root, "artifacts"), *one = yyjson_arr_get(list, 0);
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) != 1)
        return unusable(why, "this client installs releases of exactly one artifact");
    if (!unique_members(one) || !take_name(one, "filename", st->filename) || !take_path(one, st->path))
        return unusable(why, "the offered artifact's file name or address is not usable");
    yyjson_val *hash = yyjson_obj_get(one, "sha256"), *size = yyjson_obj_get(one, "size");
    struct str hex = {.p = yyjson_get_str(hash), .n = yyjson_get_len(hash)};
    if (!yyjson_is_str(hash) || !client_is_sha256(hex))
        return unusable(why, "the offered artifact has no SHA-256");
    memcpy(st->sha256, hex.p, hex.n);
    if (!yyjson_is_uint(size) || yyjson_get_uint(size) == 0)
        return unusable(why, "the offered artifact has no size");
    if (yyjson_get_uint(size) > most)
        return unusable(why, "the offered artifact is larger than this client takes");
    st->size = yyjson_get_uint(size);
    return OFFER_GOOD;
}

static enum client_offer read_root(yyjson_val *root, uint64_t most, struct client_state *st, char *why)
{
    yyjson_val *action = yyjson_obj_get(root, "action");
    if (!unique_members(root) || !yyjson_is_uint(action) || yyjson_get_uint(action) == 0 ||
        yyjson_get_uint(action) > INT32_MAX)
        return OFFER_BROKEN;
    st->action = (uint32_t)yyjson_get_uint(action);
    yyjson_val *release = yyjson_obj_get(root, "release");
    if (!unique_members(release) || !take_name(release, "name", st->name) ||
        !take_name(release, "version", st->version))
        return unusable(why, "the offered release has no usable name or version");
    return take_artifact(root, most, st, why);
}

enum client_offer client_offer_read(char *body, size_t n, void *pool, size_t pool_size,
                                    uint64_t artifact_most, struct client_state *out, char *why)
{
    yyjson_alc alc;
    if (!yyjson_alc_pool_init(&alc, pool, pool_size))
        return OFFER_BROKEN;
    memset(body + n, 0, PADDING);
    /* In place and from the pool: nothing is allocated, and nothing needs to be freed. */
    yyjson_doc *doc = yyjson_read_opts(body, n, YYJSON_READ_INSITU, &alc, NULL);
    struct client_state st = {.state = PQOTA_IDLE};
    enum client_offer found =
        doc == NULL ? OFFER_BROKEN : read_root(yyjson_doc_get_root(doc), artifact_most, &st, why);
    if (found != OFFER_BROKEN)
        *out = st;
    return found;
}

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
    size_t size = CLIENT_PATH_SIZE + 3 * PQOTA_NAME_SIZE;
    size_t at = (size_t)snprintf(out, size, "/api/update");
    if (c->ops.installer.running_version(c->ops.installer.ctx, version) != PQOTA_OK ||
        !client_is_name(version))
        return;
    at += (size_t)snprintf(out + at, size - at, "?version=");
    if (!client_percent_encode(out, size, &at, version))
        snprintf(out, size, "/api/update");
}

static enum pqota_next wait_poll(pqota_client_t *c, uint32_t asked_s, uint32_t *wait_s)
{
    uint32_t s = asked_s != 0 ? asked_s : c->set.poll_s;
    s = s < CLIENT_POLL_MIN_S ? CLIENT_POLL_MIN_S : s > CLIENT_POLL_MAX_S ? CLIENT_POLL_MAX_S : s;
    *wait_s = client_jitter(c, s - s / 10, s + s / 10);
    c->failures = 0;
    return PQOTA_WAIT_POLL;
}

static enum pqota_next take_offer(pqota_client_t *c, struct body *body, uint32_t *wait_s)
{
    struct client_state offered, was = c->st;
    char why[PQOTA_TEXT_SIZE];
    void *pool = c->work + body->size + 16;
    size_t pool_size = c->work_size - body->size - 16;
    enum client_offer found =
        client_offer_read(body->p, body->n, pool, pool_size, c->set.artifact_most, &offered, why);
    if (found == OFFER_BROKEN) {
        client_log(c, PQOTA_LOG_ERROR, "the server's offer of %s bytes is not understood",
                   client_number(body->n).text);
        return client_retry(c, wait_s);
    }
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
    if (c->leftover)
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
            return take_offer(c, &body, wait_s);
        client_log(c, PQOTA_LOG_ERROR, "the server answered a poll with %d", response.status);
        c->retry_after_s =
            response.retry_after_s < CLIENT_POLL_MAX_S ? response.retry_after_s : CLIENT_POLL_MAX_S;
    }
    return client_retry(c, wait_s);
}
