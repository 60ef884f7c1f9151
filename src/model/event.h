/* What happened, for people. Texts belong to an arena. */
#ifndef PQOTA_MODEL_EVENT_H
#define PQOTA_MODEL_EVENT_H

#include <stdint.h>

struct event {
    int64_t id;
    int64_t at;          /* Unix milliseconds */
    const char *kind;    /* 'device.enrolled', 'release.published', ... */
    const char *who;     /* operator, device id, or 'server' */
    const char *subject; /* what it happened to */
    const char *detail;  /* a sentence, or "" */
    const char *address; /* from where: the peer's, without a port, or "unix"; "" for the server itself */
};

#endif
