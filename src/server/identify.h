/* Who is asking, checked anew at every request. */
#ifndef PQOTA_SERVER_IDENTIFY_H
#define PQOTA_SERVER_IDENTIFY_H

#include "base/identity.h"
#include "net/exchange.h"

struct server;

/* ERR_UNAUTHENTICATED: a certificate that does not count (revoked, unknown, expired), with the reason. */
int identify(struct server *s, const struct net_peer *peer, struct identity *out, struct err *e) MUST_CHECK;

/* Again, for who was identified at the head of a request: its body may have taken its time. On the writer
   thread nothing is revoked meanwhile. ERR_UNAUTHENTICATED, or ERR_DENIED when `allowed` (a route's) does not
   have what it is now. */
int identify_again(struct server *s, const struct identity *who, unsigned allowed, struct err *e) MUST_CHECK;

#endif
