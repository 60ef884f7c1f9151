#include "pqfleet/draw.h"

const char *const fate_names[FATES] = {"succeed", "fail", "vanish", "hang", "fall-back"};

enum purpose { PURPOSE_FATE, PURPOSE_CONSENT, PURPOSE_TIMES, PURPOSES };

#define STEP 0x9e3779b97f4a7c15ULL /* of splitmix64 */

/* splitmix64's output function: each bit of x changes half of the result's. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

static uint64_t point(uint64_t seed, uint64_t number, uint64_t attempt, enum purpose p)
{
    uint64_t x = mix(seed + STEP);
    x = mix(x + number * STEP);
    return mix(x + (attempt * PURPOSES + p + 1) * STEP);
}

/* [0, 1), with the 53 bits that a double holds. */
static double share(uint64_t x)
{
    return (double)(x >> 11) * 0x1p-53;
}

enum fate draw_fate(const struct rates *r, uint64_t seed, uint64_t number, uint32_t attempt)
{
    double u = share(point(seed, number, attempt, PURPOSE_FATE));
    if (u < r->vanish)
        return FATE_VANISH;
    u -= r->vanish;
    if (u < r->hang)
        return FATE_HANG;
    u -= r->hang;
    if (u < r->fall_back)
        return FATE_FALL_BACK;
    u -= r->fall_back;
    return u < r->fail ? FATE_FAIL : FATE_SUCCEED;
}

bool draw_denial(const struct rates *r, uint64_t seed, uint64_t number, uint32_t attempt)
{
    return share(point(seed, number, attempt, PURPOSE_CONSENT)) < r->deny;
}

uint64_t draw_start(uint64_t seed, uint64_t number)
{
    return point(seed, number, 0, PURPOSE_TIMES);
}

double draw_next(uint64_t *state)
{
    *state += STEP;
    return share(mix(*state));
}
