#include "ota/select.h"

#include <string.h>

/* NULL when the device may be offered c, else why not. */
static const char *objection(const struct select_facts *f, const struct candidate *c)
{
    if (c->tried)
        return "tried already";
    if (f->version != NULL && strcmp(f->version, c->version) == 0)
        return "runs already";
    if (c->deployment < f->moved_back)
        return "an older order than the one that took it back";
    if (c->sequence > f->sequence)
        return NULL;
    if (!c->allow_downgrade)
        return "not newer than what runs";
    return c->deployment > f->newest_deployment ? NULL : "an older order than one the device followed";
}

/* A later decision for another release that is newer, or that says that older is fine. */
static bool supersedes(const struct select_facts *f, const struct candidate *c)
{
    return action_may_cancel(f->open->state) && c->deployment > f->open->deployment &&
           c->release != f->open->release && (c->sequence > f->open_sequence || c->allow_downgrade);
}

struct select_decision ota_select(const struct select_facts *f)
{
    const struct candidate *best = NULL;
    const char *reason = "nothing is deployed to it";
    for (size_t i = 0; i < f->count; i++) {
        const struct candidate *c = &f->candidates[i];
        const char *why_not = objection(f, c);
        if (why_not != NULL)
            reason = why_not;
        else if ((f->open == NULL || supersedes(f, c)) && (best == NULL || c->deployment > best->deployment))
            best = c;
    }
    if (best == NULL)
        return f->open != NULL ? (struct select_decision){SELECT_KEEP, NULL, "an update is under way"}
                               : (struct select_decision){SELECT_NOTHING, NULL, reason};
    if (f->open != NULL)
        return (struct select_decision){SELECT_SUPERSEDE, best, "a later deployment brings a newer release"};
    return (struct select_decision){
        SELECT_OFFER, best, best->sequence > f->sequence ? "newer than what runs" : "going back is allowed"};
}
