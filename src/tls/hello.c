#include "tls/hello.h"

#include "tls/records.h"

#define CLIENT_HELLO 1
#define LEGACY_SESSION_MAX 32
#define AGE_SIZE 4
#define OFFERS_MAX 4 /* identities looked at: OpenSSL's clients send one */

/* One vector that fills the extension. */
static bool take_whole(struct wire body, size_t bytes, struct wire *out)
{
    *out = wire_vector(&body, bytes);
    return !out->bad && body.n == 0;
}

static bool take_keys(struct tls_offer *o, struct wire body)
{
    const unsigned char *end = body.p + body.n;
    o->identities = wire_vector(&body, 2);
    if (o->identities.bad)
        return false;
    o->before_binders = (size_t)(body.p - o->message.p);
    o->binders = wire_vector(&body, 2);
    /* Section 4.2.11: it is the last, or its binders would not cover the message. */
    return !o->binders.bad && body.n == 0 && end == o->message.p + o->message.n;
}

static bool take_extension(struct tls_offer *o, uint64_t type, struct wire body)
{
    switch (type) {
    case EXTENSION_SUPPORTED_VERSIONS:
        return take_whole(body, 1, &o->versions);
    case EXTENSION_SUPPORTED_GROUPS:
        return take_whole(body, 2, &o->groups);
    case EXTENSION_KEY_SHARE:
        return take_whole(body, 2, &o->shares);
    case EXTENSION_PSK_MODES:
        return take_whole(body, 1, &o->psk_modes);
    case EXTENSION_PROTOCOLS:
        return take_whole(body, 2, &o->protocols);
    case EXTENSION_PRE_SHARED_KEY:
        return take_keys(o, body);
    case EXTENSION_EARLY_DATA:
    case EXTENSION_COOKIE:
    case EXTENSION_MAX_FRAGMENT_LENGTH:
        o->plain = false;
        return true;
    default:
        return true;
    }
}

static bool take_extensions(struct tls_offer *o, struct wire all)
{
    uint64_t seen = 0; /* bit i: extension i; what any server acts upon is below 64 */
    while (all.n > 0) {
        uint64_t type = wire_number(&all, 2), bit = type < 64 ? UINT64_C(1) << type : 0;
        struct wire body = wire_vector(&all, 2);
        if (body.bad || (seen & bit) != 0 || !take_extension(o, type, body))
            return false;
        seen |= bit;
    }
    return !all.bad;
}

bool tls_offer_read(const unsigned char *record, size_t n, struct tls_offer *out)
{
    struct wire r = {.p = record, .n = n};
    uint64_t type = wire_number(&r, 1);
    (void)wire_take(&r, 2); /* a version that nobody looks at (section 5.1) */
    struct wire message = wire_vector(&r, 2);
    *out = (struct tls_offer){.message = message, .plain = true};
    uint64_t kind = wire_number(&message, 1);
    struct wire hello = wire_vector(&message, 3);
    uint64_t version = wire_number(&hello, 2);
    (void)wire_take(&hello, TLS_RANDOM_SIZE);
    out->legacy_session = wire_vector(&hello, 1);
    out->ciphers = wire_vector(&hello, 2);
    struct wire compressions = wire_vector(&hello, 1);
    struct wire extensions = wire_vector(&hello, 2);
    if (type != TLS_HANDSHAKE || kind != CLIENT_HELLO || version != TLS_1_2 || hello.bad)
        return false;
    if (out->message.n > TLS_CONTENT_MAX || out->legacy_session.n > LEGACY_SESSION_MAX)
        return false;
    if (r.n > 0 || message.n > 0 || hello.n > 0)
        return false;
    return compressions.n == 1 && compressions.p[0] == 0 && take_extensions(out, extensions);
}

const unsigned char *tls_offer_session(const struct tls_offer *offer, struct tls_sessions *sessions,
                                       unsigned *index)
{
    struct wire ids = offer->identities;
    for (unsigned i = 0; i < OFFERS_MAX && ids.n > 0; i++) {
        struct wire id = wire_vector(&ids, 2);
        (void)wire_take(&ids, AGE_SIZE);
        if (!ids.bad && id.n == SSL_MAX_SSL_SESSION_ID_LENGTH && tls_sessions_has(sessions, id.p)) {
            *index = i;
            return id.p;
        }
    }
    return NULL;
}
