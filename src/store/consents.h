/* Devices whose users have agreed to all updates in advance. */
#ifndef PQOTA_STORE_CONSENTS_H
#define PQOTA_STORE_CONSENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct db;

struct auto_confirm {
    int64_t at;                     /* Unix milliseconds; 0: it is off */
    const char *initiator, *remark; /* who, and why; "" for not said */
};
int store_auto_confirm(struct db *db, struct arena *a, int64_t device, struct auto_confirm *out,
                       struct err *e) MUST_CHECK;
int store_auto_confirm_has(struct db *db, int64_t device, bool *out, struct err *e) MUST_CHECK;

/* Writer only. at 0 takes it away. */
int store_auto_confirm_set(struct db *db, int64_t device, const struct auto_confirm *c,
                           struct err *e) MUST_CHECK;

#endif
