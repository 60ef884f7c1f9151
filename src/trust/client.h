/*
 * TUF's client workflow (specification 1.0.34, section 5), whole: root by root, timestamp, snapshot, targets,
 * delegations. It takes no memory but what it is given, and every effect is a callback.
 *
 * What is stored is byte for byte what was served, and only after it was verified. Nothing that is stored is
 * believed: it is verified again by the present root each time it is read.
 */
#ifndef PQOTA_TRUST_CLIENT_H
#define PQOTA_TRUST_CLIENT_H

#include "trust/document.h"

#define TUF_ROOTS_MAX 1024  /* that one refresh follows */
#define TUF_VISITS_MAX 1024 /* roles that one search looks at */
#define TUF_DEPTH_MAX 32    /* roles from the targets role to the last one of a chain */
#define TUF_DECISION_MAX 16 /* targets that a director's file names */

struct tuf_store {
    void *ctx;
    /* role: "root", "timestamp", "snapshot", "targets", or a delegated one, any text: the store makes a safe
       name of it. *n = 0 when there is none. ERR_TOO_LARGE when it does not fit. */
    int (*load)(void *ctx, struct str role, void *buf, size_t size, size_t *n, struct err *e);
    /* After it, and after a power cut at any time, load gives the old file or the new one, whole. */
    int (*save)(void *ctx, struct str role, struct str text, struct err *e);
    int (*drop)(void *ctx, struct str role, struct err *e); /* none there is fine */
};

struct tuf_fetch {
    void *ctx;
    /* The file of that name relative to the repository's metadata ("3.root.json"; a role's name in it is
       percent-encoded already). At most `size` bytes: more is ERR_TOO_LARGE, and must end the transfer.
       ERR_NOT_FOUND: the repository has none (403 and 404). Others: not now. */
    int (*get)(void *ctx, const char *name, void *buf, size_t size, size_t *n, struct err *e);
};

/* Bytes of one file, where struct tuf_limits says nothing else. */
#define TUF_ROOT_SIZE_MAX 512000
#define TUF_TIMESTAMP_SIZE_MAX 65536
#define TUF_SNAPSHOT_SIZE_MAX 2000000
#define TUF_TARGETS_SIZE_MAX 5000000

struct tuf_limits { /* bytes of one file; 0: the default */
    size_t root, timestamp, snapshot, targets;
};

struct tuf_config { /* copied; what it points to must outlive the client */
    struct tuf_store store;
    struct tuf_fetch fetch;
    struct trust_crypto crypto;
    int64_t (*now_s)(void *ctx); /* Unix seconds; asked once for each refresh (section 5.1) */
    void *now_ctx;
    struct tuf_rules rules;
    const char *repository; /* the root must say that it is this one's; NULL: not asked */
    struct tuf_limits limits;
};

struct tuf_client {
    struct tuf_config config;
    struct trust_space space;
    int64_t now_s;
    bool fresh;      /* refreshed: the documents below are trusted; they keep no text and no canonical form */
    bool director;   /* the last refresh was tuf_client_refresh_director: only root and targets are there */
    size_t top_mark; /* where in the space they end */
    struct tuf_doc root, timestamp, snapshot, targets;
};

/* `memory` is what one refresh may use: about 6 times the largest file, and what the others take. */
void tuf_client_init(struct tuf_client *c, void *memory, size_t size, const struct tuf_config *config);

/* The root that this device begins with: stored as it is, not looked at and nothing requested. */
int tuf_client_begin(struct tuf_client *c, struct str root, struct err *e) MUST_CHECK;

/*
 * Sections 5.3 to 5.6. ERR_MISMATCH, ERR_INVALID, ERR_UNSUPPORTED, ERR_TOO_LARGE: what came must not be
 * trusted; ERR_GONE: it has expired; ERR_CORRUPT: the stored root is no good, and nothing was requested;
 * ERR_NOMEM: the memory given is too small; others: not now. What was verified before a failure stays stored.
 */
int tuf_client_refresh(struct tuf_client *c, struct err *e) MUST_CHECK;

/* Section 5.6.7, after a refresh: the target's entry, searched pre-order depth first. Views into the client's
   memory, good until the next call. ERR_NOT_FOUND: nobody who may sign for it names it. Others: a role on the
   way could not be had or must not be trusted, which ends the search. */
int tuf_client_target(struct tuf_client *c, struct str name, struct tuf_target *out,
                      struct err *e) MUST_CHECK;

/*
 * A director's repository: root as in 5.3, then one file alone, signed by its role "targets": short-lived,
 * for one device, so there is nothing to mix it with and its own version is what must not go back. `name` is
 * the file ("gw-1/targets.json"); it must say that it is for `device`, name at most one target and delegate
 * nothing. c->targets is it afterwards; it is stored as "targets".
 */
int tuf_client_refresh_director(struct tuf_client *c, const char *name, struct str device,
                                struct err *e) MUST_CHECK;

#endif
