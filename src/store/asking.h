/*
 * What a poll begins with: a device's row and what hangs on it, read by one statement. A reader keeps what it
 * has read of the devices that asked last and does not read it again before anything of it has changed.
 */
#ifndef PQOTA_STORE_ASKING_H
#define PQOTA_STORE_ASKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/device.h"

struct db;

/* Each with what those before have. */
enum asking_for {
    ASKING_NATIVE,
    ASKING_DDI,       /* installed too */
    ASKING_DDI_TOKEN, /* and token_hash */
};

struct asking {
    struct device device;   /* without last_seen_at, tags and action */
    bool has_action;        /* one of its actions is open */
    bool has_member;        /* a deployment waits for it, or is at it */
    int64_t installed;      /* as store_action_installed of the version that it last reported */
    const char *token_hash; /* SHA-256 in hex of its own token; NULL: it has none */
};

/* By unique indexes. ERR_NOT_FOUND: there is no such device. */
int store_asking(struct db *db, struct arena *a, const char *id, enum asking_for what, struct asking *out,
                 struct err *e) MUST_CHECK;

#endif
