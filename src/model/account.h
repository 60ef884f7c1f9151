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

/* Somebody signed in at the console. */
struct session {
    struct account account;  /* without its password */
    int64_t account_changed; /* the account's changed_at when it began: any change to it ends the session */
    bool by_link;            /* began by a one-time link: the password may be set without the old one */
    int64_t created_at, expires_at;
};

/* [A-Za-z0-9][A-Za-z0-9._@+-]{0,63} */
bool account_is_name(struct str s);

#endif
