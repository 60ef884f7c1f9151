/* Accounts: people and scripts that log in with name and password. Times are Unix milliseconds, 0 for never.
   Texts belong to an arena. */
#ifndef PQOTA_MODEL_ACCOUNT_H
#define PQOTA_MODEL_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define ACCOUNT_NAME_MAX 64

struct account {
    int64_t pk;
    const char *name;
    const char *role;     /* "viewer", "approver", "operator", "admin"; see role_parse */
    const char *password; /* argon2id, PHC string; NULL where lists leave it out */
    const char *created_by;
    int64_t created_at, disabled_at;
    int64_t changed_at; /* grows with every change */
};

/* [A-Za-z0-9][A-Za-z0-9._@+-]{0,63} */
bool account_is_name(struct str s);

#endif
