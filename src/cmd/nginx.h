/* What `pqota nginx-conf` writes, and what it says about the socket that nginx is to reach. */
#ifndef PQOTA_CMD_NGINX_H
#define PQOTA_CMD_NGINX_H

#include <stdbool.h>

#include "base/buf.h"
#include "server/config.h"

struct nginx_conf {
    const struct server_config *config;
    /* Absolute paths, all but name and user. */
    const char *name, *certificate, *key, *device_roots, *operator_roots, *socket;
    const char *crl; /* NULL: none */
    unsigned port;
    const char *warning; /* what is not right yet, one line; NULL */
};

/* The whole file: an upstream and a server block, to be included in nginx's http block. */
int nginx_conf_write(const struct nginx_conf *n, struct buf *out, struct err *e) MUST_CHECK;

/* Whether that user may connect to the server's Unix socket, which need not be there yet. When not, `why`
   says what stands in the way and what to do. An unknown user cannot be told about: true. */
bool nginx_may_connect(const char *socket, int64_t mode, const char *user, char *why, size_t size);

#endif
