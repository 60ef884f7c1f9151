#include "server/identify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ota/accounts.h"
#include "ota/ddi_device.h"
#include "ota/issuers.h"
#include "ota/principal.h"
#include "ota/renew.h"
#include "ota/sessions.h"
#include "server/proxy.h"
#include "server/server.h"
#include "store/certificates.h"

#define ACCOUNT_ARENA_MAX 16384
#define STANDING_ARENA_MAX 16384

/* A certificate that was issued and is now seen for the first time: noted by a background job. */
struct first_use {
    struct store_job job;
    struct server *server;
    char issuer[SHA256_HEX_SIZE];
    char serial[65];
};

static int note_first_use(struct db *db, void *arg, struct err *e)
{
    struct first_use *f = arg;
    return ota_certificate_used(db, &f->server->ota, f->issuer, f->serial, e);
}

static void put_back(struct first_use *f, const struct err *why)
{
    struct err e = {0};
    log_warn("server", "a certificate's first use could not be noted; it will be tried at its next",
             LOG_STR("serial", f->serial), LOG_ERR(why));
    if (principals_add_pending(f->server->ota.principals, f->issuer, f->serial, &e) != 0)
        principals_mark_stale(f->server->ota.principals);
}

static void first_use_noted(void *arg, int rc, const struct err *e)
{
    struct first_use *f = arg;
    if (rc != 0)
        put_back(f, e);
    free(f);
}

static void notice_first_use(struct server *s, const struct identity *who)
{
    if (!principals_take_pending(s->ota.principals, who->issuer, who->serial))
        return;
    struct first_use *f = calloc(1, sizeof *f);
    struct err e = {0};
    if (f == NULL) {
        principals_mark_stale(s->ota.principals); /* the reload finds it pending still */
        return;
    }
    f->server = s;
    snprintf(f->issuer, sizeof f->issuer, "%s", who->issuer);
    snprintf(f->serial, sizeof f->serial, "%s", who->serial);
    f->job = (struct store_job){.run = note_first_use, .done = first_use_noted, .arg = f};
    if (store_submit_background(s->store, &f->job, &e) != 0) {
        put_back(f, &e);
        free(f);
    }
}

/* --- through a proxy ----------------------------------------------------------------------------------- */

struct shown {
    char issuer[SHA256_HEX_SIZE];
    struct certificate_seen seen;
};

/* Who stole an authority can give another certificate the same serial: the SHA-1 tells. An operator's has to
   be known; a device's is not for one that was issued before it was kept. */
static bool fits(const struct certificate_seen *c, const struct proxy_client *client)
{
    return c->sha1[0] != '\0' ? strcmp(c->sha1, client->sha1) == 0 : !c->is_operator;
}

static int refuse_shown(const struct certificate_seen *c, const struct proxy_client *client, struct err *e)
{
    if (c->sha1[0] == '\0')
        return err_set(e, ERR_UNAUTHENTICATED,
                       "the operator certificate with serial %s was registered before its SHA-1 was kept, by "
                       "which a proxy names it: register the certificate again, or come without the proxy",
                       client->serial);
    log_error("server",
              c->is_operator
                  ? "an operator's serial on another certificate: has the operators' authority been stolen?"
                  : "a device's serial on another certificate: has the devices' authority been stolen?",
              LOG_STR("serial", client->serial), LOG_STR("sha1", client->sha1));
    return err_set(e, ERR_UNAUTHENTICATED,
                   "the certificate with serial %s is not the one that is registered here under that serial",
                   client->serial);
}

/* While roots change, several may have the issuer's name. */
static int find_shown(struct server *s, struct db *db, const struct proxy_client *client, struct shown *out,
                      struct err *e)
{
    char keys[ISSUERS_MAX][SHA256_HEX_SIZE];
    size_t n = issuers_find(s->issuers, client->issuer, keys);
    struct certificate_seen other;
    bool differs = false;
    for (size_t i = 0; i < n; i++) {
        struct certificate_seen c;
        int rc = store_certificate_seen(db, keys[i], client->serial, &c, e);
        if (rc == 0 && fits(&c, client)) {
            memcpy(out->issuer, keys[i], sizeof out->issuer);
            out->seen = c;
            return 0;
        }
        if (rc != 0 && rc != ERR_NOT_FOUND)
            return rc;
        if (rc == 0) {
            other = c;
            differs = true;
        }
    }
    if (differs)
        return refuse_shown(&other, client, e);
    if (n == 0)
        return err_set(e, ERR_UNAUTHENTICATED,
                       "the certificate's issuer is neither a root for devices nor one for operators");
    return err_set(e, ERR_UNAUTHENTICATED,
                   "the certificate with serial %s is not known here; through a proxy only those count that "
                   "this server issued or registered",
                   client->serial);
}

static int by_proxy(struct server *s, struct exchange *x, const struct proxy_says *proxy,
                    struct identity *out, struct err *e)
{
    struct shown it;
    int rc = find_shown(s, exchange_loop_ctx(x), &proxy->client, &it, e);
    if (rc != 0)
        return rc;
    if (it.seen.is_operator && !proxy->local)
        return err_set(e, ERR_DENIED,
                       "an operator is not believed through a proxy over TCP: come straight to the server's "
                       "TLS listener, or let the proxy use the Unix socket ([unix] proxy)");
    const struct principal_certificate cert = {
        .issuer = it.issuer,
        .serial = proxy->client.serial,
        .fingerprint = it.seen.fingerprint,
        .common_name = it.seen.device,
        .not_after = it.seen.not_after / 1000,
    };
    return principals_identify(s->ota.principals, &cert, clock_unix_ms(s->clock) / 1000, out, e);
}

/* --- all ----------------------------------------------------------------------------------------------- */

static int by_connection(struct server *s, const struct tls_peer *p, struct identity *out, struct err *e)
{
    const struct principal_certificate cert = {
        .issuer = p->issuer,
        .serial = p->serial,
        .fingerprint = p->fingerprint,
        .common_name = p->common_name,
        .not_after = p->not_after,
    };
    return principals_identify(s->ota.principals, &cert, clock_unix_ms(s->clock) / 1000, out, e);
}

/* What of a connection is known to be safe from who records it today. Behind a proxy nobody knows. */
static const char *transport_of(const struct net_peer *peer, const struct proxy_says *proxy)
{
    if (peer->kind == NET_UNIX || proxy->named)
        return "proxy";
    if (peer->kind == NET_PLAIN)
        return "plain";
    return strstr(peer->tls->group, "MLKEM") != NULL ? "pq" : "classical";
}

int identify(struct server *s, struct exchange *x, const struct proxy_says *proxy, struct identity *out,
             struct err *e)
{
    const struct net_peer *peer = x->peer;
    bool local = peer->kind == NET_UNIX && !proxy->named;
    struct identity id = {.who = local ? WHO_LOCAL : WHO_ANYONE};
    int rc = 0;
    if (peer->tls != NULL && peer->tls->peer.present)
        rc = by_connection(s, &peer->tls->peer, &id, e);
    else if (proxy->named && proxy->client.certificate)
        rc = by_proxy(s, x, proxy, &id, e);
    if (rc != 0)
        return rc;
    if (id.who == WHO_DEVICE && id.pending)
        notice_first_use(s, &id);
    id.transport = transport_of(peer, proxy);
    str_copy(str_of(proxy->address[0] != '\0' ? proxy->address : peer->address), id.address,
             sizeof id.address);
    *out = id;
    return 0;
}

/* By its session at the console, or else by name and password. */
static int account_again(struct server *s, struct db *db, const struct identity *who, enum who *now,
                         struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, ACCOUNT_ARENA_MAX);
    struct session session;
    return who->token[0] != '\0' ? ota_session_find(&s->ota, db, &a, who->token, &session, now, e)
                                 : ota_account_role(db, &a, who->id, now, e);
}

static int device_again(struct server *s, struct db *db, const struct identity *who, unsigned allowed,
                        struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, STANDING_ARENA_MAX);
    const struct ddi_claim claim = {.id = who->id, .by = who->by, .hash = who->token};
    struct asking now;
    int rc = ota_ddi_admit(&s->ota, db, &a, &claim, &now, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_UNAUTHENTICATED, "there is no device \"%s\" any more", who->id);
    if (rc == 0 && (allowed & (WHO_DEVICE | WHO_ANYONE)) == 0)
        rc = err_set(e, ERR_DENIED, "a device may not do this");
    return rc;
}

int identify_again(struct server *s, struct db *db, const struct identity *who, unsigned allowed,
                   struct err *e)
{
    struct identity now = {0};
    int rc = 0;
    if (who->account) {
        rc = account_again(s, db, who, &now.who, e);
        if (rc == 0 && (allowed & (now.who | WHO_ANYONE)) == 0)
            rc = err_set(e, ERR_DENIED, "this account may not do this any more");
        return rc;
    }
    if (who->by != BY_CERTIFICATE)
        return device_again(s, db, who, allowed, e);
    if (who->issuer[0] == '\0')
        return 0; /* came without a certificate */
    const struct principal_certificate cert = {
        .issuer = who->issuer,
        .serial = who->serial,
        .fingerprint = who->fingerprint,
        .common_name = who->id, /* a device's */
        .not_after = who->not_after,
    };
    rc = principals_identify(s->ota.principals, &cert, clock_unix_ms(s->clock) / 1000, &now, e);
    if (rc == 0 && (allowed & (now.who | WHO_ANYONE)) == 0)
        rc = err_set(e, ERR_DENIED, "this identity may not do this any more");
    return rc;
}
