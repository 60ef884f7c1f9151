/*
 * Passwords of accounts: argon2id (RFC 9106), kept as a PHC string,
 * "$argon2id$v=19$m=65536,t=3,p=1$<salt>$<hash>". Each call takes 64 MiB and about a fifth of a second: it
 * belongs into the lane for passwords.
 */
#ifndef PQOTA_KEYS_PASSWORD_H
#define PQOTA_KEYS_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define PASSWORD_MIN 12 /* bytes */
#define PASSWORD_MAX 1024
#define PASSWORD_MADE 24 /* characters of one that password_make makes: 120 random bits */
#define PASSWORD_PHC_SIZE 160

/* What new ones are made with: RFC 9106 section 4, second recommended option, with one lane, since several
   would only be worked on one after the other. */
#define PASSWORD_KIB 65536
#define PASSWORD_PASSES 3
#define PASSWORD_LANES 1

/* PASSWORD_MIN to PASSWORD_MAX bytes, UTF-8 without control characters. The error does not repeat it. */
int password_check(struct str password, struct err *e) MUST_CHECK;
int password_make(char out[PASSWORD_MADE + 1], struct err *e) MUST_CHECK;

int password_hash(struct str password, char phc[PASSWORD_PHC_SIZE], struct err *e) MUST_CHECK;
/* *right: whether it is the password of that string. NULL, for a name that nobody has: it never is, and
   saying so takes as long. ERR_CORRUPT: the string is none, or its parameters would take more than four
   times what new ones take. */
int password_verify(struct str password, const char *phc, bool *right, struct err *e) MUST_CHECK;

#endif
