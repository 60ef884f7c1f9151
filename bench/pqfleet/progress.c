#include "pqfleet/progress.h"

#include <stdio.h>

#define EACH_NS 1000000000ULL

static unsigned long long number(uint64_t n)
{
    return (unsigned long long)n;
}

void progress_tick(struct progress *p, struct fleet *f, uint64_t now)
{
    if (now - p->at < EACH_NS)
        return;
    const struct counts *c = &f->counts;
    double seconds = (double)(now - p->at) / 1e9;
    if (f->sim.fates != NULL)
        fflush(f->sim.fates); /* an error stays with it, and is told at the end */
    if (f->options->progress)
        fprintf(
            stderr,
            "%5.0f s  %.0f requests/s, %.0f polls/s, %llu connections; offers %llu, successes %llu, failures "
            "%llu, fell back %llu, done %llu of %llu; errors %llu\n",
            (double)(now - f->begun) / 1e9, (double)(c->requests - p->requests) / seconds,
            (double)(c->polls - p->polls) / seconds, number(c->open), number(c->offers),
            number(c->outcomes[OUTCOME_SUCCESS]), number(c->outcomes[OUTCOME_FAILURE]),
            number(c->outcomes[OUTCOME_FELL_BACK]), number(c->settled), number(f->options->devices),
            number(c->error_count));
    *p = (struct progress){.at = now, .requests = c->requests, .polls = c->polls};
}
