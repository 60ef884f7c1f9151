/*
 * What the console's pages show, kept up to date: GET /console/live answers with server-sent events (HTML
 * Living Standard section 9.2). A topic is the path and query of a GET of the native interface; its answer
 * goes out once at the begin, and again whenever it is another. One thread asks each topic once for all who
 * look at it, at most once a second, and only while somebody does.
 */
#ifndef PQOTA_SERVER_LIVE_H
#define PQOTA_SERVER_LIVE_H

#include "base/err.h"
#include "http/route.h"

struct exchange;
struct live;

int live_start(struct server *s, struct live **out, struct err *e) MUST_CHECK;
/* Tells all streams goodbye; no other begins. NULL is fine. */
void live_end(struct live *l);
/* Waits until the net has all of its requests back. After live_end, while the net still runs or once it was
   stopped. NULL is fine. */
void live_free(struct live *l);
/* net_app.sent */
void live_sent(struct live *l, struct exchange *x);
size_t live_streams(const struct live *l);

extern const struct route_table live_routes;

#endif
