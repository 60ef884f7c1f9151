/*
 * The console's listener: who signs in there by a cookie, what exists there, and what each answer says to a
 * browser. Its pages are in web/.
 */
#ifndef PQOTA_SERVER_CONSOLE_H
#define PQOTA_SERVER_CONSOLE_H

#include "base/identity.h"
#include "http/route.h"
#include "ota/sessions.h"

struct net_peer;
struct run;

/* RFC 6265bis section 4.1.3.2: with this prefix a browser takes it over TLS alone, for this host and for all
   of its paths. */
#define CONSOLE_COOKIE "__Host-pqota"
#define CONSOLE_COOKIE_SIZE (SESSION_TOKEN_SIZE + 128)

bool console_is(const struct net_peer *peer);
/* Whether the resource exists there: what devices alone use does not. */
bool console_has(const struct route_table *table, const struct route *row);
/* Who has the cookie; nobody when there is none or when it counts no longer. For a loop thread. */
int console_identify(struct run *run, struct err *e) MUST_CHECK;
/* Whether a page of the console itself asks, for what changes something. */
bool console_is_own_page(const struct http_request *req);
/* Content-Security-Policy and what else keeps a browser from doing more than the page means. */
void console_set_headers(struct http_response *res);
/* The Set-Cookie field that gives a session, or (token NULL) takes it back. */
const char *console_cookie(struct arena *a, const char *token, int64_t seconds);

extern const struct route_table console_page_routes;    /* server/console_pages.c */
extern const struct route_table console_session_routes; /* server/console_session.c */
extern const struct route_table console_link_routes;    /* server/console_link.c */

#endif
