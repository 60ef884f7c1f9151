/* The signals of a service, as something to read. */
#ifndef PQOTA_AGENT_SIGNALS_H
#define PQOTA_AGENT_SIGNALS_H

#include "base/err.h"

/* *fd: a signalfd(2) of SIGTERM, SIGINT, SIGHUP and SIGUSR1, which from now on do nothing else in this thread
   and those that it starts. */
int signals_open(int *fd, struct err *e) MUST_CHECK;

#endif
