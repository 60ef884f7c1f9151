/* Who is asking, checked anew at every request. */
#ifndef PQOTA_SERVER_IDENTIFY_H
#define PQOTA_SERVER_IDENTIFY_H

#include "base/identity.h"
#include "net/exchange.h"

struct db;
struct server;

struct proxy_says;

/* By the certificate of its own connection, or by what a proxy that is believed says of its client. On the
   loop's thread. ERR_UNAUTHENTICATED: a certificate that does not count (revoked, unknown, expired), with the
   reason; ERR_DENIED: an operator through a proxy over TCP; others: the database cannot be asked. */
int identify(struct server *s, struct exchange *x, const struct proxy_says *proxy, struct identity *out,
             struct err *e) MUST_CHECK;

/* Again, for who was identified at the head of a request: its body may have taken its time. On the writer
   thread, whose connection db is, nothing is revoked meanwhile. ERR_UNAUTHENTICATED, or ERR_DENIED when
   `allowed` (a route's) does not have what it is now. */
int identify_again(struct server *s, struct db *db, const struct identity *who, unsigned allowed,
                   struct err *e) MUST_CHECK;

#endif
