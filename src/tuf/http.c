#include "tuf/http.h"

#include <stdio.h>
#include <string.h>

#define REFUSAL_MOST 16384 /* bytes of another answer than 200 that are read over to keep the connection */

struct transfer {
    struct http *http;
    struct http_sink sink;
    size_t refusal;
    int code; /* what the sink ended it with */
    struct err *e;
};

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
    struct transfer *t = arg;
    long status = 0;
    n *= one;
    curl_easy_getinfo(t->http->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        t->refusal += n;
        return t->refusal <= REFUSAL_MOST ? n : CURL_WRITEFUNC_ERROR;
    }
    t->code = t->sink.take(t->sink.ctx, data, n, t->e);
    return t->code == 0 ? n : CURL_WRITEFUNC_ERROR;
}

int http_open(struct http *h, long patience_s, const char *ca_file, struct err *e)
{
    *h = (struct http){.curl = curl_easy_init(), .patience_s = patience_s};
    CURL *c = h->curl;
    CURLcode rc = c != NULL ? CURLE_OK : CURLE_OUT_OF_MEMORY;
#define SET(option, value) (rc = rc != CURLE_OK ? rc : curl_easy_setopt(c, (option), (value)))
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_ERRORBUFFER, h->trouble);
    SET(CURLOPT_USERAGENT, "pqota-tuf/" PQOTA_VERSION);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 1L);
    SET(CURLOPT_MAXREDIRS, (long)HTTP_REDIRECTS_MAX);
    SET(CURLOPT_PATH_AS_IS, 1L); /* names are encoded already */
    SET(CURLOPT_CONNECTTIMEOUT, patience_s);
    SET(CURLOPT_LOW_SPEED_LIMIT, (long)HTTP_SPEED_LEAST);
    SET(CURLOPT_LOW_SPEED_TIME, patience_s);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    if (ca_file != NULL) {
        SET(CURLOPT_CAINFO, ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
#undef SET
    if (rc == CURLE_OK)
        return 0;
    http_close(h);
    return err_set(e, ERR_INTERNAL, "libcurl does not start: %s", curl_easy_strerror(rc));
}

void http_close(struct http *h)
{
    if (h->curl != NULL)
        curl_easy_cleanup(h->curl);
    h->curl = NULL;
}

int http_get(struct http *h, const char *url, bool small, struct http_sink sink, struct err *e)
{
    struct transfer t = {.http = h, .sink = sink, .e = e};
    CURL *c = h->curl;
    CURLcode rc = CURLE_OK;
    long status = 0;
    h->trouble[0] = '\0';
#define SET(option, value) (rc = rc != CURLE_OK ? rc : curl_easy_setopt(c, (option), (value)))
    SET(CURLOPT_URL, url);
    SET(CURLOPT_REDIR_PROTOCOLS_STR, strncmp(url, "http:", 5) == 0 ? "http,https" : "https");
    SET(CURLOPT_TIMEOUT, small ? h->patience_s : 0L);
    SET(CURLOPT_WRITEDATA, &t);
#undef SET
    if (rc == CURLE_OK)
        rc = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (t.code != 0)
        return t.code;
    if (status == 404 || status == 403)
        return err_set(e, ERR_NOT_FOUND, "%s: there is none (%ld)", url, status);
    bool answered = rc == CURLE_OK || t.refusal > REFUSAL_MOST;
    if (answered && status != 200)
        return err_set(e, ERR_IO, "%s: the server answered %ld", url, status);
    if (rc != CURLE_OK)
        return err_set(e, rc == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_IO, "%s: %s", url,
                       h->trouble[0] != '\0' ? h->trouble : curl_easy_strerror(rc));
    return 0;
}

int http_url(const char *base, const char *path, char out[HTTP_URL_MAX], struct err *e)
{
    size_t n = strlen(base);
    const char *slash = n > 0 && base[n - 1] == '/' ? "" : "/";
    if (snprintf(out, HTTP_URL_MAX, "%s%s%s", base, slash, path) >= HTTP_URL_MAX)
        return err_set(e, ERR_TOO_LARGE, "the URL %.64s... is longer than %d bytes", base, HTTP_URL_MAX - 1);
    return 0;
}
