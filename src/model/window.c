#include "model/window.h"

void window_at(const struct window *w, int64_t now_s, struct window_state *out)
{
    /* The first that had not ended by now: one that began earlier has. */
    int64_t begins = cron_next(w->schedule, now_s - w->seconds, w->offset_minutes);
    *out = (struct window_state){.open = begins != 0 && begins <= now_s,
                                 .begins_s = begins,
                                 .ends_s = begins != 0 ? begins + w->seconds : 0};
}

static int two_digits(struct str s, size_t at, int max, int *out)
{
    uint64_t v = 0;
    if (s.n < at + 2 || str_to_u64((struct str){.p = s.p + at, .n = 2}, (uint64_t)max, &v) != 0)
        return ERR_INVALID;
    *out = (int)v;
    return 0;
}

int window_parse_zone(struct str text, int *offset_minutes, struct err *e)
{
    if (str_is(text, "Z")) {
        *offset_minutes = 0;
        return 0;
    }
    int hours = 0, minutes = 0;
    bool shape = text.n == 6 && (text.p[0] == '+' || text.p[0] == '-') && text.p[3] == ':';
    if (!shape || two_digits(text, 1, 18, &hours) != 0 || two_digits(text, 4, 59, &minutes) != 0 ||
        hours * 60 + minutes > WINDOW_OFFSET_MAX)
        return err_set(e, ERR_INVALID,
                       "the time zone is written like +02:00, -03:30 or Z, at most 18 hours from UTC");
    *offset_minutes = (hours * 60 + minutes) * (text.p[0] == '-' ? -1 : 1);
    return 0;
}

int window_parse_duration(struct str text, int64_t *seconds, struct err *e)
{
    struct str rest = text, hours;
    uint64_t h = 0;
    int m = 0, s = 0;
    bool ok = text.n >= 8 && text.n <= 9 && str_split(&rest, ':', &hours) && hours.n >= 2 &&
              str_to_u64(hours, WINDOW_SECONDS_MAX / 3600, &h) == 0 && rest.n == 5 && rest.p[2] == ':' &&
              two_digits(rest, 0, 59, &m) == 0 && two_digits(rest, 3, 59, &s) == 0;
    int64_t all = (int64_t)h * 3600 + m * 60 + s;
    if (!ok || all < 1 || all > WINDOW_SECONDS_MAX)
        return err_set(e, ERR_INVALID,
                       "the duration is written HH:MM:SS, like 02:00:00, from one second to 168 hours");
    *seconds = all;
    return 0;
}
