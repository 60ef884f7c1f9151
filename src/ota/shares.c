#include "ota/shares.h"

#include "model/filter.h"

static bool is_shared(const struct shares *s, size_t i)
{
    return s->filters[i] == NULL && s->phases[i].devices == 0;
}

int shares_init(struct shares *s, struct arena *a, const struct phase *phases, size_t count, struct err *e)
{
    struct shares made = {.phases = phases, .count = count};
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (phases[i].filter[0] != '\0')
            rc = filter_parse(str_of(phases[i].filter), a, &made.filters[i], e);
        for (int m = 0; m < MEMBER_STATES; m++)
            made.taken[i] += m != MEMBER_ALREADY ? phases[i].members[m] : 0;
        if (is_shared(&made, i))
            made.shared += made.taken[i];
    }
    if (rc == 0)
        *s = made;
    return rc;
}

/* Room for one more of n devices, of which the phases up to this one are to have `percent`: rounded up, so
   that the first device of all goes to the first phase. */
static bool has_share(int64_t taken, int64_t percent, int64_t n)
{
    return taken < (percent * n + 99) / 100;
}

size_t shares_last(const struct shares *s)
{
    return s->count > 0 ? s->count - 1 : 0;
}

/* The first that wants it. */
size_t shares_phase_of(const struct shares *s, unsigned matches)
{
    int64_t percent = 0, taken = 0;
    for (size_t i = 0; i + 1 < s->count; i++) {
        const struct phase *ph = &s->phases[i];
        bool filtered = s->filters[i] != NULL;
        if (filtered && (matches & (1u << i)) == 0)
            continue;
        if (ph->devices != 0 ? s->taken[i] < ph->devices : filtered)
            return i;
        if (ph->devices != 0)
            continue;
        percent += ph->percent;
        taken += s->taken[i];
        if (has_share(taken, percent, s->shared + 1))
            return i;
    }
    return shares_last(s);
}

void shares_take(struct shares *s, size_t phase)
{
    s->taken[phase]++;
    s->shared += is_shared(s, phase);
}
