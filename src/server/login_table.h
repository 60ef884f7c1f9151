/*
 * What the server remembers of logins, in memory and bounded: credentials that were good a moment ago, so
 * that not every request of a script costs a password hash, and addresses from which wrong ones came.
 * Thread-safe.
 */
#ifndef PQOTA_SERVER_LOGIN_TABLE_H
#define PQOTA_SERVER_LOGIN_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

#define LOGIN_GOOD_MAX 1024    /* credentials kept */
#define LOGIN_GOOD_MS 60000    /* since they were last used */
#define LOGIN_SOURCES_MAX 4096 /* addresses kept */
#define LOGIN_FAILURES_MAX 10  /* from one address within LOGIN_WINDOW_MS; then it waits for the rest of it */
#define LOGIN_WINDOW_MS 60000

/* To one account, from wherever. A script that is busy under its name is not kept out by it: credentials that
   were good a moment ago are known before this is asked. */
#define LOGIN_NAME_FAILURES_MAX 20
#define LOGIN_NAME_WINDOW_MS 900000

struct logins;

int logins_new(const struct clock *clock, struct logins **out, struct err *e) MUST_CHECK;
void logins_free(struct logins *l); /* NULL is fine */

/* A name and password with what they were checked against; the same text for the same credentials only, and
   of no use without this process's key. */
struct login_mark {
    unsigned char mac[32];
};
/* phc, changed_at: the account's, so that any change to it is another mark. ERR_CRYPTO. */
int logins_mark(const struct logins *l, struct str name, struct str password, const char *phc,
                int64_t changed_at, struct login_mark *out, struct err *e) MUST_CHECK;
/* Whether it was good within LOGIN_GOOD_MS; it counts from anew then. */
bool logins_good(struct logins *l, const struct login_mark *mark);
void logins_add_good(struct logins *l, const struct login_mark *mark);

/* Seconds that this address has to wait, 0 for none. address: with or without port; IPv6 ones count by /64.
   */
int64_t logins_wait(struct logins *l, const char *address);
/* One more failure from there; true: from now on it has to wait. */
bool logins_failed(struct logins *l, const char *address);

/* The same for a name, whether or not anybody has it. */
int64_t logins_name_wait(struct logins *l, struct str name);
bool logins_name_failed(struct logins *l, struct str name);

enum login_result { LOGIN_CACHED, LOGIN_RIGHT, LOGIN_WRONG, LOGIN_LIMITED, LOGIN_RESULTS };
void logins_count(struct logins *l, enum login_result result);
uint64_t logins_counted(const struct logins *l, enum login_result result);
extern const char *const login_result_text[LOGIN_RESULTS];

#endif
