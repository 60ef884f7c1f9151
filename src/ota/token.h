/* Enrolment tokens: 160 random bits that are shown once and kept as their SHA-256. */
#ifndef PQOTA_OTA_TOKEN_H
#define PQOTA_OTA_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/identity.h"
#include "base/str.h"
#include "model/token.h"

struct db;
struct ota;

#define TOKEN_PREFIX "pqt_" /* so that scanners find one that leaked */
#define TOKEN_RANDOM 20
#define TOKEN_TEXT_SIZE (sizeof TOKEN_PREFIX + 2 * TOKEN_RANDOM) /* with the NUL */
#define TOKEN_USES_MAX 100000
#define TOKEN_SECONDS_DEFAULT (7 * 86400)
#define TOKEN_SECONDS_MAX (365 * 86400)
#define TOKEN_NOTE_MAX 256

struct token_request {
    const char *model;
    const char *device; /* NULL: for any new device of the model */
    const char *note;   /* NULL */
    int64_t uses;       /* 1..TOKEN_USES_MAX; 1 for a named device */
    int64_t seconds;    /* 1..TOKEN_SECONDS_MAX from now */
};
/* ERR_CONFLICT: the named device is of another model; ERR_DENIED: it is revoked, and who is no admin. */
int ota_token_new(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                  const struct token_request *request, char text[TOKEN_TEXT_SIZE], struct token *out,
                  struct err *e) MUST_CHECK;
int ota_token_list(struct db *db, struct arena *a, int64_t before, size_t limit, struct token **out,
                   size_t *count, struct err *e) MUST_CHECK;
/* Nobody enrols with it any more; devices that did stay. Revoking twice is fine. */
int ota_token_revoke(struct ota *ota, struct db *db, struct arena *a, const struct identity *who, int64_t id,
                     struct err *e) MUST_CHECK;

int ota_token_hash(struct str text, char out[SHA256_HEX_SIZE], struct err *e) MUST_CHECK;

#endif
