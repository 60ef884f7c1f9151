#include "model/cron.h"

struct field {
    const char *name;
    int min, max;
    const char *words; /* three letters each, the first for min; "" for none */
};

enum { SECONDS, MINUTES, HOURS, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR, FIELDS };

static const struct field fields[FIELDS] = {
    [SECONDS] = {"seconds", 0, 59, ""},
    [MINUTES] = {"minutes", 0, 59, ""},
    [HOURS] = {"hours", 0, 23, ""},
    [DAY_OF_MONTH] = {"day of month", 1, 31, ""},
    [MONTH] = {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"},
    [DAY_OF_WEEK] = {"day of week", 1, 7, "SUNMONTUEWEDTHUFRISAT"},
    [YEAR] = {"year", CRON_YEAR_MIN, CRON_YEAR_MAX, ""},
};

struct set {
    uint64_t bits[3]; /* bit 0: 0, or the first year */
};

struct parse {
    struct cron *cron;
    const struct field *field;
    struct str item; /* what is read now, of a list */
    struct str rest; /* of it */
    struct err *e;
};

static int refuse(const struct parse *p, const char *why)
{
    return err_set(p->e, ERR_INVALID, "schedule, %s: \"" STR_FMT "\": %s", p->field->name, STR_ARG(p->item),
                   why);
}

static int refuse_range(const struct parse *p, const char *what)
{
    const struct field *f = p->field;
    return err_set(p->e, ERR_INVALID, "schedule, %s: \"" STR_FMT "\": %s goes from %d to %d%s", f->name,
                   STR_ARG(p->item), what, f->min, f->max,
                   f->words[0] == '\0' ? "" : (f->max == 7 ? ", or SUN to SAT" : ", or JAN to DEC"));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool next_is(const struct parse *p, char c)
{
    return p->rest.n > 0 && p->rest.p[0] == c;
}

static void skip(struct parse *p, size_t n)
{
    p->rest.p += n;
    p->rest.n -= n;
}

static bool take(struct parse *p, char c)
{
    bool is = next_is(p, c) || (c >= 'A' && c <= 'Z' && next_is(p, (char)(c + 'a' - 'A')));
    if (is)
        skip(p, 1);
    return is;
}

static int take_number(struct parse *p, int max, int *out)
{
    struct str digits = {.p = p->rest.p, .n = 0};
    while (digits.n < p->rest.n && is_digit(digits.p[digits.n]))
        digits.n++;
    uint64_t v = 0;
    if (str_to_u64(digits, (uint64_t)max, &v) != 0)
        return ERR_INVALID;
    skip(p, digits.n);
    *out = (int)v;
    return 0;
}

static int take_value(struct parse *p, int *out)
{
    const struct field *f = p->field;
    int v = -1;
    if (p->rest.n > 0 && is_digit(p->rest.p[0])) {
        if (take_number(p, f->max, &v) != 0 || v < f->min)
            return refuse_range(p, "this field");
        *out = v;
        return 0;
    }
    size_t words = strlen(f->words) / 3;
    for (size_t i = 0; i < words && p->rest.n >= 3; i++)
        if (str_eq_nocase((struct str){.p = p->rest.p, .n = 3}, (struct str){.p = f->words + 3 * i, .n = 3}))
            v = f->min + (int)i;
    if (v < 0)
        return refuse_range(p, "this field");
    skip(p, 3);
    *out = v;
    return 0;
}

static int take_step(struct parse *p, int *step)
{
    const struct field *f = p->field;
    if (!take(p, '/'))
        return 0;
    if (take_number(p, f->max - (f == &fields[YEAR] ? f->min : 0), step) != 0 || *step == 0)
        return refuse(p, "behind \"/\" stands a step from 1 to the field's largest value");
    return 0;
}

static void add(const struct field *f, struct set *set, int value)
{
    unsigned bit = (unsigned)(f == &fields[YEAR] ? value - f->min : value);
    set->bits[bit / 64] |= (uint64_t)1 << (bit % 64);
}

static int end_of_item(const struct parse *p)
{
    if (p->rest.n == 0)
        return 0;
    bool days = p->field == &fields[DAY_OF_MONTH] || p->field == &fields[DAY_OF_WEEK];
    return refuse(p, days ? "nothing else may stand behind what was read; fields of days take "
                            "numbers, names, , - * / ? L W #"
                          : "nothing else may stand behind what was read; this field takes , - * /");
}

/* One value, a range, everything; with or without a step. */
static int plain_item(struct parse *p, struct set *set)
{
    const struct field *f = p->field;
    int first = f->min, last = f->max, step = 1;
    if (!take(p, '*') && !next_is(p, '/')) {
        int rc = take_value(p, &first);
        if (rc != 0)
            return rc;
        last = next_is(p, '/') ? f->max : first;
        if (take(p, '-')) {
            rc = take_value(p, &last);
            if (rc != 0)
                return rc;
        }
    }
    int rc = take_step(p, &step);
    if (rc == 0)
        rc = end_of_item(p);
    if (rc != 0)
        return rc;
    int ring = f->max - f->min + 1;
    if (last < first) {
        if (f == &fields[YEAR])
            return refuse(p, "a range of years ends no earlier than it begins");
        last += ring;
    }
    for (int v = first; v <= last; v += step)
        add(f, set, v > f->max ? v - ring : v);
    return 0;
}

/* L, L-n, LW, L-nW */
static int last_day_item(struct parse *p)
{
    int before = 0;
    if (take(p, '-') && take_number(p, 30, &before) != 0)
        return refuse(p, "behind \"L-\" stands a number of days, at most 30");
    uint32_t *set = take(p, 'W') ? &p->cron->near_last : &p->cron->before_last;
    int rc = end_of_item(p);
    if (rc == 0)
        *set |= 1U << before;
    return rc;
}

static int day_of_month_item(struct parse *p, struct set *set)
{
    if (take(p, 'L'))
        return last_day_item(p);
    size_t digits = 0;
    while (digits < p->rest.n && is_digit(p->rest.p[digits]))
        digits++;
    if (digits == 0 || digits == p->rest.n || (p->rest.p[digits] != 'W' && p->rest.p[digits] != 'w'))
        return plain_item(p, set);
    int day = 0;
    int rc = take_value(p, &day);
    if (rc != 0)
        return rc;
    (void)take(p, 'W');
    rc = end_of_item(p);
    if (rc == 0)
        p->cron->near |= 1U << day;
    return rc;
}

static int day_of_week_item(struct parse *p, struct set *set)
{
    struct str whole = p->rest;
    int day = 7, k = 0;
    if (take(p, 'L')) {
        int rc = end_of_item(p);
        if (rc == 0)
            add(p->field, set, day);
        return rc;
    }
    if (next_is(p, '*') || next_is(p, '/'))
        return plain_item(p, set);
    int rc = take_value(p, &day);
    if (rc != 0)
        return rc;
    uint8_t *days = NULL;
    if (take(p, 'L')) {
        days = &p->cron->last_weekdays;
    } else if (take(p, '#')) {
        if (take_number(p, 5, &k) != 0 || k == 0)
            return refuse(p, "behind \"#\" stands which one of the month, from 1 to 5");
        days = &p->cron->nth[k - 1];
    }
    if (days == NULL) {
        p->rest = whole;
        return plain_item(p, set);
    }
    rc = end_of_item(p);
    if (rc == 0)
        *days = (uint8_t)(*days | 1U << day);
    return rc;
}

static int parse_field(struct parse *p, struct str text, struct set *set)
{
    struct str left = text;
    while (str_split(&left, ',', &p->item)) {
        p->rest = p->item;
        int rc = 0;
        if (p->item.n == 0) {
            p->item = text;
            return refuse(p, "a list has a value on either side of each comma");
        }
        if (next_is(p, '?'))
            rc = refuse(p, "\"?\" stands alone, in one of the two fields of days");
        else if (p->field == &fields[DAY_OF_MONTH])
            rc = day_of_month_item(p, set);
        else if (p->field == &fields[DAY_OF_WEEK])
            rc = day_of_week_item(p, set);
        else
            rc = plain_item(p, set);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Cuts the text at its blanks. */
static int cut(struct str text, struct str out[FIELDS], size_t *count, struct err *e)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n;) {
        unsigned char c = (unsigned char)text.p[i];
        if (c != '\t' && (c < 0x20 || c > 0x7E))
            return err_set(e, ERR_INVALID, "the schedule has a character that is not ASCII, at byte %zu",
                           i + 1);
        if (c == ' ' || c == '\t') {
            i++;
            continue;
        }
        struct str word = {.p = text.p + i, .n = 0};
        while (i < text.n && text.p[i] > ' ' && text.p[i] < 0x7F) {
            word.n++;
            i++;
        }
        if (n < FIELDS)
            out[n] = word;
        n++;
    }
    if (n != FIELDS && n != FIELDS - 1)
        return err_set(
            e, ERR_INVALID,
            "the schedule has %zu fields; it has six or seven, seconds minutes hours day-of-month month "
            "day-of-week [year], like \"0 0 2 ? * *\"",
            n);
    *count = n;
    return 0;
}

int cron_parse(struct str text, struct arena *a, const struct cron **out, struct err *e)
{
    struct str words[FIELDS];
    size_t count = 0;
    if (text.n > CRON_TEXT_MAX)
        return err_set(e, ERR_INVALID, "the schedule is longer than %d bytes", CRON_TEXT_MAX);
    int rc = cut(text, words, &count, e);
    if (rc != 0)
        return rc;
    bool no_day = str_is(words[DAY_OF_MONTH], "?");
    if (no_day == str_is(words[DAY_OF_WEEK], "?"))
        return err_set(
            e, ERR_INVALID,
            "schedule, day of month and day of week: exactly one of them is \"?\", as in \"0 0 2 ? * "
            "SUN\" or \"0 0 2 1 * ?\"");
    struct cron c = {.by_weekday = no_day, .any_year = count < FIELDS || str_is(words[YEAR], "*")};
    struct set sets[FIELDS] = {0};
    for (size_t i = 0; i < count; i++) {
        struct parse p = {.cron = &c, .field = &fields[i], .e = e};
        if (str_is(words[i], "?") && (i == DAY_OF_MONTH || i == DAY_OF_WEEK))
            continue;
        rc = parse_field(&p, words[i], &sets[i]);
        if (rc != 0)
            return rc;
    }
    c.seconds = sets[SECONDS].bits[0];
    c.minutes = sets[MINUTES].bits[0];
    c.hours = (uint32_t)sets[HOURS].bits[0];
    c.days = (uint32_t)sets[DAY_OF_MONTH].bits[0];
    c.months = (uint32_t)sets[MONTH].bits[0];
    c.weekdays = (uint8_t)sets[DAY_OF_WEEK].bits[0];
    memcpy(c.years, sets[YEAR].bits, sizeof c.years);
    struct cron *kept = arena_new(a, struct cron);
    if (kept == NULL)
        return err_set(e, ERR_NOMEM, "there is no memory for the schedule");
    *kept = c;
    *out = kept;
    return 0;
}
