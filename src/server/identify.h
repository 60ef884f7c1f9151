/* Who is asking, checked anew at every request. */
#ifndef PQOTA_SERVER_IDENTIFY_H
#define PQOTA_SERVER_IDENTIFY_H

#include "base/identity.h"
#include "net/exchange.h"

struct server;

/* ERR_UNAUTHENTICATED: a certificate that does not count (revoked, unknown, expired), with the reason. */
int identify(struct server *s, const struct net_peer *peer, struct identity *out, struct err *e) MUST_CHECK;

#endif
