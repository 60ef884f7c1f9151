/* Who is asking: known to the routes that check it and to the domain that acts on it. */
#ifndef PQOTA_BASE_IDENTITY_H
#define PQOTA_BASE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hex.h"

/* Who may call; a bit set. */
enum who {
    WHO_ANYONE = 1 << 0, /* no certificate either */
    WHO_DEVICE = 1 << 1,
    WHO_VIEWER = 1 << 2,   /* operator, reads only */
    WHO_OPERATOR = 1 << 3, /* operator: publishes, deploys, tags, makes tokens */
    WHO_ADMIN = 1 << 4,    /* operator: also revokes, and has accounts and settings */
    WHO_EXPIRED = 1 << 5,  /* a device whose certificate expired less than 90 days ago: renewal alone */
    WHO_LOCAL = 1 << 6,    /* came over the Unix socket without a proxy's header */
    WHO_APPROVER = 1 << 7, /* operator: reads, and approves, denies and pauses deployments */
};
#define WHO_READERS (WHO_VIEWER | WHO_APPROVER | WHO_OPERATOR | WHO_ADMIN)
#define WHO_APPROVERS (WHO_APPROVER | WHO_OPERATOR | WHO_ADMIN)
#define WHO_WRITERS (WHO_OPERATOR | WHO_ADMIN)

#define IDENTITY_ID_MAX 129

/* What a device is known by. */
enum identity_by {
    BY_CERTIFICATE = 0, /* its own, or nothing is known of it at all */
    BY_TARGET_TOKEN,    /* hawkBit: a token of its own */
    BY_GATEWAY_TOKEN,   /* hawkBit: a token that all share */
    BY_HEADER,          /* hawkBit: a proxy's header fields */
};

/* Who is at the other end of a connection, as of this request. */
struct identity {
    enum who who;             /* exactly one bit */
    char id[IDENTITY_ID_MAX]; /* device id or operator name, "" for WHO_ANYONE and WHO_LOCAL */
    char issuer[SHA256_HEX_SIZE];
    char serial[65];
    char fingerprint[SHA256_HEX_SIZE];
    int64_t not_after; /* Unix seconds, 0 without certificate */
    char address[64];  /* peer, for logs and events */
    bool account;      /* by name and password: id is an account's name */
    enum identity_by by;
    char token[SHA256_HEX_SIZE]; /* SHA-256 of the token or cookie it came with, else "" */
    bool pending;          /* its certificate may not have been used before: principals_take_pending knows */
    const char *transport; /* how it came: "pq", "classical", "plain" or "proxy" */
};

/* The kind of identity, for logs: a device may be called as an operator is. */
static inline const char *identity_role(const struct identity *id)
{
    switch (id->who) {
    case WHO_DEVICE:
        return "device";
    case WHO_VIEWER:
        return "viewer";
    case WHO_APPROVER:
        return "approver";
    case WHO_OPERATOR:
        return "operator";
    case WHO_ADMIN:
        return "admin";
    case WHO_EXPIRED:
        return "expired-device";
    case WHO_LOCAL:
        return "local";
    case WHO_ANYONE:
        break;
    }
    return "anyone";
}

/* How events and records name who did it. */
static inline const char *identity_name(const struct identity *id)
{
    return id->id[0] != '\0' ? id->id : id->who == WHO_LOCAL ? "local" : "anyone";
}

#endif
