/* What of a ClientHello a resumption is made of, as OpenSSL would choose it. */
#ifndef PQOTA_TLS_CHOICE_H
#define PQOTA_TLS_CHOICE_H

#include "tls/hello.h"
#include "tls/sessions.h"

struct tls_choice {
    struct tls_offer offer;
    const struct tls_suite *suite;
    const char *group;
    unsigned group_code;
    struct wire share;  /* the client's */
    unsigned index;     /* of the session among those offered */
    struct wire binder; /* the proof that the client has its key: suite->secret_n bytes, not looked at yet */
    bool protocol;      /* ours is among its protocols */
    struct tls_known known;
};

/* Reads the client's first record into *out, which is zero. False: it is no plain offer of a session that is
   good for this server; there is no key in it then. */
bool tls_choose(const struct tls_conn *conn, const unsigned char *record, size_t n, struct tls_choice *out);

#endif
