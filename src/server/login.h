/*
 * Name and password (HTTP Basic) at the tables of routes that take them. The account is looked up when the
 * head of a request is here; a password that was good within the last minute is known again at once, any
 * other is hashed in the lane for passwords before anything of the body is written and before any step
 * runs. What keeps guesses few is the console's too, for the accounts are the same.
 */
#ifndef PQOTA_SERVER_LOGIN_H
#define PQOTA_SERVER_LOGIN_H

#include <stdbool.h>

#include "server/login_table.h"

struct login; /* one request's; in its arena */
struct run;

enum login_begun {
    LOGIN_NOT_ASKED, /* it has no name and password, or does not need one */
    LOGIN_KNOWN,     /* run->who is the account */
    LOGIN_WAITS,     /* run->login says whose password has to be checked: login_check */
    LOGIN_REFUSED,   /* the response is filled */
};

/* At the head of a request to a table of FACE_MANAGEMENT, on the loop's thread. */
enum login_begun login_begin(struct run *run);
/* Checks the password that waits. Then calls `then` on the loop's thread, with the account as run->who, or
   answers with the refusal. */
void login_check(struct run *run, void (*then)(struct run *run));
/* Seconds that this address, or whoever tries this name, has to wait. name: .p NULL for a link, here and
   below. */
int64_t login_wait(struct logins *logins, const char *address, struct str name);
/* Counts and logs one that was wrong. */
void login_failed(struct logins *logins, const char *address, const char *listener, struct str name);
/* The end of the request: the password that was read from its field is wiped. */
void login_end(struct run *run);

#endif
