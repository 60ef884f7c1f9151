/*
 * Which of the online keys that sign for devices the director's root in force names. With others nothing is
 * signed: no device would believe it. A new key counts from the moment in which its root is accepted.
 */
#ifndef PQOTA_OTA_TRUST_NAMED_H
#define PQOTA_OTA_TRUST_NAMED_H

#include <pthread.h>
#include <stdbool.h>

#include "ota/trust.h"
#include "trust/document.h"

struct db;

struct trust_named {
    int64_t root;                 /* its version; 0: there is none, which forbids nothing */
    char sha256[SHA256_HEX_SIZE]; /* of its file */
    size_t count;
    char role[TUF_ROLE_KEYS_MAX][SHA256_HEX_SIZE]; /* ids of the keys that sign targets */
    char manifest[SHA256_HEX_SIZE];                /* of the one that signs manifests; "": none */
};

struct trust_named_kept { /* of the last root that was read; in struct trust */
    pthread_mutex_t lock;
    struct trust_named last;
    char told[TRUST_ONLINE][2 * SHA256_HEX_SIZE]; /* root and key of the last warning */
};
int trust_named_init(struct trust_named_kept *k);
void trust_named_fini(struct trust_named_kept *k);
struct trust_named_kept *trust_named_of(const struct ota *ota);

/* Parses a root once, and remembers it. */
int trust_named_read(struct ota *ota, struct db *db, struct arena *a, struct trust_named *out,
                     struct err *e) MUST_CHECK;
/* role: TRUST_DIRECTOR or TRUST_MANIFEST. */
bool trust_named_has(const struct trust_named *n, enum trust_online role, const char *keyid);
/* All of them; false when there are none. */
bool trust_named_all(const struct trust_named *n, enum trust_online role, const struct sign_keys *keys);
/* Says in the log, once a key and root, that this server's keys are none of those. */
int trust_named_warn(struct ota *ota, struct db *db, struct arena *a, struct err *e) MUST_CHECK;

#endif
