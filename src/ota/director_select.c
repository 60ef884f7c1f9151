#include "ota/director_select.h"

/* NULL when a device may be told to run it, else why not. */
static const char *objection(const struct director_release *r, bool one_file)
{
    if (!r->vouched)
        return "the vendor did not sign it for the device's model";
    if (r->files == 0)
        return "it has no file";
    if (one_file && r->files != 1)
        return "it has several files, and a manifest names one";
    return NULL;
}

struct director_decision ota_director_select(const struct director_facts *f)
{
    const struct director_release *r = f->open != NULL ? f->open : f->succeeded;
    if (r == NULL)
        return (struct director_decision){.reason = "nothing was ever offered to it, or nothing succeeded"};
    const char *why_not = objection(r, f->one_file);
    if (r->deleted && f->open == NULL) /* what is under way goes on */
        why_not = "it was deleted";
    if (why_not != NULL)
        return (struct director_decision){.reason = why_not, .hindered = true};
    return (struct director_decision){
        .release = r, .reason = f->open != NULL ? "an update is under way" : "what it installed last"};
}
