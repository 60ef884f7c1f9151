/* Time, passed in as a value so that tests can hold their own. */
#ifndef PQOTA_BASE_CLOCK_H
#define PQOTA_BASE_CLOCK_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct clock {
    int64_t (*unix_ms)(void *ctx); /* milliseconds since 1970, wall clock */
    int64_t (*mono_ms)(void *ctx); /* milliseconds, never goes back; for deadlines */
    void *ctx;
};

extern const struct clock clock_system;

static inline int64_t clock_unix_ms(const struct clock *c)
{
    return c->unix_ms(c->ctx);
}
static inline int64_t clock_mono_ms(const struct clock *c)
{
    return c->mono_ms(c->ctx);
}

#define CLOCK_TEXT_MAX 32
/* RFC 3339 in UTC with milliseconds, "2026-11-22T13:26:49.000Z"; returns out. */
char *clock_format(int64_t unix_ms, char out[CLOCK_TEXT_MAX]);
/* Any RFC 3339 time (section 5.6), from 1970 on; finer than milliseconds is cut off. ERR_INVALID. */
int clock_parse(struct str text, int64_t *unix_ms) MUST_CHECK;
/* RFC 9110 section 5.6.7, "Sun, 22 Nov 2026 13:26:49 GMT"; returns out. */
char *clock_format_http(int64_t unix_ms, char out[CLOCK_TEXT_MAX]);

#endif
