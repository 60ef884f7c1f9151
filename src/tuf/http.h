/*
 * Bounded GETs over libcurl: http and https, few redirects, none of them from an https URL to http, and
 * nothing that goes on for ever: not in bytes, not in time, not byte by byte.
 */
#ifndef PQOTA_TUF_HTTP_H
#define PQOTA_TUF_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define HTTP_URL_MAX 4096
#define HTTP_REDIRECTS_MAX 3
#define HTTP_SPEED_LEAST 256 /* bytes a second: what is slower for the whole patience is given up */

struct http {
    CURL *curl;
    long patience_s;
    char trouble[CURL_ERROR_SIZE];
};

/* ca_file: who may vouch for an https server, PEM; NULL: the system's roots. */
int http_open(struct http *h, long patience_s, const char *ca_file, struct err *e) MUST_CHECK;
void http_close(struct http *h);

struct http_sink {
    void *ctx;
    /* Part of a 200's body; a negative code ends the transfer and is what http_get answers. */
    int (*take)(void *ctx, const void *data, size_t n, struct err *e);
};

/* ERR_NOT_FOUND for a 404 or 403; ERR_TIMEOUT, ERR_IO for what may be well later. A small file has to come
   whole within the patience; another one has to keep moving. */
int http_get(struct http *h, const char *url, bool small, struct http_sink sink, struct err *e) MUST_CHECK;

/* base, a "/" unless it ends in one, path. ERR_TOO_LARGE. */
int http_url(const char *base, const char *path, char out[HTTP_URL_MAX], struct err *e) MUST_CHECK;

#endif
