/*
 * Which server an operator talks to, and with what credential: an ini file
 *
 *   [profile]
 *   server = https://localhost:8443
 *   certificate = operator.crt      ; paths are relative to the profile's folder
 *   key = operator.key              ; a path, or a URI such as pkcs11:...
 *   ca = server-roots.pem
 *   policy = balanced
 */
#ifndef PQOTA_CMD_PROFILE_H
#define PQOTA_CMD_PROFILE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

struct profile {        /* texts live in the arena it was read into */
    const char *path;   /* of the profile itself */
    const char *dir;    /* its folder */
    const char *server; /* "https://host:port", without a slash at the end */
    const char *certificate, *key, *ca;
    const char *policy; /* NULL: the library's own default */
};

/* Where to look, in order. `getenv` stands behind `env`, so that tests can have their own. */
struct profile_places {
    const char *option;                   /* --profile, or NULL: then the usual places */
    const char *(*env)(const char *name); /* NULL result: not set */
    const char *here;                     /* folder that ./pqota is looked for in; "." */
    const char *system;                   /* "/etc/pqota/operator/profile" */
};

extern const struct profile_places profile_usual_places;

/* The first of the places that exists. A given one (option, PQOTA_PROFILE) that does not exist is an error;
   ERR_NOT_FOUND names all that were tried and how to get one. */
int profile_find(const struct profile_places *places, struct arena *a, const char **path,
                 struct err *e) MUST_CHECK;
/* Refused: unknown keys, a missing server, certificate, key or ca, a server that is not https. */
int profile_read(const char *path, struct arena *a, struct profile *out, struct err *e) MUST_CHECK;
/* True when the key is a file that others than its owner may read; *mode is then set. */
bool profile_key_exposed(const struct profile *p, unsigned *mode);

#endif
