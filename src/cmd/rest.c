#include "cmd/rest.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tls/tls.h"

struct rest {
    CURL *curl;
    const struct profile *profile;
    bool unanswered;
    long status;
    struct err tls_err; /* why our own credential could not be used */
    char words[CURL_ERROR_SIZE];
};

/* One request under way. */
struct exchange {
    struct rest *rest;
    struct buf answer;            /* JSON, or the words of a refusal */
    const struct rest_file *file; /* what is sent or received, or NULL */
    int64_t at;                   /* offset in the file of the next byte */
    int64_t asked_from;           /* download: where the range begins */
    bool sized;                   /* download: the head of the answer has been judged */
    struct err err;               /* what a callback found wrong */
};

static CURLcode on_ssl_ctx(CURL *curl, void *ssl_ctx, void *ctx)
{
    (void)curl;
    struct rest *r = ctx;
    struct tls_config config = {
        .role = TLS_CLIENT,
        .policy = r->profile->policy,
        .cert_file = r->profile->certificate,
        .key_file = r->profile->key,
        .ca_file = r->profile->ca,
        .verify = TLS_VERIFY_REQUIRE,
    };
    return tls_ssl_ctx_apply(ssl_ctx, &config, &r->tls_err) == 0 ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

static bool is_success(CURL *curl)
{
    long status = 0;
    return curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status >= 200 &&
           status < 300;
}

/* The first bytes of a download: at which offset do they belong? */
static int judge_download(struct exchange *x)
{
    long status = 0;
    curl_easy_getinfo(x->rest->curl, CURLINFO_RESPONSE_CODE, &status);
    struct curl_header *h;
    x->at = 0;
    if (status == 206) {
        char want[64];
        snprintf(want, sizeof want, "bytes %lld-", (long long)x->asked_from);
        if (curl_easy_header(x->rest->curl, "Content-Range", 0, CURLH_HEADER, -1, &h) != CURLHE_OK ||
            strncmp(h->value, want, strlen(want)) != 0)
            return err_set(&x->err, ERR_INVALID,
                           "the server answered with another part of %s than was asked for", x->file->name);
        x->at = x->asked_from;
    }
    if (x->at == 0 && ftruncate(x->file->fd, 0) != 0)
        return err_errno(&x->err, errno, "cannot empty %s", x->file->name);
    x->sized = true;
    return 0;
}

static int write_at(struct exchange *x, const char *p, size_t n)
{
    if ((int64_t)n > x->file->size - x->at)
        return err_set(&x->err, ERR_MISMATCH, "the server sends more than the %lld bytes that %s has",
                       (long long)x->file->size, x->file->name);
    while (n > 0) {
        ssize_t w = pwrite(x->file->fd, p, n, x->at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return err_errno(&x->err, errno, "cannot write %s", x->file->name);
        p += w;
        n -= (size_t)w;
        x->at += w;
    }
    progress_update(x->file->progress, x->at);
    return 0;
}

static size_t on_file_data(char *p, size_t one, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    (void)one; /* always 1 */
    if (!is_success(x->rest->curl))
        return buf_add(&x->answer, p, n) == 0 ? n : CURL_WRITEFUNC_ERROR;
    if (!x->sized && judge_download(x) != 0)
        return CURL_WRITEFUNC_ERROR;
    return write_at(x, p, n) == 0 ? n : CURL_WRITEFUNC_ERROR;
}

static size_t on_answer(char *p, size_t one, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    (void)one;
    if (buf_add(&x->answer, p, n) == 0)
        return n;
    (void)err_set(&x->err, ERR_TOO_LARGE, "the server's answer is larger than %zu bytes", x->answer.max);
    return CURL_WRITEFUNC_ERROR;
}

static size_t on_send(char *out, size_t one, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    (void)one;
    ssize_t r;
    do
        r = pread(x->file->fd, out, n, x->at);
    while (r < 0 && errno == EINTR);
    if (r < 0) {
        (void)err_errno(&x->err, errno, "cannot read %s", x->file->name);
        return CURL_READFUNC_ABORT;
    }
    if (r == 0 && x->at < x->file->size) {
        (void)err_set(&x->err, ERR_MISMATCH, "%s became shorter while it was sent", x->file->name);
        return CURL_READFUNC_ABORT;
    }
    x->at += r;
    progress_update(x->file->progress, x->at);
    return (size_t)r;
}

/* curl wants to begin anew, when a kept connection turned out to be closed. */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct exchange *x = ctx;
    if (origin != SEEK_SET || offset < 0 || offset > x->file->size)
        return CURL_SEEKFUNC_FAIL;
    x->at = offset;
    return CURL_SEEKFUNC_OK;
}

int rest_new(const struct profile *profile, struct rest **out, struct err *e)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return err_set(e, ERR_INTERNAL, "libcurl cannot be started");
    struct rest *r = calloc(1, sizeof *r);
    CURL *curl = r != NULL ? curl_easy_init() : NULL;
    if (curl == NULL) {
        free(r);
        curl_global_cleanup();
        return err_set(e, ERR_NOMEM, "no memory to talk to the server");
    }
    r->curl = curl;
    r->profile = profile;
    *out = r;
    return 0;
}

void rest_free(struct rest *r)
{
    if (r == NULL)
        return;
    curl_easy_cleanup(r->curl);
    free(r);
    curl_global_cleanup();
}

bool rest_unanswered(const struct rest *r)
{
    return r->unanswered;
}

long rest_status(const struct rest *r)
{
    return r->status;
}

/* Options that each request has; curl_easy_reset keeps the connection. */
static CURLcode set_common(struct rest *r, const char *url)
{
    CURL *c = r->curl;
    curl_easy_reset(c);
    r->words[0] = '\0';
    CURLcode rc = CURLE_OK;
#define SET(option, value) rc = rc == CURLE_OK ? curl_easy_setopt(c, option, value) : rc
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "https");
    SET(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, REST_CONNECT_MS);
    SET(CURLOPT_ERRORBUFFER, r->words);
    SET(CURLOPT_USERAGENT, "pqota/" PQOTA_VERSION);
    /* The system's own roots must not count: only those of the profile, set in on_ssl_ctx. */
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
    SET(CURLOPT_SSL_CTX_DATA, r);
#undef SET
    return rc;
}

static CURLcode set_transfer(CURL *c)
{
    CURLcode rc = curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, REST_STALL_S);
    return rc;
}

/* Performs what was set; 0 when the server answered with success. */
static int perform(struct exchange *x, struct err *e)
{
    struct rest *r = x->rest;
    r->tls_err.code = 0;
    CURLcode rc = curl_easy_perform(r->curl);
    long status = 0;
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
    r->status = status;
    r->unanswered = status == 0 && x->err.code == 0 && r->tls_err.code == 0;
    if (x->err.code != 0)
        return err_set(e, x->err.code, "%s", x->err.text);
    /* A refusal may cut an upload short: then its words count, not the broken connection. */
    if (status >= 300)
        return rest_explain_status(status, buf_str(&x->answer), e);
    if (rc != CURLE_OK)
        return rest_explain_curl((int)rc, r->words, r->tls_err.code != 0 ? r->tls_err.text : NULL, r->profile,
                                 e);
    return 0;
}

static int set_failed(CURLcode rc, struct err *e)
{
    return err_set(e, ERR_INTERNAL, "libcurl does not take an option: %s", curl_easy_strerror(rc));
}

static int parse_answer(const struct exchange *x, yyjson_doc **doc, struct err *e)
{
    if (x->answer.n == 0) {
        *doc = NULL;
        return 0;
    }
    struct err why = {0};
    if (json_parse(buf_str(&x->answer), doc, &why) == 0)
        return 0;
    return err_set(e, ERR_INVALID,
                   "the server's answer is no JSON that can be read (%s); is %s a pqota server?", why.text,
                   x->rest->profile->server);
}

static int make_url(const struct rest *r, const char *path, struct buf *url, struct err *e)
{
    buf_init(url, REST_PATH_MAX);
    if (buf_printf(url, "%s%s", r->profile->server, path) != 0)
        return err_set(e, ERR_TOO_LARGE, "the request's address is longer than %d bytes", REST_PATH_MAX);
    return 0;
}

static void free_headers(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}
#define auto_headers CLEANUP(free_headers)

static int add_header(struct curl_slist **list, const char *line, struct err *e)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a header");
    *list = longer;
    return 0;
}

int rest_call(struct rest *r, const char *method, const char *path, const char *body, yyjson_doc **doc,
              struct err *e)
{
    auto_buf struct buf url = {0};
    auto_headers struct curl_slist *headers = NULL;
    struct exchange x = {.rest = r};
    int rc = make_url(r, path, &url, e);
    if (rc == 0)
        rc = add_header(&headers, "Accept: application/json", e);
    if (rc == 0 && body != NULL)
        rc = add_header(&headers, "Content-Type: application/json", e);
    if (rc != 0)
        return rc;
    buf_init(&x.answer, REST_ANSWER_MAX);
    CURLcode cc = set_common(r, url.p);
#define SET(option, value) cc = cc == CURLE_OK ? curl_easy_setopt(r->curl, option, value) : cc
    SET(CURLOPT_CUSTOMREQUEST, method);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_TIMEOUT, REST_CALL_S);
    SET(CURLOPT_WRITEFUNCTION, on_answer);
    SET(CURLOPT_WRITEDATA, &x);
    if (body != NULL || strcmp(method, "POST") == 0) { /* the method is as above all the same */
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, body != NULL ? body : "");
    }
#undef SET
    rc = cc == CURLE_OK ? perform(&x, e) : set_failed(cc, e);
    if (rc == 0)
        rc = parse_answer(&x, doc, e);
    buf_fini(&x.answer);
    return rc;
}

int rest_get(struct rest *r, const char *path, void *data, size_t size, size_t *n, struct err *e)
{
    auto_buf struct buf url = {0};
    struct exchange x = {.rest = r};
    int rc = make_url(r, path, &url, e);
    if (rc != 0)
        return rc;
    buf_init(&x.answer, size);
    CURLcode cc = set_common(r, url.p);
#define SET(option, value) cc = cc == CURLE_OK ? curl_easy_setopt(r->curl, option, value) : cc
    SET(CURLOPT_TIMEOUT, REST_CALL_S);
    SET(CURLOPT_WRITEFUNCTION, on_answer);
    SET(CURLOPT_WRITEDATA, &x);
#undef SET
    rc = cc == CURLE_OK ? perform(&x, e) : set_failed(cc, e);
    if (rc == 0 && x.answer.n > 0)
        memcpy(data, x.answer.p, x.answer.n);
    if (rc == 0)
        *n = x.answer.n;
    buf_fini(&x.answer);
    return rc;
}

int rest_upload(struct rest *r, const char *path, const struct rest_file *file, yyjson_doc **doc,
                struct err *e)
{
    auto_buf struct buf url = {0};
    auto_headers struct curl_slist *headers = NULL;
    struct exchange x = {.rest = r, .file = file};
    int rc = make_url(r, path, &url, e);
    if (rc == 0) /* so that a refusal comes before gigabytes were sent, whatever the size */
        rc = add_header(&headers, "Expect: 100-continue", e);
    if (rc == 0)
        rc = add_header(&headers, "Content-Type: application/octet-stream", e);
    if (rc != 0)
        return rc;
    buf_init(&x.answer, REST_ANSWER_MAX);
    CURLcode cc = set_common(r, url.p);
#define SET(option, value) cc = cc == CURLE_OK ? curl_easy_setopt(r->curl, option, value) : cc
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)file->size);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
    SET(CURLOPT_READFUNCTION, on_send);
    SET(CURLOPT_READDATA, &x);
    SET(CURLOPT_SEEKFUNCTION, on_seek);
    SET(CURLOPT_SEEKDATA, &x);
    SET(CURLOPT_WRITEFUNCTION, on_answer);
    SET(CURLOPT_WRITEDATA, &x);
#undef SET
    if (cc == CURLE_OK)
        cc = set_transfer(r->curl);
    rc = cc == CURLE_OK ? perform(&x, e) : set_failed(cc, e);
    if (rc == 0)
        rc = parse_answer(&x, doc, e);
    buf_fini(&x.answer);
    return rc;
}

int rest_download(struct rest *r, const char *path, const char *sha256, int64_t have,
                  const struct rest_file *file, struct err *e)
{
    auto_buf struct buf url = {0};
    auto_headers struct curl_slist *headers = NULL;
    struct exchange x = {.rest = r, .file = file, .asked_from = have, .at = 0};
    char line[128];
    int rc = make_url(r, path, &url, e);
    if (rc == 0 && have > 0) {
        snprintf(line, sizeof line, "Range: bytes=%lld-", (long long)have);
        rc = add_header(&headers, line, e);
    }
    if (rc == 0 && have > 0) {
        snprintf(line, sizeof line, "If-Range: \"%.64s\"", sha256);
        rc = add_header(&headers, line, e);
    }
    if (rc != 0)
        return rc;
    buf_init(&x.answer, REST_ANSWER_MAX);
    CURLcode cc = set_common(r, url.p);
#define SET(option, value) cc = cc == CURLE_OK ? curl_easy_setopt(r->curl, option, value) : cc
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_BUFFERSIZE, 262144L);
    SET(CURLOPT_WRITEFUNCTION, on_file_data);
    SET(CURLOPT_WRITEDATA, &x);
#undef SET
    if (cc == CURLE_OK)
        cc = set_transfer(r->curl);
    rc = cc == CURLE_OK ? perform(&x, e) : set_failed(cc, e);
    if (rc == 0 && !x.sized && judge_download(&x) != 0) /* an empty file, or an answer without a byte */
        rc = err_set(e, x.err.code, "%s", x.err.text);
    if (rc == 0 && x.at != file->size)
        rc = err_set(e, ERR_MISMATCH, "%s: the server sent %lld of %lld bytes", file->name, (long long)x.at,
                     (long long)file->size);
    buf_fini(&x.answer);
    return rc;
}

/* --- paths --------------------------------------------------------------------------------------------- */

static int add_encoded(struct buf *b, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const char *p = text; *p != '\0'; p++) {
        int rc = strchr(plain, *p) != NULL ? buf_add(b, p, 1) : buf_printf(b, "%%%02X", (unsigned char)*p);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int rest_add_segment(struct buf *path, const char *text)
{
    int rc = buf_add(path, "/", 1);
    /* "." and ".." would be taken for a step in the path, encoded or not (RFC 3986 section 5.2.4). */
    if (rc == 0 && (*text == '\0' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0))
        return ERR_INVALID;
    return rc == 0 ? add_encoded(path, text) : rc;
}

int rest_add_query(struct buf *path, const char *key, const char *value)
{
    if (value == NULL)
        return 0;
    bool first = path->n == 0 || memchr(path->p, '?', path->n) == NULL;
    int rc = buf_printf(path, "%c%s=", first ? '?' : '&', key);
    return rc == 0 ? add_encoded(path, value) : rc;
}
