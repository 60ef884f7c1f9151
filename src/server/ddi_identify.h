/*
 * Who asks at the tables of routes for devices of hawkBit's protocol, in this order: the client's certificate
 * (its own connection's, or a believed proxy's word), a token of the device, the token that all share, and
 * what a proxy says in header fields as hawkBit has it. The first two segments of such a path are the tenant
 * and the device's id, and nobody gets another device's.
 */
#ifndef PQOTA_SERVER_DDI_IDENTIFY_H
#define PQOTA_SERVER_DDI_IDENTIFY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "server/login.h"

#define DDI_TENANT "DEFAULT" /* in any case; there is no other */

/* What is counted at the door. */
struct ddi_door {
    pthread_mutex_t lock;
    int64_t minute; /* of the monotonic clock */
    int64_t begun;  /* registrations in it */
    _Atomic uint64_t registered, refused, limited;
};
int ddi_door_init(struct ddi_door *d, struct err *e) MUST_CHECK;
void ddi_door_fini(struct ddi_door *d);

struct ddi_newcomer; /* one request's; in its arena */

/* At the head of a request to a table of FACE_DDI, on the loop's thread. LOGIN_KNOWN: run->who is the device.
   LOGIN_WAITS: it is, and has to be registered first: ddi_register. */
enum login_begun ddi_begin(struct run *run);
/* Registers the newcomer in the writer. Then calls `then` on the loop's thread, or answers with the
   refusal. */
void ddi_register(struct run *run, void (*then)(struct run *run));

#endif
