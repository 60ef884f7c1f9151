/* Tokens of devices that have no certificate, and what decides whether one counts. Times are Unix
   milliseconds, 0 for never. */
#ifndef PQOTA_STORE_DEVICE_TOKENS_H
#define PQOTA_STORE_DEVICE_TOKENS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct db;

/* What a device's claim to be who it says is held against. */
struct device_standing {
    int64_t pk;
    int64_t revoked_at, certified_at;
    const char *transport; /* how it last came, NULL: never */
    const char *hash;      /* of its token, SHA-256 in hex; NULL: it has none */
};

/* One read by unique indexes. ERR_NOT_FOUND: there is no such device. */
int store_device_standing(struct db *db, struct arena *a, const char *id, struct device_standing *out,
                          struct err *e) MUST_CHECK;

/* In place of the one that it had. */
int store_device_token_set(struct db *db, int64_t pk, const char *hash, struct str sealed, int64_t now_ms,
                           struct err *e) MUST_CHECK;
/* As it was sealed. ERR_NOT_FOUND: it has none. */
int store_device_token_sealed(struct db *db, struct arena *a, int64_t pk, struct str *out,
                              struct err *e) MUST_CHECK;

#endif
