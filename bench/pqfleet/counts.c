#include "pqfleet/counts.h"

#include <stdio.h>

const char *const error_names[ERROR_KINDS] = {"connect", "io",    "closed", "http",
                                              "status",  "reply", "timeout"};

const char *const outcome_names[OUTCOMES] = {
    "success", "failure",   "fell-back", "downloaded", "vanished",   "hung",      "cancelled",
    "denied",  "withdrawn", "asked",     "offered",    "proceeding", "reporting", "claimed",
};

void counts_error(struct counts *c, enum error_kind kind, const char *text)
{
    c->errors[kind]++;
    if (c->error_count < COUNTS_SAMPLES)
        snprintf(c->samples[c->error_count], ERR_TEXT_MAX, "%s: %s", error_names[kind], text);
    c->error_count++;
}
