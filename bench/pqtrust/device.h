/*
 * A device in memory: TUF's client workflow on both repositories as the agent runs it (the director's first,
 * then the image's, in the same memory), with what it stores and what it fetches behind callbacks.
 */
#ifndef PQTRUST_DEVICE_H
#define PQTRUST_DEVICE_H

#include "trust/client.h"

#define DEVICE_MEMORY (4u << 20) /* bytes for the client: all that a device is to need */

/* How the device reaches its flash and the server; each as the client's callback, told which repository. */
struct device_link {
    void *ctx;
    int (*load)(void *ctx, bool director, struct str role, void *buf, size_t size, size_t *n, struct err *e);
    int (*save)(void *ctx, bool director, struct str role, struct str text, struct err *e);
    int (*get)(void *ctx, bool director, const char *name, void *buf, size_t size, size_t *n, struct err *e);
};

struct device {
    struct device_link link;
    struct trust_crypto crypto;
    const char *target; /* what the director is expected to name */
    int64_t now_s;
    void *memory;
    size_t size;
    size_t peak; /* the most that a refresh used of it */
};

/* Both refreshes; the two must agree on d->target. */
int device_refresh(struct device *d, struct err *e) MUST_CHECK;

#endif
