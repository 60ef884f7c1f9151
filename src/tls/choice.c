#include "tls/choice.h"

#include <string.h>

#define PSK_DHE_KE 1

/* All of the list is read: one that ends within a number is OpenSSL's to refuse. */
static bool has_number(struct wire list, size_t bytes, uint64_t value)
{
    bool found = false;
    while (list.n > 0)
        found |= wire_number(&list, bytes) == value;
    return found && !list.bad;
}

/* As OpenSSL would choose with the same context: the first of ours that the client has. */
static const struct tls_suite *choose_suite(const struct tls_conn *conn, struct wire ciphers)
{
    struct str names = str_of(conn->ctx->rules->algs.policy->ciphersuites), name;
    while (str_split(&names, ':', &name)) {
        const struct tls_suite *suite = tls_suite_named(conn->ctx->suites, name);
        if (suite != NULL && has_number(ciphers, 2, suite->id))
            return suite;
    }
    return NULL;
}

/* Of a group among ours, the most wanted first. */
static size_t place_of(const char *groups, const char *group)
{
    struct str names = str_of(groups), name;
    size_t place = 0;
    while (str_split(&names, ':', &name) && !str_is(name, group))
        place++;
    return place;
}

/* Of the client's shares the one that this side wants most. */
static bool choose_group(const struct tls_conn *conn, struct tls_choice *c)
{
    const struct tls_algs *algs = &conn->ctx->rules->algs;
    struct wire shares = c->offer.shares;
    size_t best = SIZE_MAX;
    while (shares.n > 0) {
        unsigned code = (unsigned)wire_number(&shares, 2);
        struct wire share = wire_vector(&shares, 2);
        const char *group = tls_algs_kem(algs, code);
        size_t place = group != NULL ? place_of(algs->groups, group) : SIZE_MAX;
        if (place < best) {
            best = place;
            c->group = group;
            c->group_code = code;
            c->share = share;
        }
    }
    return c->group != NULL && !shares.bad && has_number(c->offer.groups, 2, c->group_code);
}

/* RFC 7301. A client that names protocols and not ours is refused, which is for OpenSSL to say. */
static bool choose_protocol(const struct tls_conn *conn, struct tls_choice *c)
{
    const unsigned char *own = conn->ctx->rules->alpn;
    struct wire list = c->offer.protocols;
    if (own[0] == 0 || list.n == 0)
        return list.p == NULL || own[0] == 0;
    while (list.n > 0) {
        struct wire name = wire_vector(&list, 1);
        if (name.n == 0)
            return false;
        c->protocol |= name.n == own[0] && memcmp(name.p, own + 1, name.n) == 0;
    }
    return c->protocol;
}

static bool choose_session(const struct tls_conn *conn, struct tls_choice *c)
{
    const struct tls_rules *rules = conn->ctx->rules;
    const unsigned char *id = tls_offer_session(&c->offer, rules->sessions, &c->index);
    struct wire binders = c->offer.binders;
    if (id == NULL)
        return false;
    for (unsigned i = 0; i <= c->index; i++)
        c->binder = wire_vector(&binders, 1);
    if (c->binder.n != c->suite->secret_n || !tls_sessions_find(rules, id, &c->known))
        return false;
    const struct tls_session *s = &c->known.session;
    if (s->psk_n == c->suite->secret_n && (s->cipher[0] << 8 | s->cipher[1]) == (int)c->suite->id)
        return true;
    tls_known_wipe(&c->known);
    return false;
}

bool tls_choose(const struct tls_conn *conn, const unsigned char *record, size_t n, struct tls_choice *c)
{
    if (!tls_offer_read(record, n, &c->offer) || !c->offer.plain)
        return false;
    c->suite = choose_suite(conn, c->offer.ciphers);
    return c->suite != NULL && has_number(c->offer.versions, 2, TLS_1_3) &&
           has_number(c->offer.psk_modes, 1, PSK_DHE_KE) && choose_group(conn, c) &&
           choose_protocol(conn, c) && choose_session(conn, c);
}
