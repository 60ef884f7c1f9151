#ifndef PQOTA_PROVIDER_PARAMS_H
#define PQOTA_PROVIDER_PARAMS_H

/* Reading and answering OSSL_PARAMs. What fails raises. */

#include <openssl/core.h>

#include "provider/context.h"

struct key_bytes {
    const uint8_t *p; /* NULL: not there */
    size_t n;
};

/* The parameter's bytes, where it is there; false where it is something else. An empty one is not none. */
bool params_bytes(const struct provider *p, const OSSL_PARAM *params, const char *name,
                  struct key_bytes *out);
/* An int where it is there, else *out as it was; false where it is something else. */
bool params_int(const struct provider *p, const OSSL_PARAM *params, const char *name, int *out);

/* Where the parameter is asked for and has room: its n bytes' place, else NULL; *good becomes false where it
 * is too small or not bytes. */
uint8_t *params_room(const struct provider *p, OSSL_PARAM *params, const char *name, size_t n, bool *good);
/* The same for what is there already. */
bool params_give(const struct provider *p, OSSL_PARAM *params, const char *name, struct key_bytes bytes);
/* A number where it is asked for. */
bool params_give_int(const struct provider *p, OSSL_PARAM *params, const char *name, size_t value);

#endif
