/*
 * Who vouches for firmware, as this server has it: the online signing keys, how long what they sign lives,
 * and whether an upload is published without anybody's signature. Loaded at start and at SIGHUP; who uses it
 * meanwhile keeps what it had.
 */
#ifndef PQOTA_OTA_TRUST_H
#define PQOTA_OTA_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include "keys/keys.h"

struct ota;
struct trust; /* thread-safe; ota->trust */

enum trust_online { TRUST_TIMESTAMP, TRUST_SNAPSHOT, TRUST_DIRECTOR, TRUST_MANIFEST, TRUST_ONLINE };

struct trust_settings {
    const char *key[TRUST_ONLINE]; /* files or URIs; NULL: none */
    int64_t life_s[TRUST_ONLINE];  /* of what is signed, seconds */
    bool insecure_unsigned;
};

int trust_new(struct trust **out, struct err *e) MUST_CHECK;
void trust_free(struct trust *t);
bool trust_unsigned_allowed(const struct ota *ota);

/* One signed file is looked through at a time (ota/trust_accept.c). False: another is. */
bool trust_accept_enter(struct ota *ota) MUST_CHECK;
void trust_accept_leave(struct ota *ota);

/* --- the online keys ------------------------------------------------------------------------------------ */

struct trust_keys; /* immutable, reference-counted */

/*
 * Reads them. A key that is not there (ERR_NOT_FOUND of its file) is logged, and what it would sign is not
 * signed; `strict`: one that is there and unreadable is the error; else it is logged likewise.
 */
int trust_keys_read(const struct trust_settings *s, bool strict, struct trust_keys **out,
                    struct err *e) MUST_CHECK;
/* From now on these count; takes the reference over. */
void trust_set(struct trust *t, struct trust_keys *k, bool insecure_unsigned);

/* A reference to those of now; NULL when nothing was loaded yet. */
struct trust_keys *trust_keys_get(struct ota *ota);
void trust_keys_unref(struct trust_keys *k); /* NULL is fine */
/* The pair of a role (one key of manifests); NULL: this server has none. k may be NULL. */
const struct sign_keys *trust_keys_of(const struct trust_keys *k, enum trust_online role);
int64_t trust_life_s(const struct trust_keys *k, enum trust_online role);
const char *trust_online_word(enum trust_online role); /* "timestamp", ... */

/* For pqota_trust_signatures_total: that many signatures were made. */
void trust_count(struct ota *ota, enum trust_online role, uint64_t signatures);
uint64_t trust_counted(struct ota *ota, enum trust_online role);

static inline void trust_keys_cleanup(struct trust_keys **k)
{
    trust_keys_unref(*k);
}
#define auto_trust_keys __attribute__((cleanup(trust_keys_cleanup)))

#endif
