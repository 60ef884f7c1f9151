/* What a ClientHello offers (RFC 8446 section 4.1.2), looked at before anything is computed for it. */
#ifndef PQOTA_TLS_HELLO_H
#define PQOTA_TLS_HELLO_H

#include "tls/session_store.h"
#include "tls/wire.h"

#define TLS_1_2 0x0303 /* what every message says it is (section 4.1.2) */
#define TLS_1_3 0x0304
#define TLS_RANDOM_SIZE 32

/* Of a hello (RFC 8446 section 4.2). */
enum {
    EXTENSION_MAX_FRAGMENT_LENGTH = 1,
    EXTENSION_SUPPORTED_GROUPS = 10,
    EXTENSION_PROTOCOLS = 16,
    EXTENSION_PRE_SHARED_KEY = 41,
    EXTENSION_EARLY_DATA = 42,
    EXTENSION_SUPPORTED_VERSIONS = 43,
    EXTENSION_COOKIE = 44,
    EXTENSION_PSK_MODES = 45,
    EXTENSION_KEY_SHARE = 51
};

/* All of it lies within the record. An extension that did not come is empty. */
struct tls_offer {
    struct wire message; /* with its header */
    struct wire legacy_session, ciphers;
    struct wire versions, groups, shares, psk_modes, protocols;
    struct wire identities, binders;
    size_t before_binders; /* bytes of the message that the binders are computed over (section 4.2.11.2) */
    bool plain;            /* nothing in it asks for more than was read here */
};

/* Reads a whole record as it came. False where it is anything but one ClientHello as it should be; that is no
   verdict, for OpenSSL reads the same bytes and says what is wrong with them. */
bool tls_offer_read(const unsigned char *record, size_t n, struct tls_offer *out);

/* The first session offered that the store (may be NULL) has: its id, or NULL; *index is its place. It is a
   hint and proves nothing. */
const unsigned char *tls_offer_session(const struct tls_offer *offer, struct tls_sessions *sessions,
                                       unsigned *index);

#endif
