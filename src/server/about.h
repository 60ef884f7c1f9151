/*
 * What the server runs with, for GET /api/server: read from its files at start and at each reload, as the
 * listeners do, and not when somebody asks.
 */
#ifndef PQOTA_SERVER_ABOUT_H
#define PQOTA_SERVER_ABOUT_H

#include "base/err.h"

struct about;
struct net_limits;
struct server_config;

int about_new(struct about **out, struct err *e) MUST_CHECK;
/* Takes over what these settings name. A file that cannot be read is logged, and shown without what is in
   it. Any thread. */
void about_set(struct about *a, const struct server_config *c, const struct net_limits *limits);
void about_free(struct about *a); /* NULL is fine */

#endif
