/* HTTP/1.1 as a device needs it (RFC 9112): one request at a time on a kept connection, an answer whose
   length is announced, everything bounded. What is not understood ends the connection. */
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "port.h"

#define REQUEST_HEAD_MOST 1024
#define ANSWER_HEAD_MOST SECTOR
#define CONNECT_S 10       /* for the connection, and again for the handshake */
#define SILENCE_S 30       /* without a byte */
#define ANSWER_S 60        /* for a whole answer, and one more second ... */
#define BYTES_A_SECOND 512 /* ... for so many bytes of its body */

void http_close(struct http *h)
{
    if (h->conn == NULL)
        return;
    pqc_tls_close(h->conn);
    close(h->fd);
    h->conn = NULL;
}

static int tcp_connect(const struct http *h)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval most = {.tv_sec = CONNECT_S};
    struct addrinfo *list = NULL;
    int fd = -1;
    if (getaddrinfo(h->host, h->port, &hints, &list) != 0)
        return -1;
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most) != 0 ||
                        connect(fd, a->ai_addr, a->ai_addrlen) != 0)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

static const char *http_open(struct http *h)
{
    if (h->conn != NULL)
        return NULL;
    h->fd = tcp_connect(h);
    if (h->fd < 0)
        return "the server is not reached";
    if (pqc_tls_set_timeout(h->tls, CONNECT_S * 1000, SILENCE_S * 1000) == 0)
        h->conn = pqc_tls_connect(h->tls, h->fd, h->host);
    if (h->conn != NULL)
        return NULL;
    close(h->fd);
    return pqc_tls_error();
}

static const char *send_request(struct http *h, const struct pqota_request *q)
{
    char head[REQUEST_HEAD_MOST], range[192] = "", body[64] = "";
    if (q->ranged)
        snprintf(range, sizeof range, "Range: bytes=%" PRIu64 "-%" PRIu64 "\r\nIf-Range: %s\r\n", q->first,
                 q->last, q->if_range);
    if (q->body != NULL)
        snprintf(body, sizeof body, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                 q->body_size);
    int n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: %s:%s\r\n%s%s\r\n", q->method, q->path,
                     h->host, h->port, range, body);
    if (n < 0 || (size_t)n >= sizeof head || q->body_size > INT32_MAX)
        return "the request is too long";
    if (pqc_tls_write(h->conn, head, n) < 0 ||
        (q->body != NULL && pqc_tls_write(h->conn, q->body, (int)q->body_size) < 0))
        return pqc_tls_error();
    return NULL;
}

/* Digits and nothing else until one of `ends`, at most 18 of them; NULL when it is not so. */
static const char *number(const char *p, const char *ends, uint64_t *out)
{
    size_t n = strspn(p, "0123456789");
    if (n == 0 || n > 18 || strchr(ends, p[n]) == NULL)
        return NULL;
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out = *out * 10 + (uint64_t)(p[i] - '0');
    return p + n;
}

static uint32_t seconds(const char *p)
{
    uint64_t v;
    return number(p, "", &v) != NULL && v < UINT32_MAX ? (uint32_t)v : 0;
}

/* One header field; false for one that makes the length of the answer doubtful. */
static bool take_field(char *line, struct pqota_response *r, bool *keep)
{
    char *value = strchr(line, ':');
    uint64_t v;
    if (value == NULL)
        return false;
    *value++ = '\0';
    value += strspn(value, " \t");
    for (size_t n = strlen(value); n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'); n--)
        value[n - 1] = '\0';
    if (strcasecmp(line, "Transfer-Encoding") == 0)
        return false;
    if (strcasecmp(line, "Content-Length") == 0) {
        if (number(value, "", &v) == NULL ||
            (r->content_length != PQOTA_LENGTH_UNKNOWN && r->content_length != v))
            return false;
        r->content_length = v;
    } else if (strcasecmp(line, "Content-Range") == 0) {
        const char *p = strncmp(value, "bytes ", 6) == 0 ? number(value + 6, "-", &r->range_first) : NULL;
        if (p == NULL || (p = number(p + 1, "/", &v)) == NULL)
            return false;
        if (number(p + 1, "", &r->range_total) == NULL)
            r->range_total = 0;
    } else if (strcasecmp(line, "ETag") == 0) {
        if (strlen(value) < sizeof r->etag)
            memcpy(r->etag, value, strlen(value) + 1);
    } else if (strcasecmp(line, "Poll-Interval") == 0) {
        r->poll_interval_s = seconds(value);
    } else if (strcasecmp(line, "Retry-After") == 0) {
        r->retry_after_s = seconds(value);
    } else if (strcasecmp(line, "Connection") == 0) {
        *keep = strcasecmp(value, "close") != 0;
    }
    return true;
}

static bool take_head(char *head, struct pqota_response *r, bool *keep)
{
    uint64_t status;
    char *line = strsep(&head, "\n");
    if (strncmp(line, "HTTP/1.1 ", 9) != 0 || number(line + 9, " \r", &status) == NULL || status < 200 ||
        status > 599)
        return false;
    r->status = (int)status;
    r->range_first = UINT64_MAX;
    *keep = true;
    while ((line = strsep(&head, "\n")) != NULL) {
        size_t n = strlen(line);
        if (n == 0 || line[n - 1] != '\r')
            return false;
        line[n - 1] = '\0';
        if (n == 1)
            break;
        if (!take_field(line, r, keep))
            return false;
    }
    if (r->status == 204)
        r->content_length = 0;
    return r->content_length != PQOTA_LENGTH_UNKNOWN;
}

/* Reads until the head has ended: *have bytes, of which the head is the first *used. */
static const char *receive_head(struct http *h, char buf[ANSWER_HEAD_MOST + 1], size_t *have, size_t *used)
{
    for (*have = 0; *have < ANSWER_HEAD_MOST;) {
        int got = pqc_tls_read(h->conn, buf + *have, (int)(ANSWER_HEAD_MOST - *have));
        if (got <= 0)
            return got == 0 ? "the server closed before it answered" : pqc_tls_error();
        *have += (size_t)got;
        buf[*have] = '\0';
        const char *end = strstr(buf, "\r\n\r\n");
        if (end != NULL) {
            *used = (size_t)(end - buf) + 4;
            return NULL;
        }
    }
    return "the head of the answer is too long";
}

static uint64_t now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec;
}

/* Whole sectors but for the last piece, so that what is appended to flash stays aligned. */
static const char *receive_body(struct http *h, char buf[SECTOR], size_t n, uint64_t left, pqota_sink sink,
                                void *sink_ctx)
{
    uint64_t until = now_s() + ANSWER_S + left / BYTES_A_SECOND;
    while (left > 0) {
        size_t want = left < SECTOR ? (size_t)left : SECTOR;
        while (n < want) {
            int got = pqc_tls_read(h->conn, buf + n, (int)(want - n));
            if (got <= 0)
                return got == 0 ? "the answer was cut off" : pqc_tls_error();
            if (now_s() > until)
                return "the answer comes too slowly";
            n += (size_t)got;
        }
        if (sink(sink_ctx, buf, n) != 0)
            return "the rest of the answer is not wanted";
        left -= n;
        n = 0;
    }
    return NULL;
}

static const char *receive(struct http *h, struct pqota_response *r, pqota_sink sink, void *sink_ctx,
                           bool *keep)
{
    char buf[ANSWER_HEAD_MOST + 1];
    size_t have = 0, used = 0;
    const char *why = receive_head(h, buf, &have, &used);
    if (why != NULL)
        return why;
    if (!take_head(buf, r, keep))
        return "the answer is not understood";
    if (have - used > r->content_length)
        return "the answer is longer than it says";
    memmove(buf, buf + used, have - used);
    return receive_body(h, buf, have - used, r->content_length, sink, sink_ctx);
}

int http_request(void *ctx, const struct pqota_request *request, struct pqota_response *response,
                 pqota_sink sink, void *sink_ctx)
{
    struct http *h = ctx;
    bool keep = false;
    const char *why = http_open(h);
    if (why == NULL)
        why = send_request(h, request);
    if (why == NULL)
        why = receive(h, response, sink, sink_ctx, &keep);
    if (why != NULL)
        fprintf(stderr, "%s: %s\n", request->path, why);
    if (!keep || why != NULL)
        http_close(h);
    return why == NULL ? PQOTA_OK : PQOTA_E_AGAIN;
}
