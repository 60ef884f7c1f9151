/* What a poll begins with: a device's row and what hangs on it, read by one statement. */
#ifndef PQOTA_STORE_ASKING_H
#define PQOTA_STORE_ASKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/device.h"

struct db;

enum asking_for {
    ASKING_NATIVE,
    ASKING_DDI,       /* installed too */
    ASKING_DDI_TOKEN, /* and token_hash */
};

struct asking {
    struct device device;   /* without tags and action */
    bool has_action;        /* one of its actions is open */
    bool has_member;        /* a deployment waits for it, or is at it */
    int64_t installed;      /* as store_action_installed of the version that it last reported */
    const char *token_hash; /* SHA-256 in hex of its own token; NULL: it has none */
    struct db *db;          /* that this was read with */
    uint32_t view;          /* of it, see db_view */
    bool viewed;
};

/* By unique indexes. ERR_NOT_FOUND: there is no such device. */
int store_asking(struct db *db, struct arena *a, const char *id, enum asking_for what, struct asking *out,
                 struct err *e) MUST_CHECK;
/* Whether it would be read the same now: the same connection, in the same state of the database. Never of
   what was read for ASKING_NATIVE. */
bool store_asking_holds(const struct asking *k, struct db *db);

#endif
