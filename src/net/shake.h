/*
 * The handshakes of a loop, in a lane of their own. Each turn serves the connections that are established
 * first, then resumptions, then one step of a full handshake, which takes as long as ten resumptions. What
 * could not be served in time is turned away by its first message.
 */
#ifndef PQOTA_NET_SHAKE_H
#define PQOTA_NET_SHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct conn;
struct loop;

/* Where a connection is on its way. */
enum shake { SHAKE_HELLO, SHAKE_WAITS_FULL, SHAKE_UNDERWAY };

struct shakes {
    struct list light;      /* connections by shake_link: resumptions, oldest first */
    struct list second;     /* full ones whose client answered */
    struct list first;      /* full ones that are not begun */
    size_t waiting;         /* of those */
    int64_t interval_us;    /* between two that were begun, while others waited: a moving average */
    uint64_t begun_us;      /* when the last was; 0 when nobody waits behind it */
    unsigned turns_without; /* since a step of a full one */
};

void shakes_init(struct shakes *s);
/* There is news for a connection in its handshake. */
void shake_hear(struct conn *c);
/* One turn. */
void shakes_run(struct loop *l);
bool shakes_wait(const struct shakes *s);
/* The connection ends, or its handshake does. */
void shake_forget(struct conn *c);

#endif
