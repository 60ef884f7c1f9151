/* Maintenance windows: what a schedule begins, for so long. */
#ifndef PQOTA_MODEL_WINDOW_H
#define PQOTA_MODEL_WINDOW_H

#include "model/cron.h"

#define WINDOW_SECONDS_MAX 604800 /* a week */
#define WINDOW_OFFSET_MAX (18 * 60)

struct window {
    const struct cron *schedule;
    int64_t seconds;    /* 1..WINDOW_SECONDS_MAX */
    int offset_minutes; /* east of UTC; WINDOW_OFFSET_MAX at most, each way */
};

struct window_state {
    bool open;
    int64_t begins_s, ends_s; /* of the open one; else of the next one, both 0 when there is none */
};

/* A window is open from its beginning to the second before its end. Where windows overlap, it is the one that
   began first: it may be open still when that one has ended. */
void window_at(const struct window *w, int64_t now_s, struct window_state *out);

/* "+02:00", "-03:30" or "Z"; up to 18 hours (as ISO 8601, and Java's ZoneOffset, has them). */
int window_parse_zone(struct str text, int *offset_minutes, struct err *e) MUST_CHECK;
/* "HH:MM:SS" as hawkBit has it; hours of two or three digits, from 00:00:01 to 168:00:00. */
int window_parse_duration(struct str text, int64_t *seconds, struct err *e) MUST_CHECK;

#endif
