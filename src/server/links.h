/*
 * What hawkBit's devices find in links: scheme, host and port by which they came, through whatever proxies.
 *
 * Each link goes back to the one who asked, so here the header fields by which proxies tell that (RFC 7239
 * and X-Forwarded-Proto, -Host, -Port) are believed from everybody, without any setting: who makes them up
 * leads nobody astray but himself. Who somebody is, they never say; see server/proxy.h for that.
 */
#ifndef PQOTA_SERVER_LINKS_H
#define PQOTA_SERVER_LINKS_H

#include "http/message.h"
#include "base/arena.h"

struct run;

struct came_by {
    struct str scheme; /* "http" or "https" */
    struct str host;   /* a name or address, as URLs have it; n 0: not known */
    struct str port;   /* n 0: the scheme's usual one */
};
/* Views of the request; tls: the connection itself is. What cannot be a host or a port does not count. */
struct came_by links_came_by(const struct http_request *req, bool tls);

/* Fills base_url, file_url and plain_url of the run's call. */
void links_fill(struct run *run);

#endif
