#include "pqfleet/counts.h"

#include <stdio.h>
#include <string.h>

const char *const error_names[ERROR_KINDS] = {
    [ERROR_CONNECT] = "connect", [ERROR_IO] = "io",           [ERROR_CLOSED] = "closed",
    [ERROR_HTTP] = "http",       [ERROR_BUSY] = "busy",       [ERROR_STATUS] = "status",
    [ERROR_REPLY] = "reply",     [ERROR_TIMEOUT] = "timeout",
};

const char *const outcome_names[OUTCOMES] = {
    "success", "failure",   "fell-back", "downloaded", "vanished",   "hung",      "cancelled",
    "denied",  "withdrawn", "asked",     "offered",    "proceeding", "reporting", "claimed",
};

void counts_error(struct counts *c, enum error_kind kind, const char *text)
{
    char sample[ERR_TEXT_MAX];
    c->errors[kind]++;
    c->error_count++;
    snprintf(sample, sizeof sample, "%s: %s", error_names[kind], text);
    for (size_t i = 0; i < c->sample_count; i++)
        if (strcmp(c->samples[i], sample) == 0)
            return;
    if (c->sample_count < COUNTS_SAMPLES)
        memcpy(c->samples[c->sample_count++], sample, sizeof sample);
}
