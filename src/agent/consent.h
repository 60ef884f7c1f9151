/*
 * The user's consent to updates that want it. What is asked lies in one file of the state folder, what the
 * user answered in another, so that a program for people can read the one and have the other written:
 * `pqota-agent consent`.
 */
#ifndef PQOTA_AGENT_CONSENT_H
#define PQOTA_AGENT_CONSENT_H

#include "agent/config.h"
#include "agent/files.h"

struct consent {
    const struct files *files;
    bool always;
    bool asked; /* since consent_begin */
};

/* The client library's callback; ctx is a struct consent. */
enum pqota_consent consent_ask(void *ctx, const struct pqota_question *question);
/* Around a step that may poll: what is not asked any more is taken away. */
void consent_begin(struct consent *c);
void consent_end(struct consent *c, bool polled);

/* `pqota-agent consent show`: prints the question; ERR_NOT_FOUND when nothing is asked. */
int consent_show(const struct agent_config *config, struct err *e) MUST_CHECK;
/* `... confirm` and `... deny`: an agent that runs tells it at once, otherwise with its next poll. */
int consent_answer(const struct agent_config *config, bool given, struct err *e) MUST_CHECK;

#endif
