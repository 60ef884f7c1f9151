/* Enrolment tokens. Times are Unix milliseconds, 0 for never. Texts belong to an arena. */
#ifndef PQOTA_MODEL_TOKEN_H
#define PQOTA_MODEL_TOKEN_H

#include <stdint.h>

struct token {
    int64_t id;
    const char *hash; /* SHA-256 of the text, hex; the text itself is kept nowhere */
    const char *model;
    const char *device_id; /* set: for this device alone, also if it exists; NULL */
    const char *note;      /* NULL */
    int64_t uses_max, uses;
    int64_t created_at, expires_at, revoked_at;
    const char *created_by;
};

#endif
