/* Words and figures for a person's terminal: sizes, times, and text from devices made harmless. */
#ifndef PQOTA_CMD_TEXT_H
#define PQOTA_CMD_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define TEXT_SHORT_MAX 32

/* A copy in the arena in which nothing can move a cursor, ring a bell or turn the writing direction: control
   characters, what is not UTF-8, and Unicode's invisible and direction marks are shown as \n, \x1b, \u202e.
   NULL when the arena is exhausted. */
char *text_escape(struct str s, struct arena *a) MUST_CHECK;

/* Terminal columns that an escaped text takes: East Asian wide characters take two, combining ones none. */
size_t text_width(const char *s);
/* Bytes of the longest beginning of s that takes at most `columns` columns. */
size_t text_fit(const char *s, size_t columns);

/* "512 B", "4.0 KiB", "1.5 GiB"; returns out. */
char *text_size(int64_t bytes, char out[TEXT_SHORT_MAX]);
/* "now", "12 s ago", "3 min ago", "5 h ago", "2 days ago"; from a day before 60 days on the date; and
   "in 3 min" for what is to come; returns out. Both are Unix milliseconds. */
char *text_ago(int64_t then_ms, int64_t now_ms, char out[TEXT_SHORT_MAX]);
/* "0:07", "12:30", "3:00:00"; returns out. */
char *text_clock(int64_t seconds, char out[TEXT_SHORT_MAX]);

/* RFC 3339 with any offset and any fraction to Unix milliseconds. */
int text_parse_time(struct str s, int64_t *unix_ms) MUST_CHECK;
/* "90", "90s", "30min", "12h", "7d", "2w" to seconds, 1..max_s. */
int text_parse_duration(const char *s, int64_t max_s, int64_t *seconds) MUST_CHECK;

#endif
