/* What stands between a device and an update, as a sentence. */
#include <stdio.h>

#include "base/clock.h"
#include "ota/why.h"

struct saying {
    struct arena *arena;
    const struct select_facts *facts;
    const struct candidate *candidate;
    const struct why_line *line;
};

struct moment {
    char text[48];
};

static struct moment moment(int64_t ms)
{
    struct moment m;
    char full[CLOCK_TEXT_MAX];
    clock_format(ms, full);
    snprintf(m.text, sizeof m.text, "%.10s %.8s UTC", full, full + 11);
    return m;
}

static const char *say_phase(const struct saying *s)
{
    const struct why_line *l = s->line;
    int percent = l->of > 0 ? (int)(100 * l->have / l->of) : 0;
    if (l->deployment.why[0] != '\0')
        return arena_printf(s->arena, "it is in phase %d of %d, and %s; pqota deployment next %lld goes on",
                            l->phase, l->phases, l->deployment.why, (long long)l->deployment.pk);
    return arena_printf(
        s->arena,
        "it is in phase %d of %d; phase %d opens when %d %% of phase %d have succeeded: %d %% so "
        "far (%lld of %lld devices)",
        l->phase, l->phases, l->waits_for + 1, l->need_percent, l->waits_for, percent, (long long)l->have,
        (long long)l->of);
}

static const char *say_priority(const struct saying *s)
{
    const struct select_facts *f = s->facts;
    int other = s->line->deployment.policy.priority, own = other;
    for (size_t i = 0; i < f->count; i++)
        if (f->candidates[i].deployment == s->line->first)
            other = f->candidates[i].policy.priority;
    if (other != own)
        return arena_printf(s->arena, "deployment %lld goes first: its priority is %d, this one's %d",
                            (long long)s->line->first, other, own);
    return arena_printf(s->arena, "deployment %lld goes first: it is the newer one",
                        (long long)s->line->first);
}

static const char *say_window(const struct saying *s)
{
    const struct deployment_policy *p = &s->line->deployment.policy;
    if (s->line->at == 0)
        return arena_printf(s->arena, "the maintenance window (%s) never opens again", p->window_schedule);
    return arena_printf(s->arena, "the maintenance window is closed; it opens at %s",
                        moment(s->line->at).text);
}

static const char *say_under_way(const struct saying *s)
{
    const struct action *act = &s->line->action;
    if (s->line->closed)
        return arena_printf(s->arena, "the update is under way: %s, and not to be installed yet: %s",
                            action_state_word(act->state), say_window(s));
    if (act->progress != ACTION_PROGRESS_NONE)
        return arena_printf(s->arena, "the update is under way: %s, %d %%, since %s",
                            action_state_word(act->state), act->progress, moment(act->created_at).text);
    return arena_printf(s->arena, "the update is under way: %s, since %s", action_state_word(act->state),
                        moment(act->created_at).text);
}

static const char *say_not_newer(const struct saying *s)
{
    return arena_printf(
        s->arena,
        "release %s (number %lld of its model) is not newer than %s, which runs (number %lld), "
        "and going back is not allowed",
        s->candidate->version, (long long)s->candidate->sequence, s->facts->version,
        (long long)s->facts->sequence);
}

static const char *say_done(const struct saying *s)
{
    const struct why_line *l = s->line;
    const struct member *m = &l->member;
    const struct action *act = &l->action;
    switch (m->state) {
    case MEMBER_SUCCEEDED:
        return arena_printf(s->arena, "it has succeeded%s%s", act->closed_at != 0 ? ", at " : "",
                            act->closed_at != 0 ? moment(act->closed_at).text : "");
    case MEMBER_ALREADY:
        return arena_printf(s->arena, "nothing was to be done: %s",
                            m->why != NULL ? m->why : "it ran the version before it was its turn");
    case MEMBER_FAILED:
        return arena_printf(s->arena, "it has failed, after %lld of %lld tries: %s", (long long)m->attempts,
                            (long long)l->deployment.policy.retries + 1,
                            m->why != NULL                            ? m->why
                            : act->pk != 0 && act->message[0] != '\0' ? act->message
                                                                      : "it did not say why");
    case MEMBER_CANCELLED:
        return arena_printf(s->arena, "its part was cancelled%s%s", m->why != NULL ? ": " : "",
                            m->why != NULL ? m->why : "");
    case MEMBER_WAITING:
    case MEMBER_ACTIVE:
        break;
    }
    return arena_printf(s->arena, "the deployment is %s", deployment_state_word(l->deployment.state));
}

static const char *say_paused(const struct saying *s)
{
    const char *why = s->line->deployment.why;
    return arena_printf(s->arena, "the deployment is paused%s%s", why[0] != '\0' ? ": " : "", why);
}

static const char *say_no_match(const struct saying *s)
{
    const struct deployment *d = &s->line->deployment;
    return d->target[0] != '\0'
               ? arena_printf(s->arena, "the device is not among those that the deployment is for (%s %s)",
                              target_kind_word(d->kind), d->target)
               : arena_printf(s->arena, "the device is not among those that the deployment is for");
}

static const char *say(const struct saying *s)
{
    const struct why_line *l = s->line;
    const struct deployment *d = &l->deployment;
    switch (l->reason) {
    case REASON_NEWER:
    case REASON_BACK:
        return arena_printf(s->arena, "the device gets %s when it asks next: %s", d->release_version,
                            reason_text(l->reason));
    case REASON_SUPERSEDES:
        return arena_printf(
            s->arena,
            "the device gets %s when it asks next, in the place of an update that has not begun "
            "to install",
            d->release_version);
    case REASON_RUNS:
        return arena_printf(s->arena, "the device runs %s already", d->release_version);
    case REASON_SCHEDULED:
        return arena_printf(s->arena, "the deployment starts at %s", moment(l->at).text);
    case REASON_PREPARING:
        return arena_printf(s->arena, "the deployment's devices are still being looked for: %d %% so far",
                            l->prepared_percent);
    case REASON_RETRY:
        return arena_printf(s->arena, "tried %lld of %lld times; again at %s", (long long)l->member.attempts,
                            (long long)d->policy.retries + 1, moment(l->at).text);
    case REASON_RATE:
        return arena_printf(s->arena, "all %lld devices that may begin in this minute have begun",
                            (long long)d->policy.per_minute);
    case REASON_CONSENT:
        return arena_printf(s->arena, "the device's user has to agree, since %s",
                            moment(l->action.created_at).text);
    case REASON_BUSY:
        return l->first != 0 ? arena_printf(s->arena, "the update of deployment %lld is finished first",
                                            (long long)l->first)
                             : reason_text(l->reason);
    case REASON_LEFT:
        return arena_printf(s->arena, "the device matches the deployment no more (%s %s)",
                            target_kind_word(d->kind), d->target);
    case REASON_PHASE:
        return say_phase(s);
    case REASON_PRIORITY:
        return say_priority(s);
    case REASON_WINDOW:
        return say_window(s);
    case REASON_UNDER_WAY:
        return say_under_way(s);
    case REASON_NOT_NEWER:
        return say_not_newer(s);
    case REASON_DONE:
        return say_done(s);
    case REASON_PAUSED:
        return say_paused(s);
    case REASON_NO_MATCH:
        return say_no_match(s);
    default:
        return reason_text(l->reason);
    }
}

int why_say(struct arena *a, const struct select_facts *f, const struct candidate *c, struct why_line *l,
            struct err *e)
{
    const struct saying s = {a, f, c, l};
    const char *text = say(&s);
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "no memory to tell why");
    l->text = text;
    return 0;
}
