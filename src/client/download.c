/* The states downloading and verifying: an artifact's way to the device. */
#include <stdio.h>
#include <string.h>

#include "client/client.h"

enum verdict {
    VERDICT_MORE,    /* as announced so far */
    VERDICT_LATER,   /* nothing wrong with the artifact: try again */
    VERDICT_ANEW,    /* begin from nothing */
    VERDICT_REFUSED, /* the server will not give it, or gives something else: why says what */
};

struct download {
    pqota_client_t *c;
    const struct pqota_response *response;
    uint64_t at;        /* where the next byte goes */
    uint64_t end;       /* no byte of this answer goes there or beyond */
    uint64_t unflushed; /* bytes since the last checkpoint */
    bool judged;
    enum verdict verdict;
    char why[160];
};

/* Makes what was received so far survive a power cut. */
static int checkpoint(struct download *d)
{
    pqota_client_t *c = d->c;
    if (c->ops.storage.sync(c->ops.storage.ctx) != PQOTA_OK)
        return PQOTA_E_AGAIN;
    uint64_t was = c->st.have;
    c->st.have = d->at;
    d->unflushed = 0;
    if (client_store(c) != PQOTA_OK) {
        c->st.have = was;
        return PQOTA_E_AGAIN;
    }
    return PQOTA_OK;
}

static enum verdict refuse(struct download *d, const char *what)
{
    snprintf(d->why, sizeof d->why, "%s", what);
    return VERDICT_REFUSED;
}

static enum verdict judge_partial(struct download *d)
{
    const struct pqota_response *r = d->response;
    if (r->range_first != d->at)
        return VERDICT_ANEW;
    if (r->range_total != 0 && r->range_total != d->c->st.size) {
        snprintf(d->why, sizeof d->why, "the server's file has %s bytes, announced were %s",
                 client_number(r->range_total).text, client_number(d->c->st.size).text);
        return VERDICT_REFUSED;
    }
    return VERDICT_MORE;
}

/* A whole file instead of the rest: the server does not do ranges, or its file is another one. */
static enum verdict judge_whole(struct download *d)
{
    pqota_client_t *c = d->c;
    const struct pqota_response *r = d->response;
    if (r->content_length != PQOTA_LENGTH_UNKNOWN && r->content_length != c->st.size) {
        snprintf(d->why, sizeof d->why, "the server's file has %s bytes, announced were %s",
                 client_number(r->content_length).text, client_number(c->st.size).text);
        return VERDICT_REFUSED;
    }
    if (d->at > 0 && c->ops.storage.truncate(c->ops.storage.ctx, 0) != PQOTA_OK)
        return VERDICT_LATER;
    d->at = 0;
    d->end = c->st.size;
    c->st.have = 0;
    return VERDICT_MORE;
}

/* What the head of the answer says of the body: decided before the first byte of it is taken. */
static void judge(struct download *d)
{
    pqota_client_t *c = d->c;
    const struct pqota_response *r = d->response;
    d->judged = true;
    switch (r->status) {
    case 206:
        d->verdict = judge_partial(d);
        break;
    case 200:
        d->verdict = judge_whole(d);
        break;
    case 416:
        d->verdict = VERDICT_ANEW;
        break;
    case 404:
    case 409:
    case 410:
        snprintf(d->why, sizeof d->why, "the server does not give the file (%d)", r->status);
        d->verdict = VERDICT_REFUSED;
        break;
    default:
        client_log(c, PQOTA_LOG_WARN, "the server answered the download with %d", r->status);
        c->retry_after_s = r->retry_after_s < CLIENT_POLL_MAX_S ? r->retry_after_s : CLIENT_POLL_MAX_S;
        d->verdict = VERDICT_LATER;
    }
}

static int take_bytes(void *ctx, const void *data, size_t n)
{
    struct download *d = ctx;
    pqota_client_t *c = d->c;
    if (!d->judged)
        judge(d);
    if (d->verdict != VERDICT_MORE)
        return -1;
    if (n > d->end - d->at) {
        d->verdict = refuse(d, "the server sends more bytes than it announced");
        return -1;
    }
    if (c->ops.storage.write(c->ops.storage.ctx, d->at, data, n) != PQOTA_OK)
        return -1;
    d->at += n;
    d->unflushed += n;
    return d->unflushed >= c->set.checkpoint_bytes ? checkpoint(d) : 0;
}

/* After a start: only what was flushed counts if the power was gone, all of it if only the program was. */
static int resume(pqota_client_t *c, uint64_t *at)
{
    const struct pqota_storage *s = &c->ops.storage;
    if (s->size(s->ctx, at) != PQOTA_OK)
        return PQOTA_E_AGAIN;
    uint64_t keep = *at;
    if (!c->resumed && strcmp(c->st.boot, c->boot) != 0 && keep > c->st.have)
        keep = c->st.have;
    if (keep > c->st.size)
        keep = 0;
    if (keep < *at &&
        (s->truncate(s->ctx, keep) != PQOTA_OK || s->size(s->ctx, at) != PQOTA_OK || *at > keep))
        return PQOTA_E_AGAIN;
    if (!c->resumed && *at > 0)
        client_log(c, PQOTA_LOG_INFO, "resuming at byte %s of %s", client_number(*at).text,
                   client_number(c->st.size).text);
    c->resumed = true;
    return PQOTA_OK;
}

/* Begins from nothing; a wrong hash does so once, since the bytes on the device may be what is wrong. */
static enum pqota_next anew(pqota_client_t *c, uint32_t *wait_s)
{
    if (c->ops.storage.truncate(c->ops.storage.ctx, 0) != PQOTA_OK)
        return client_retry(c, wait_s);
    c->st.have = 0;
    c->progress = 0;
    if (client_store(c) != PQOTA_OK)
        return client_retry(c, wait_s);
    return PQOTA_AGAIN;
}

static enum pqota_next fetch(pqota_client_t *c, uint64_t at, uint32_t *wait_s)
{
    char etag[PQOTA_SHA256_HEX + 2];
    uint64_t left = c->st.size - at;
    bool ranged = at > 0 || left > c->set.segment_bytes;
    uint64_t end = at + (left > c->set.segment_bytes ? c->set.segment_bytes : left);
    snprintf(etag, sizeof etag, "\"%s\"", c->st.sha256);
    struct pqota_request request = {.method = "GET",
                                    .path = c->st.path,
                                    .ranged = ranged,
                                    .first = at,
                                    .last = end - 1,
                                    .if_range = ranged ? etag : NULL};
    struct pqota_response response = {.content_length = PQOTA_LENGTH_UNKNOWN};
    struct download d = {.c = c, .response = &response, .at = at, .end = end, .verdict = VERDICT_MORE};
    int rc = c->ops.transport.request(c->ops.transport.ctx, &request, &response, take_bytes, &d);
    if (rc == PQOTA_OK && !d.judged)
        judge(&d);
    bool moved = d.at > at;
    if (d.unflushed > 0 && checkpoint(&d) != PQOTA_OK)
        return client_retry(c, wait_s);
    switch (d.verdict) {
    case VERDICT_MORE:
        break;
    case VERDICT_REFUSED:
        return client_failed(c, wait_s, "%s", d.why);
    case VERDICT_ANEW:
        if (at > 0 && ++c->anews > CLIENT_RANGES_MAX)
            return client_failed(c, wait_s, "the server refused ranges of the file %d times",
                                 CLIENT_RANGES_MAX);
        if (++c->stalls < CLIENT_STALLS_MAX && at > 0)
            return anew(c, wait_s);
        /* fall through */
    case VERDICT_LATER:
        if (++c->stalls >= CLIENT_STALLS_MAX)
            return client_failed(c, wait_s, "the server refused the download %d times, at last with %d",
                                 CLIENT_STALLS_MAX, response.status);
        return client_retry(c, wait_s);
    }
    if (moved) {
        c->stalls = 0;
        c->failures = 0;
    }
    return rc == PQOTA_OK && moved ? PQOTA_AGAIN : client_retry(c, wait_s);
}

static bool progress_due(const pqota_client_t *c, uint32_t percent)
{
    return c->st.acked != PQOTA_DOWNLOADING || percent >= c->progress + CLIENT_PROGRESS_STEP;
}

enum pqota_next client_step_downloading(pqota_client_t *c, uint32_t *wait_s)
{
    uint64_t at;
    if (c->st.vouched == 0) /* begun by a program that asked nobody */
        return client_move(c, PQOTA_OFFERED) == PQOTA_OK ? PQOTA_AGAIN : client_retry(c, wait_s);
    if (resume(c, &at) != PQOTA_OK)
        return client_retry(c, wait_s);
    if (at == c->st.size)
        return client_move(c, PQOTA_VERIFYING) == PQOTA_OK ? PQOTA_AGAIN : client_retry(c, wait_s);
    uint32_t percent = (uint32_t)(at * 100 / c->st.size); /* artifact_most keeps it from overflowing */
    /* After a failure too, so that a cancelled action is noticed between two tries. */
    if (progress_due(c, percent) || c->failures > 0) {
        switch (client_report(c, "downloading", (int)percent, NULL, NULL)) {
        case ACK_GONE:
            return client_drop(c, wait_s, "the server closed it");
        case ACK_LATER:
            return client_retry(c, wait_s);
        case ACK_REFUSED: /* progress is for people; the download does not depend on it */
        case ACK_DONE:
            c->st.acked = PQOTA_DOWNLOADING;
            c->progress = percent;
        }
    }
    return fetch(c, at, wait_s);
}

static int hash_artifact(pqota_client_t *c, char out[PQOTA_SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    const struct pqota_sha256 *h = &c->ops.sha256;
    unsigned char raw[32];
    if (h->begin(h->ctx) != PQOTA_OK)
        return PQOTA_E_AGAIN;
    for (uint64_t at = 0; at < c->st.size;) {
        size_t n = c->st.size - at < c->work_size ? (size_t)(c->st.size - at) : c->work_size;
        if (c->ops.storage.read(c->ops.storage.ctx, at, c->work, n) != PQOTA_OK ||
            h->update(h->ctx, c->work, n) != PQOTA_OK)
            return PQOTA_E_AGAIN;
        at += n;
    }
    if (h->finish(h->ctx, raw) != PQOTA_OK)
        return PQOTA_E_AGAIN;
    for (size_t i = 0; i < sizeof raw; i++) {
        out[2 * i] = digits[raw[i] >> 4];
        out[2 * i + 1] = digits[raw[i] & 15];
    }
    out[2 * sizeof raw] = '\0';
    return PQOTA_OK;
}

static enum pqota_next wrong_bytes(pqota_client_t *c, uint32_t *wait_s)
{
    if (c->st.downloads >= CLIENT_DOWNLOADS_MAX)
        return client_failed(c, wait_s, "the SHA-256 of %s is not what was announced, after %d downloads",
                             c->st.filename, CLIENT_DOWNLOADS_MAX);
    client_log(c, PQOTA_LOG_WARN, "the downloaded bytes are not what was announced; downloading once more");
    if (c->ops.storage.truncate(c->ops.storage.ctx, 0) != PQOTA_OK)
        return client_retry(c, wait_s);
    struct client_state was = c->st;
    c->st.downloads++;
    c->st.have = 0;
    if (client_move(c, PQOTA_DOWNLOADING) != PQOTA_OK) {
        c->st = was;
        return client_retry(c, wait_s);
    }
    c->progress = 0;
    return PQOTA_AGAIN;
}

/* Not to be installed yet, or not by this action at all. A report that is refused changes nothing: the next
   poll says what is to be done. */
static enum pqota_next downloaded(pqota_client_t *c, uint32_t *wait_s)
{
    enum pqota_state was = c->st.acked;
    if (was != PQOTA_READY && client_report(c, "downloaded", -1, NULL, NULL) == ACK_LATER)
        return client_retry(c, wait_s);
    c->st.acked = PQOTA_READY;
    c->st.have = c->st.size;
    if (client_move(c, PQOTA_READY) != PQOTA_OK) {
        c->st.acked = was;
        return client_retry(c, wait_s);
    }
    client_log(c, PQOTA_LOG_INFO, "%s %s is downloaded; it is installed when the server says so", c->st.name,
               c->st.version);
    return PQOTA_AGAIN;
}

enum pqota_next client_step_verifying(pqota_client_t *c, uint32_t *wait_s)
{
    char hash[PQOTA_SHA256_HEX];
    uint64_t at;
    if (c->st.vouched == 0) /* begun by a program that asked nobody */
        return client_move(c, PQOTA_OFFERED) == PQOTA_OK ? PQOTA_AGAIN : client_retry(c, wait_s);
    if (c->ops.storage.size(c->ops.storage.ctx, &at) != PQOTA_OK)
        return client_retry(c, wait_s);
    if (at != c->st.size)
        return wrong_bytes(c, wait_s);
    if (hash_artifact(c, hash) != PQOTA_OK) {
        if (++c->tries >= CLIENT_STALLS_MAX)
            return client_failed(c, wait_s, "the downloaded artifact cannot be read");
        return client_retry(c, wait_s);
    }
    if (strcmp(hash, c->st.sha256) != 0)
        return wrong_bytes(c, wait_s);
    if (c->st.hold != 0)
        return downloaded(c, wait_s);
    /* The server must know before the device changes: what it cancelled until now is not installed. */
    switch (client_report(c, "installing", -1, NULL, NULL)) {
    case ACK_GONE:
        return client_drop(c, wait_s, "the server closed it before it was installed");
    case ACK_LATER:
        return client_retry(c, wait_s);
    case ACK_REFUSED:
        return client_failed(c, wait_s, "the server refused the report that the installation begins");
    case ACK_DONE:
        break;
    }
    enum pqota_next next;
    struct client_state was = c->st;
    if (!client_still_vouched(c, wait_s, &next))
        return next;
    c->st.acked = PQOTA_INSTALLING;
    c->st.installs++;
    if (client_move(c, PQOTA_INSTALLING) != PQOTA_OK) {
        c->st = was;
        return client_retry(c, wait_s);
    }
    c->verified = true;
    return PQOTA_AGAIN;
}
