/* What the device's process and the one that serves it say to each other. */
#ifndef PQTRUST_WIRE_H
#define PQTRUST_WIRE_H

#include "pqtrust/memory.h"

enum wire_verb {
    WIRE_BEGIN, /* to the device: now_s, and the target in name */
    WIRE_LOAD,  /* from the device, as its callbacks */
    WIRE_SAVE,  /* n bytes follow */
    WIRE_GET,
    WIRE_FACTORY, /* its flash is as it was at first */
    WIRE_DONE,    /* struct memory_result follows */
    WIRE_FAILED,  /* why is in name */
};

struct wire_ask {
    enum wire_verb verb;
    bool director;
    size_t n; /* bytes: of room, or what follows */
    int64_t now_s;
    char name[TUF_TARGET_NAME_MAX];
};

struct wire_answer {
    int rc;
    size_t n; /* bytes that follow */
};

int wire_send(int fd, const void *p, size_t n, struct err *e) MUST_CHECK;
int wire_receive(int fd, void *p, size_t n, struct err *e) MUST_CHECK; /* ERR_IO at the end, too */

/* The device's process: until it has measured. */
void memory_device_run(int fd);

#endif
