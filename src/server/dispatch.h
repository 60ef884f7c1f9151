/*
 * From a request to its answer: finds the route, checks who asks, says how the body is taken, and runs the
 * row's steps through their lanes. This is the net_app of the server.
 */
#ifndef PQOTA_SERVER_DISPATCH_H
#define PQOTA_SERVER_DISPATCH_H

#include "net/exchange.h"

struct server;

struct net_app dispatch_app(struct server *s);

#endif
