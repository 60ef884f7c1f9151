#include "model/deployment.h"

#include <stdio.h>

#define YEAR_SECONDS ((int64_t)366 * 86400)
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char *const kinds[] = {
    [TARGET_DEVICE] = "device",         [TARGET_TAG] = "tag",
    [TARGET_MODEL] = "model",           [TARGET_ALL] = "all",
    [TARGET_FILTER] = "filter",         [TARGET_LIST] = "list",
    [TARGET_DEPLOYMENT] = "deployment",
};
static const char *const modes[] = {
    [MODE_FORCED] = "forced",
    [MODE_SOFT] = "soft",
    [MODE_DOWNLOAD_ONLY] = "download_only",
    [MODE_TIME_FORCED] = "time_forced",
};
static const char *const member_states[] = {
    [MEMBER_WAITING] = "waiting", [MEMBER_ACTIVE] = "active", [MEMBER_SUCCEEDED] = "succeeded",
    [MEMBER_ALREADY] = "already", [MEMBER_FAILED] = "failed", [MEMBER_CANCELLED] = "cancelled",
};

#define TO(s) (1u << (s))
static const struct {
    const char *word;
    unsigned next; /* bit set of states */
} states[] = {
    [DEPLOYMENT_APPROVAL] = {"approval", TO(DEPLOYMENT_SCHEDULED) | TO(DEPLOYMENT_RUNNING) |
                                             TO(DEPLOYMENT_DENIED) | TO(DEPLOYMENT_CANCELLED)},
    [DEPLOYMENT_SCHEDULED] = {"scheduled",
                              TO(DEPLOYMENT_RUNNING) | TO(DEPLOYMENT_PAUSED) | TO(DEPLOYMENT_CANCELLED)},
    [DEPLOYMENT_RUNNING] = {"running",
                            TO(DEPLOYMENT_PAUSED) | TO(DEPLOYMENT_FINISHED) | TO(DEPLOYMENT_CANCELLED)},
    [DEPLOYMENT_PAUSED] = {"paused", TO(DEPLOYMENT_RUNNING) | TO(DEPLOYMENT_SCHEDULED) |
                                         TO(DEPLOYMENT_FINISHED) | TO(DEPLOYMENT_CANCELLED)},
    [DEPLOYMENT_FINISHED] = {"finished", 0},
    [DEPLOYMENT_CANCELLED] = {"cancelled", 0},
    [DEPLOYMENT_DENIED] = {"denied", 0},
};

static int find(const char *const *words, size_t n, struct str word)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(word, words[i]))
            return (int)i;
    return ERR_INVALID;
}

const char *target_kind_word(enum target_kind k)
{
    return kinds[k];
}

int target_kind_parse(struct str word, enum target_kind *out)
{
    int i = find(kinds, COUNT(kinds), word);
    if (i < 0)
        return i;
    *out = (enum target_kind)i;
    return 0;
}

const char *deployment_state_word(enum deployment_state s)
{
    return states[s].word;
}

int deployment_state_parse(struct str word, enum deployment_state *out)
{
    for (size_t i = 0; i < COUNT(states); i++)
        if (str_is(word, states[i].word)) {
            *out = (enum deployment_state)i;
            return 0;
        }
    return ERR_INVALID;
}

const char *deployment_mode_word(enum deployment_mode m)
{
    return modes[m];
}

int deployment_mode_parse(struct str word, enum deployment_mode *out)
{
    int i = find(modes, COUNT(modes), word);
    if (i < 0)
        return i;
    *out = (enum deployment_mode)i;
    return 0;
}

const char *member_state_word(enum member_state s)
{
    return member_states[s];
}

int member_state_parse(struct str word, enum member_state *out)
{
    int i = find(member_states, COUNT(member_states), word);
    if (i < 0)
        return i;
    *out = (enum member_state)i;
    return 0;
}

bool deployment_may_move(enum deployment_state from, enum deployment_state to)
{
    return (states[from].next & TO(to)) != 0;
}

bool deployment_is_over(enum deployment_state s)
{
    return states[s].next == 0;
}

int deployment_check_target(enum target_kind kind, struct str target, struct err *e)
{
    switch (kind) {
    case TARGET_DEVICE:
        if (!str_is_device_id(target))
            return err_set(e, ERR_INVALID, "target: value must be a device's id");
        return 0;
    case TARGET_TAG:
    case TARGET_MODEL:
        if (!str_is_name(target))
            return err_set(e, ERR_INVALID, "target: value must be a %s's name", kinds[kind]);
        return 0;
    case TARGET_ALL:
        if (target.n != 0)
            return err_set(e, ERR_INVALID, "target: leave value out for all devices");
        return 0;
    case TARGET_FILTER:
        if (target.n == 0)
            return err_set(e, ERR_INVALID, "target: value must be a filter, such as model==gw1;tag==beta");
        return 0;
    case TARGET_LIST:
    case TARGET_DEPLOYMENT:
        break;
    }
    return err_set(e, ERR_INVALID, "target: kind is device, tag, model, filter or all");
}

const char *deployment_filter(enum target_kind kind, const char *target, struct arena *a)
{
    switch (kind) {
    case TARGET_DEVICE: /* names and ids hold no character that means anything in quotes */
        return arena_printf(a, "id==\"%s\"", target);
    case TARGET_TAG:
        return arena_printf(a, "tag==\"%s\"", target);
    case TARGET_MODEL:
        return arena_printf(a, "model==\"%s\"", target);
    case TARGET_FILTER:
        return target;
    case TARGET_ALL:
    case TARGET_LIST:
    case TARGET_DEPLOYMENT:
        break;
    }
    return "";
}

/* --- policy -------------------------------------------------------------------------------------------- */

static int check_number(const char *what, int64_t n, int64_t least, int64_t most, struct err *e)
{
    if (n >= least && n <= most)
        return 0;
    return err_set(e, ERR_INVALID, "%s: a number from %lld to %lld, not %lld", what, (long long)least,
                   (long long)most, (long long)n);
}

int deployment_check_policy(const struct deployment_policy *p, struct err *e)
{
    int rc = check_number("priority", p->priority, 0, DEPLOYMENT_PRIORITY_MAX, e);
    if (rc == 0)
        rc = check_number("per_minute", p->per_minute, 0, 1000000, e);
    if (rc == 0)
        rc = check_number("deadline", p->deadline_seconds, 0, YEAR_SECONDS, e);
    if (rc == 0)
        rc = check_number("retries", p->retries, 0, 100, e);
    if (rc == 0)
        rc = check_number("retry_after", p->retry_seconds, 1, DEPLOYMENT_RETRY_SECONDS_MAX, e);
    if (rc == 0 && p->window_schedule != NULL)
        rc = check_number("the window's duration", p->window_seconds, 1, 7 * 86400, e);
    if (rc == 0 && (p->mode == MODE_TIME_FORCED) != (p->force_at != 0))
        rc = err_set(e, ERR_INVALID, "force_at: when the mode is time_forced, and only then, say from when");
    return rc;
}

static int check_phase(const struct phase *p, size_t i, bool last, struct err *e)
{
    char what[64];
    snprintf(what, sizeof what, "phase %zu: percent", i + 1);
    int rc = check_number(what, p->percent, 0, 100, e);
    snprintf(what, sizeof what, "phase %zu: devices", i + 1);
    if (rc == 0)
        rc = check_number(what, p->devices, 0, 1000000000, e);
    snprintf(what, sizeof what, "phase %zu: success", i + 1);
    if (rc == 0)
        rc = check_number(what, p->success_percent, 0, 100, e);
    snprintf(what, sizeof what, "phase %zu: errors", i + 1);
    if (rc == 0)
        rc = check_number(what, p->error_percent, 0, 100, e);
    if (rc == 0)
        rc = check_number(what, p->error_count, 0, 1000000000, e);
    if (rc != 0)
        return rc;
    if (p->percent != 0 && (p->devices != 0 || p->filter[0] != '\0'))
        return err_set(e, ERR_INVALID, "phase %zu: percent stands alone, without devices and filter", i + 1);
    if (last && (p->percent != 0 || p->devices != 0 || p->filter[0] != '\0'))
        return err_set(e, ERR_INVALID,
                       "phase %zu: the last one takes the rest: leave percent, devices and filter out",
                       i + 1);
    if (!last && p->percent == 0 && p->devices == 0 && p->filter[0] == '\0')
        return err_set(e, ERR_INVALID, "phase %zu: say what it takes: percent, devices or filter", i + 1);
    return 0;
}

int deployment_check_phases(const struct phase *phases, size_t count, struct err *e)
{
    if (count < 1 || count > DEPLOYMENT_PHASES_MAX)
        return err_set(e, ERR_INVALID, "phases: from 1 to %d, not %zu", DEPLOYMENT_PHASES_MAX, count);
    int64_t percent = 0;
    for (size_t i = 0; i < count; i++) {
        int rc = check_phase(&phases[i], i, i + 1 == count, e);
        if (rc != 0)
            return rc;
        percent += phases[i].percent;
    }
    if (percent > 100)
        return err_set(e, ERR_INVALID, "phases: they take %lld %% together; 100 at most", (long long)percent);
    return 0;
}

static int64_t counted(const struct phase *p)
{
    return p->members[MEMBER_WAITING] + p->members[MEMBER_ACTIVE] + p->members[MEMBER_SUCCEEDED] +
           p->members[MEMBER_FAILED];
}

bool phase_passed(const struct phase *p)
{
    return p->members[MEMBER_SUCCEEDED] * 100 >= p->success_percent * counted(p);
}

bool phase_broken(const struct phase *p)
{
    int64_t failed = p->members[MEMBER_FAILED];
    if (failed == 0)
        return false;
    return (p->error_count != 0 && failed >= p->error_count) ||
           (p->error_percent != 0 && failed * 100 >= p->error_percent * counted(p));
}

bool phase_fell_short(const struct phase *p)
{
    return p->members[MEMBER_WAITING] == 0 && p->members[MEMBER_ACTIVE] == 0 && !phase_passed(p);
}
