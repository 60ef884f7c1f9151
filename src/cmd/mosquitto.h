/* What `pqota mosquitto-conf` writes: the texts of its files. */
#ifndef PQOTA_CMD_MOSQUITTO_H
#define PQOTA_CMD_MOSQUITTO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "server/config.h"
#include "tls/policy.h"

#define MOSQUITTO_OPERATORS_MAX 64

struct mosquitto {
    const char *dir;                                /* from the root */
    const char *listen;                             /* an address, or NULL for all */
    int port, operator_port;                        /* operator_port 0: no listener for operators */
    const char *operators[MOSQUITTO_OPERATORS_MAX]; /* common names of those who may read along */
    size_t operator_count;
    const char *user;                                              /* the account that mosquitto runs as */
    const char *crl;                                               /* from the root, or NULL */
    const char *device_roots, *operator_roots, *certificate, *key; /* what is copied */
    struct tls_algs algs;
    bool force;
};

/* One row a file: where it goes below the folder, and what makes it. */
struct mosquitto_file {
    const char *name;
    /* ERR_NOMEM alone. */
    int (*make)(const struct mosquitto *m, struct buf *out);
    bool secret; /* for mosquitto's account alone; mosquitto asks so of its access list too */
};
extern const struct mosquitto_file mosquitto_texts[]; /* ended by a row without name */

#endif
