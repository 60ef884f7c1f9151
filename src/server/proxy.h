/*
 * What a proxy in front says of a request: who its client is, and by which name the client came. Believed
 * only on the Unix socket with [unix] proxy = yes, and over TCP without TLS from the addresses listed in
 * [plain] insecure_proxy_addresses; from everyone else the same header fields mean nothing.
 *
 * The identity is one field, always overwritten by the proxy, since one that the client could add to would
 * let it choose:
 *
 *   X_Pqota_Client: verify=SUCCESS; serial=3F2A...; sha1=<40 hex digits>; issuer=CN=pqota device CA 1a2b3c
 *   X_Pqota_Client: verify=NONE; serial=; sha1=; issuer=
 *
 * in this order, with nginx's $ssl_client_verify, _serial, _fingerprint and _i_dn. The issuer is last, since
 * a name may hold anything. The underscores have a reason: nginx drops what a client sends under such a name,
 * also where somebody forgot to have it overwritten.
 */
#ifndef PQOTA_SERVER_PROXY_H
#define PQOTA_SERVER_PROXY_H

#include <stdbool.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/str.h"
#include "http/message.h"
#include "net/exchange.h"
#include "server/config.h"

#define PROXY_CLIENT_FIELD "X_Pqota_Client"

struct proxy_client {
    bool certificate;  /* it showed one that the proxy verified; else nothing below is filled */
    struct str issuer; /* its name, RFC 2253; lives as long as the request */
    char serial[65];   /* lower-case hex without leading zeros */
    char sha1[SHA1_HEX_SIZE];
};

struct proxy_says {
    bool believed; /* the request came from where a proxy is believed; else nothing else is filled */
    bool local;    /* over the Unix socket */
    bool named;    /* it said who its client is */
    struct proxy_client client;
    char address[64];              /* the client's, or "" */
    struct str scheme, host, port; /* by which the client came; n 0 when not said, or not such a thing */
    bool bad_host;                 /* a host was said that is none */
};

/* must_name: a proxy that forwards has to name its client, since who is not named counts as local. Not for
   hawkBit's devices, whom their proxy may name by other fields: there nobody is anything for being local.
   ERR_INVALID: a proxy that is believed sent what it must not; ERR_UNAUTHENTICATED: its client's certificate
   did not verify. */
int proxy_read(const struct server_config *c, const struct net_peer *peer, const struct http_request *req,
               bool must_name, struct proxy_says *out, struct err *e) MUST_CHECK;
int proxy_client_parse(struct str value, struct proxy_client *out, struct err *e) MUST_CHECK;

/* Whether the peer's address is in a list as [plain] insecure_proxy_addresses has it. */
bool proxy_listed(const char *list, const struct net_peer *peer);

/* "https://host:port" by which the client came, for links, in the arena; "" leaves them relative. */
const char *proxy_base_url(const struct proxy_says *says, const struct exchange *x, struct arena *a);

#endif
