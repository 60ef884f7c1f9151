/*
 * Times that repeat, in the notation of Quartz (as hawkBit takes it for maintenance windows): six or seven
 * fields, seconds minutes hours day-of-month month day-of-week [year].
 *
 *   field          values               also
 *   seconds        0-59                 , - * /
 *   minutes        0-59                 , - * /
 *   hours          0-23                 , - * /
 *   day of month   1-31                 , - * / ? L L-3 LW 15W
 *   month          1-12, JAN-DEC        , - * /
 *   day of week    1-7, SUN-SAT         , - * / ? 6L FRIL 6#3 FRI#3; L is 7
 *   year           1970-2099            , - * /; left out: every year
 *
 * Exactly one of the two day fields is "?", as in Quartz. A range may run over the end (22-2, FRI-MON), but
 * not in the year. nW is the weekday (Monday to Friday) nearest to day n and in its month; a month without
 * day n has none. L, W and # may stand in lists. Names in any case.
 */
#ifndef PQOTA_MODEL_CRON_H
#define PQOTA_MODEL_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define CRON_TEXT_MAX 256
#define CRON_YEAR_MIN 1970
#define CRON_YEAR_MAX 2099
/* The longest that any rule of the calendar stays away: 29 February on one day of the week, around 2100. */
#define CRON_YEARS_AHEAD 40

/* Sets, a bit a value; days and months begin at bit 1, Sunday is 1. */
struct cron {
    uint64_t seconds, minutes;
    uint32_t hours, months;
    uint32_t days;         /* of the month */
    uint32_t before_last;  /* bit n: n days before the month's last (L, L-n) */
    uint32_t near;         /* nW */
    uint32_t near_last;    /* bit n: the weekday nearest to n days before the month's last (LW, L-nW) */
    bool by_weekday;       /* the day of month is "?" */
    uint8_t weekdays;      /* every such day */
    uint8_t last_weekdays; /* the month's last such day (6L) */
    uint8_t nth[5];        /* nth[k - 1]: the month's k-th such day (6#k) */
    bool any_year;
    uint64_t years[3]; /* bit 0: 1970 */
};

/* *out lives in the arena. ERR_INVALID names the field; ERR_NOMEM: the arena is exhausted. */
int cron_parse(struct str text, struct arena *a, const struct cron **out, struct err *e) MUST_CHECK;

/* The first time strictly after `after_s` (Unix seconds), by a clock that runs offset_minutes ahead of UTC
   the whole year. 0: never again. Looks at months, not seconds: at most CRON_YEARS_AHEAD years of them, or
   those of the year field. A time before 1970 is taken as 1970's beginning. */
int64_t cron_next(const struct cron *c, int64_t after_s, int offset_minutes);

#endif
