/* RFC 8446 sections 4.1.2 and 4.2.11, as far as the identities of offered keys. */
#include "tls/hello.h"

#include <openssl/ssl.h>

#include "tls/records.h"

#define CLIENT_HELLO 1
#define PRE_SHARED_KEY 41
#define RANDOM_SIZE 32
#define AGE_SIZE 4
#define OFFERS_MAX 4 /* identities looked at: OpenSSL's clients send one */

/* What is left to read; bad once it was too short. */
struct rest {
    const unsigned char *p;
    size_t n;
    bool bad;
};

static struct rest take(struct rest *r, size_t n)
{
    if (r->bad || n > r->n) {
        r->bad = true;
        return (struct rest){.bad = true};
    }
    struct rest part = {.p = r->p, .n = n};
    r->p += n;
    r->n -= n;
    return part;
}

static size_t number(struct rest *r, size_t bytes)
{
    struct rest part = take(r, bytes);
    size_t value = 0;
    for (size_t i = 0; i < part.n; i++)
        value = value << 8 | part.p[i];
    return value;
}

/* A vector whose length stands before it in so many bytes. */
static struct rest vector(struct rest *r, size_t bytes)
{
    size_t n = number(r, bytes);
    return take(r, n);
}

static struct rest extensions(const unsigned char *record, size_t n)
{
    struct rest r = {.p = record, .n = n};
    size_t type = number(&r, 1);
    (void)take(&r, 2);
    struct rest message = vector(&r, 2);
    if (type != TLS_HANDSHAKE || number(&message, 1) != CLIENT_HELLO)
        message.bad = true;
    struct rest hello = vector(&message, 3);
    (void)take(&hello, 2 + RANDOM_SIZE);
    (void)vector(&hello, 1); /* the session id of older versions */
    (void)vector(&hello, 2); /* cipher suites */
    (void)vector(&hello, 1); /* compressions */
    return vector(&hello, 2);
}

static struct rest find_offers(struct rest all)
{
    while (!all.bad && all.n > 0) {
        size_t type = number(&all, 2);
        struct rest body = vector(&all, 2);
        if (type == PRE_SHARED_KEY)
            return vector(&body, 2);
    }
    return (struct rest){.bad = true};
}

bool tls_hello_resumes(const unsigned char *record, size_t n, struct tls_sessions *sessions)
{
    struct rest offers = find_offers(extensions(record, n));
    for (int i = 0; i < OFFERS_MAX && !offers.bad && offers.n > 0; i++) {
        struct rest id = vector(&offers, 2);
        (void)take(&offers, AGE_SIZE);
        if (!id.bad && id.n == SSL_MAX_SSL_SESSION_ID_LENGTH && tls_sessions_has(sessions, id.p))
            return true;
    }
    return false;
}
