/* How far a transfer is: one line on standard error, rewritten in place, and only on a terminal. */
#ifndef PQOTA_CMD_PROGRESS_H
#define PQOTA_CMD_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define PROGRESS_WIDTH_MAX 256

struct progress {
    const struct clock *clock;
    const char *label;      /* borrowed, escaped */
    int64_t total;          /* bytes */
    int64_t first;          /* bytes that were there before (a resumed download) */
    int64_t started, shown; /* clock_mono_ms */
    size_t width;           /* the terminal's columns; 0: silent */
};

/* Nothing is shown when standard error is no terminal. */
void progress_start(struct progress *p, const struct clock *clock, const char *label, int64_t total,
                    int64_t first);
void progress_update(struct progress *p, int64_t done); /* at most ten times a second */
void progress_end(struct progress *p);                  /* takes the line away */

/* The line itself, at most `width` columns: label, bar, per cent, bytes, rate, time left. Returns out. */
char *progress_line(const struct progress *p, int64_t done, int64_t now_ms, size_t width,
                    char out[PROGRESS_WIDTH_MAX]);

#endif
