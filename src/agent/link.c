#include "agent/link.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "tls/tls.h"

#define URL_MAX 2048
#define HEADER_NUMBER_MAX 9999999999999 /* of a length; a larger one is no number we use */

struct transfer {
    struct link *link;
    struct pqota_response *response;
    pqota_sink sink;
    void *sink_ctx;
    bool stopped; /* by the sink */
};

static CURLcode on_ssl_ctx(CURL *curl, void *ssl_ctx, void *arg)
{
    struct link *l = arg;
    (void)curl;
    const struct tls_config config = {.role = TLS_CLIENT,
                                      .policy = l->set.policy,
                                      .ca_file = l->set.ca_file,
                                      .cert_file = l->set.cert_file,
                                      .key_file = l->set.key_file,
                                      .accept_expired_own = true,
                                      .clock_floor = l->set.floor->floor};
    return tls_ssl_ctx_apply(ssl_ctx, &config, &l->tls) == 0 ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct link *l = arg;
    (void)a, (void)b, (void)c, (void)d;
    return l->set.stop != NULL && l->set.stop(l->set.stop_ctx) ? 1 : 0;
}

static bool number(struct str s, uint64_t *out)
{
    return str_to_u64(str_trim(s), HEADER_NUMBER_MAX, out) == 0;
}

/* "bytes 100-199/1000" or ".../ *" (RFC 9110 section 14.4). */
static void content_range(struct str s, struct pqota_response *r)
{
    struct str unit, first, last;
    uint64_t from, total;
    if (!str_split(&s, ' ', &unit) || !str_is(unit, "bytes") || !str_split(&s, '-', &first) ||
        !str_split(&s, '/', &last) || !number(first, &from))
        return;
    r->range_first = from;
    r->range_total = s.p != NULL && number(s, &total) ? total : 0;
}

static uint32_t seconds(struct str s)
{
    uint64_t v;
    return number(s, &v) ? (v < UINT32_MAX ? (uint32_t)v : UINT32_MAX) : 0;
}

static size_t on_header(char *data, size_t one, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct pqota_response *r = t->response;
    struct str line = {.p = data, .n = one * n}, name;
    while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    if (line.n > 5 && memcmp(line.p, "HTTP/", 5) == 0) { /* a new answer: a 100 or a proxy's came before it */
        *r = (struct pqota_response){.content_length = PQOTA_LENGTH_UNKNOWN, .range_first = UINT64_MAX};
        return one * n;
    }
    if (!str_split(&line, ':', &name) || line.p == NULL)
        return one * n;
    struct str value = str_trim(line);
    uint64_t v;
    if (str_eq_nocase(name, STR("Content-Length")) && number(value, &v))
        r->content_length = v;
    else if (str_eq_nocase(name, STR("Content-Range")))
        content_range(value, r);
    else if (str_eq_nocase(name, STR("Poll-Interval")))
        r->poll_interval_s = seconds(value);
    else if (str_eq_nocase(name, STR("Retry-After")))
        r->retry_after_s = seconds(value);
    else if (str_eq_nocase(name, STR("ETag")) && value.n < sizeof r->etag) {
        memcpy(r->etag, value.p, value.n);
        r->etag[value.n] = '\0';
    }
    return one * n;
}

static void take_status(struct transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->link->curl, CURLINFO_RESPONSE_CODE, &status);
    t->response->status = (int)status;
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
    struct transfer *t = arg;
    take_status(t);
    if (t->sink(t->sink_ctx, data, one * n) == 0)
        return one * n;
    t->stopped = true;
    return CURL_WRITEFUNC_ERROR;
}

static CURLcode set_fixed(struct link *l)
{
    CURL *c = l->curl;
    CURLcode rc = CURLE_OK;
#define SET(option, value) (rc = rc != CURLE_OK ? rc : curl_easy_setopt(c, (option), (value)))
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_ERRORBUFFER, l->trouble);
    SET(CURLOPT_USERAGENT, "pqota-agent/" PQOTA_VERSION);
    SET(CURLOPT_PROTOCOLS_STR, "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    /* Our roots and no others: what the system trusts does not count. */
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
    SET(CURLOPT_SSL_CTX_DATA, l);
    SET(CURLOPT_CONNECTTIMEOUT, (long)LINK_CONNECT_S);
    SET(CURLOPT_LOW_SPEED_LIMIT, (long)LINK_STALL_BYTES);
    SET(CURLOPT_LOW_SPEED_TIME, (long)LINK_STALL_S);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, l);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    if (l->set.proxy != NULL && l->set.proxy[0] != '\0')
        SET(CURLOPT_PROXY, l->set.proxy);
#undef SET
    return rc;
}

int link_init(struct link *l, const struct link_settings *set, struct err *e)
{
    *l = (struct link){.set = *set};
    return link_renew(l, e);
}

int link_renew(struct link *l, struct err *e)
{
    link_fini(l);
    l->curl = curl_easy_init();
    if (l->curl == NULL)
        return err_set(e, ERR_NOMEM, "libcurl does not start");
    CURLcode rc = set_fixed(l);
    if (rc != CURLE_OK)
        return err_set(e, ERR_INTERNAL, "libcurl refuses a setting: %s", curl_easy_strerror(rc));
    return 0;
}

void link_fini(struct link *l)
{
    if (l->curl != NULL)
        curl_easy_cleanup(l->curl);
    l->curl = NULL;
}

static bool begins(const char *path, const char *with)
{
    return strncmp(path, with, strlen(with)) == 0;
}

static bool is_small(const char *path)
{
    if (begins(path, "/tuf/"))
        return !begins(path, "/tuf/image/targets/");
    return begins(path, "/api/update");
}

static CURLcode set_request(struct link *l, const struct pqota_request *q, struct transfer *t,
                            struct curl_slist **headers)
{
    CURL *c = l->curl;
    CURLcode rc = CURLE_OK;
    char url[URL_MAX], text[128];
    if (snprintf(url, sizeof url, "%s%s", l->set.server, q->path) >= (int)sizeof url)
        return CURLE_URL_MALFORMAT;
    bool post = strcmp(q->method, "POST") == 0, failed = false;
    const char *lines[3] = {NULL};
    size_t n = 0;
    if (post) {
        lines[n++] = "Content-Type: application/json";
        lines[n++] = "Expect:"; /* bodies are small: no round trip to ask for leave */
    }
    if (q->if_range != NULL) {
        snprintf(text, sizeof text, "If-Range: %s", q->if_range);
        lines[n++] = text;
    }
    for (size_t i = 0; i < n; i++) {
        struct curl_slist *more = curl_slist_append(*headers, lines[i]);
        failed = failed || more == NULL;
        *headers = more != NULL ? more : *headers;
    }
    if (failed)
        return CURLE_OUT_OF_MEMORY;
    char range[64];
    snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)q->first, (unsigned long long)q->last);
#define SET(option, value) (rc = rc != CURLE_OK ? rc : curl_easy_setopt(c, (option), (value)))
    SET(CURLOPT_URL, url);
    if (post) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_size);
        SET(CURLOPT_POSTFIELDS, q->body);
    } else {
        SET(CURLOPT_HTTPGET, 1L);
    }
    SET(CURLOPT_RANGE, q->ranged ? range : NULL);
    SET(CURLOPT_HTTPHEADER, *headers);
    /* A download may take as long as it moves; what is small has a deadline. */
    long small = l->set.small_s != 0 ? (long)l->set.small_s : (long)LINK_SMALL_S;
    SET(CURLOPT_TIMEOUT, post || is_small(q->path) ? small : 0L);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
#undef SET
    return rc;
}

static int perform(struct link *l, const struct pqota_request *q, struct transfer *t, struct err *e)
{
    struct curl_slist *headers = NULL;
    l->trouble[0] = '\0';
    l->tls.code = 0;
    CURLcode rc = set_request(l, q, t, &headers);
    if (rc == CURLE_OK)
        rc = curl_easy_perform(l->curl);
    if (t->response->status == 0)
        take_status(t);
    curl_easy_setopt(l->curl, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(l->curl, CURLOPT_POSTFIELDS, NULL);
    curl_slist_free_all(headers);
    if (t->response->status > 0) /* there is an answer, so the server's certificate was good */
        clock_floor_verified(l->set.floor);
    if (rc == CURLE_OK)
        return 0;
    if (t->stopped)
        return err_set(e, ERR_GONE, "the answer was not wanted any further");
    if (rc == CURLE_ABORTED_BY_CALLBACK)
        return err_set(e, ERR_GONE, "stopped");
    const char *why = l->tls.code != 0        ? l->tls.text
                      : l->trouble[0] != '\0' ? l->trouble
                                              : curl_easy_strerror(rc);
    return err_set(e, rc == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_IO, "%s: %s", l->set.server, why);
}

int link_request(void *ctx, const struct pqota_request *request, struct pqota_response *response,
                 pqota_sink sink, void *sink_ctx)
{
    struct link *l = ctx;
    struct err e = {0};
    struct transfer t = {.link = l, .response = response, .sink = sink, .sink_ctx = sink_ctx};
    if (perform(l, request, &t, &e) == 0)
        return PQOTA_OK;
    if (e.code != ERR_GONE)
        log_warn("link", "the request did not come through", LOG_STR("path", request->path), LOG_ERR(&e));
    return PQOTA_E_AGAIN;
}

static int collect(void *ctx, const void *data, size_t n)
{
    struct buf *reply = ctx;
    return buf_add(reply, data, n);
}

int link_call(struct link *l, const char *method, const char *path, const struct buf *body, int *status,
              struct buf *reply, struct err *e)
{
    struct pqota_request q = {.method = method,
                              .path = path,
                              .body = body != NULL ? body->p : NULL,
                              .body_size = body != NULL ? body->n : 0};
    struct pqota_response response = {.content_length = PQOTA_LENGTH_UNKNOWN};
    struct transfer t = {.link = l, .response = &response, .sink = collect, .sink_ctx = reply};
    int rc = perform(l, &q, &t, e);
    if (rc != 0 && t.stopped)
        return err_set(e, ERR_TOO_LARGE, "the server's answer to %s is larger than %d bytes", path,
                       LINK_REPLY_MAX);
    if (rc == 0)
        *status = response.status;
    return rc;
}

void link_problem(int status, const struct buf *reply, char *out, size_t size)
{
    auto_json yyjson_doc *doc = NULL;
    struct str title = {0}, detail = {0};
    if (reply->n > 0 && json_parse_object(buf_str(reply), &doc, NULL) == 0) {
        yyjson_val *root = yyjson_doc_get_root(doc);
        if (json_get_str(root, "title", 100, &title, NULL) != 0 ||
            json_get_str(root, "detail", 400, &detail, NULL) != 0)
            log_debug("link", "the server's refusal is not as RFC 9457 has it");
    }
    const char *sep = detail.n > 0 ? ": " : "";
    snprintf(out, size, "%d " STR_FMT "%s" STR_FMT, status, (int)title.n, title.n > 0 ? title.p : "", sep,
             (int)detail.n, detail.n > 0 ? detail.p : "");
}
