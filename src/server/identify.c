#include "server/identify.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "ota/principal.h"
#include "ota/renew.h"
#include "server/server.h"

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

int identify(struct server *s, const struct net_peer *peer, struct identity *out, struct err *e)
{
    struct identity id = {.who = peer->kind == NET_UNIX ? WHO_LOCAL : WHO_ANYONE};
    if (peer->tls != NULL && peer->tls->peer.present) {
        const struct tls_peer *p = &peer->tls->peer;
        const struct principal_certificate cert = {
            .issuer = p->issuer,
            .serial = p->serial,
            .fingerprint = p->fingerprint,
            .common_name = p->common_name,
            .not_after = p->not_after,
        };
        int rc = principals_identify(s->ota.principals, &cert, clock_unix_ms(s->clock) / 1000, &id, e);
        if (rc != 0)
            return rc;
        if (id.who == WHO_DEVICE)
            notice_first_use(s, &id);
    }
    snprintf(id.address, sizeof id.address, "%s", peer->address);
    *out = id;
    return 0;
}

int identify_again(struct server *s, const struct identity *who, unsigned allowed, struct err *e)
{
    if (who->issuer[0] == '\0')
        return 0; /* came without a certificate */
    const struct principal_certificate cert = {
        .issuer = who->issuer,
        .serial = who->serial,
        .fingerprint = who->fingerprint,
        .common_name = who->id, /* a device's */
        .not_after = who->not_after,
    };
    struct identity now = {0};
    int rc = principals_identify(s->ota.principals, &cert, clock_unix_ms(s->clock) / 1000, &now, e);
    if (rc == 0 && (allowed & (now.who | WHO_ANYONE)) == 0)
        rc = err_set(e, ERR_DENIED, "this identity may not do this any more");
    return rc;
}
