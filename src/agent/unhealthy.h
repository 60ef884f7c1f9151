/*
 * What is remembered of a version that runs and is not healthy, over the reboots that should bring the old
 * one back: how often that was tried, so that a boot loader that keeps starting the new one does not reboot
 * the device for ever, and why, so that the report after the reboot can say it.
 */
#ifndef PQOTA_AGENT_UNHEALTHY_H
#define PQOTA_AGENT_UNHEALTHY_H

#include <stdint.h>

#include "base/err.h"
#include "pqota_client.h"

#define UNHEALTHY_REBOOTS_MAX 3

struct unhealthy {
    char version[PQOTA_NAME_SIZE];
    int64_t reboots; /* tried so far */
    char why[PQOTA_TEXT_SIZE];
};

/* Of that version; ERR_NOT_FOUND when nothing is remembered of it. dir: the state folder. */
int unhealthy_read(const char *dir, const char *version, struct unhealthy *out, struct err *e) MUST_CHECK;
int unhealthy_write(const char *dir, const struct unhealthy *u, struct err *e) MUST_CHECK;
void unhealthy_forget(const char *dir);

#endif
