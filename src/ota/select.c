#include "ota/select.h"

#include <string.h>

/* Whether the release is one that this device should ever get from this deployment. */
static enum reason fits(const struct select_facts *f, const struct candidate *c)
{
    if (f->version != NULL && strcmp(f->version, c->version) == 0)
        return REASON_RUNS;
    if (c->deployment < f->moved_back)
        return REASON_OLDER_THAN_BACK;
    if (c->sequence > f->sequence)
        return REASON_NEWER;
    if (!c->policy.allow_downgrade)
        return REASON_NOT_NEWER;
    /* A second try is no older order than the first. */
    return c->deployment > f->newest_deployment || (c->attempts > 0 && c->deployment == f->newest_deployment)
               ? REASON_BACK
               : REASON_OLDER_ORDER;
}

/* Whether the deployment runs, for the phase that the device is in. */
static enum reason turn(const struct candidate *c)
{
    switch (c->state) {
    case DEPLOYMENT_APPROVAL:
        return REASON_APPROVAL;
    case DEPLOYMENT_SCHEDULED:
        return REASON_SCHEDULED;
    case DEPLOYMENT_PAUSED:
        return REASON_PAUSED;
    case DEPLOYMENT_FINISHED:
    case DEPLOYMENT_CANCELLED:
    case DEPLOYMENT_DENIED:
        return REASON_DONE;
    case DEPLOYMENT_RUNNING:
        break;
    }
    return c->phase > c->open_phase ? REASON_PHASE : REASON_NEWER;
}

static enum reason now(const struct select_facts *f, const struct candidate *c, enum select_window window)
{
    const struct deployment_policy *p = &c->policy;
    if (c->retry_at > f->now)
        return REASON_RETRY;
    if (window == SELECT_WINDOW_CLOSED && !f->waits_in_window)
        return REASON_WINDOW;
    if (p->per_minute != 0 && c->minute == f->now / 60000 && c->begun >= p->per_minute)
        return REASON_RATE;
    return REASON_NEWER;
}

enum reason ota_select_one(const struct select_facts *f, size_t i)
{
    const struct candidate *c = &f->candidates[i];
    if (c->member == MEMBER_ACTIVE && (f->open == NULL || f->open->deployment != c->deployment))
        return REASON_BUSY; /* an attempt of it is queued behind another */
    if (c->member != MEMBER_WAITING)
        return c->member == MEMBER_ACTIVE ? REASON_UNDER_WAY : REASON_DONE;
    enum reason fit = fits(f, c);
    if (fit == REASON_RUNS)
        return fit; /* also when that is why it matches no more */
    if (c->left)
        return REASON_LEFT;
    if (fit != REASON_NEWER && fit != REASON_BACK)
        return fit;
    enum reason r = turn(c);
    if (r == REASON_NEWER && c->phase > 0 && !c->prepared)
        r = REASON_PREPARING;
    if (r == REASON_NEWER)
        r = now(f, c, f->windows[i]);
    return r == REASON_NEWER ? fit : r;
}

static bool goes_first(const struct candidate *c, int priority, int64_t deployment)
{
    return c->policy.priority != priority ? c->policy.priority > priority : c->deployment > deployment;
}

/* For the same release, which then stays, for one that is newer, or one that says that older is fine. */
static bool outranks(const struct select_facts *f, const struct candidate *c)
{
    return action_may_cancel(f->open->state) && goes_first(c, f->open_priority, f->open->deployment) &&
           (c->release != f->open->release ? c->sequence > f->open_sequence || c->policy.allow_downgrade
                                           : !f->open_paused);
}

static struct select_decision stay(const struct select_facts *f)
{
    const struct action *open = f->open;
    struct select_decision d = {SELECT_KEEP, NULL, REASON_UNDER_WAY, open->deployment};
    if (open->state == ACTION_CANCELLING) {
        d.reason = REASON_CANCELLING;
    } else if (open->state == ACTION_WAITING) {
        d.reason = REASON_CONSENT;
    } else if (f->open_paused && open->state == ACTION_OFFERED && !open->retrieved) {
        d.kind = SELECT_WITHHOLD;
        d.reason = REASON_PAUSED;
    }
    return d;
}

struct select_decision ota_select(const struct select_facts *f)
{
    const struct candidate *best = NULL;
    struct select_decision d = {.reason = REASON_NOTHING};
    for (size_t i = 0; i < f->count; i++) {
        const struct candidate *c = &f->candidates[i];
        enum reason r = ota_select_one(f, i);
        if (r == REASON_NEWER || r == REASON_BACK) {
            if ((f->open == NULL || outranks(f, c)) &&
                (best == NULL || goes_first(c, best->policy.priority, best->deployment))) {
                best = c;
                d.reason = r;
            }
        } else if (best == NULL && d.deployment == 0) { /* of the newest one */
            d.reason = r;
            d.deployment = c->deployment;
        }
    }
    if (f->open != NULL && (best == NULL || best->release == f->open->release))
        return stay(f);
    if (best == NULL)
        return d;
    d.kind = f->open != NULL ? SELECT_SUPERSEDE : SELECT_OFFER;
    d.chosen = best;
    d.deployment = best->deployment;
    if (f->open != NULL)
        d.reason = REASON_SUPERSEDES;
    return d;
}
