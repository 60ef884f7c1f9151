/*
 * Background work: noting when devices were seen, following changes from outside, the revocation list,
 * retention, sweeping blobs. Timers of the main thread start it; it runs in the lanes, behind requests.
 */
#ifndef PQOTA_SERVER_JOBS_H
#define PQOTA_SERVER_JOBS_H

#include "base/err.h"

struct server;
struct jobs;

int jobs_start(struct server *s, struct jobs **out, struct err *e) MUST_CHECK;
/* Starts nothing any more and waits for what runs. Store and pools must still be there. NULL is fine. */
void jobs_stop(struct jobs *j);
void jobs_free(struct jobs *j);

#endif
