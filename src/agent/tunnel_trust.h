/*
 * What the tunnel lets through of files: those that the device's update metadata vouch for, as for the
 * agent's own updates (agent/trust.h). For all threads; one asks the server at a time.
 */
#ifndef PQOTA_AGENT_TUNNEL_TRUST_H
#define PQOTA_AGENT_TUNNEL_TRUST_H

#include <pthread.h>

#include "agent/tunnel_links.h"
#include "agent/trust.h"

#define TUNNEL_OFFERED_MAX 64 /* files that answers named, the latest */
#define TUNNEL_VOUCHED_MAX 4
#define TUNNEL_VOUCHED_S 60 /* an answer of the metadata holds so long, for requests that follow each other */

struct tunnel_offer { /* a file that an answer named */
    uint32_t action;  /* 0: no entry */
    struct links_file file;
};

struct tunnel_pending { /* what is being installed, until the updater says how it went */
    uint32_t action, sequence, counter;
};

struct tunnel_trust {
    const struct agent_config *config;
    struct files *files;
    pthread_mutex_t asking; /* of what follows up to `lock` */
    struct clock_floor floor;
    struct link link;
    unsigned renewed; /* the generation of certificates that the link shows */
    struct agent_trust trust;

    pthread_mutex_t lock; /* of what follows */
    struct tunnel_offer offered[TUNNEL_OFFERED_MAX];
    size_t next;            /* the entry that goes next */
    struct tunnel_vouched { /* what the metadata said last, of as many files */
        struct pqota_target target;
        int64_t until_ms; /* monotonic; 0: nothing */
    } vouched[TUNNEL_VOUCHED_MAX];
    uint32_t told; /* the action of which the server was told that it was refused */
    struct pqota_standing standing;
    struct tunnel_pending pending;
    char path[PATH_MAX]; /* of the stored standing */
};

/* `device` is the certificate's. */
int tunnel_trust_open(struct tunnel_trust *t, const struct agent_config *c, struct files *f,
                      const char *device, bool (*stop)(void *ctx), void *stop_ctx, struct err *e) MUST_CHECK;
void tunnel_trust_close(struct tunnel_trust *t);

/* An answer went through that names files. */
void tunnel_trust_offered(struct tunnel_trust *t, uint32_t action, struct str answer);
/* The server has taken the word that this action has succeeded. */
void tunnel_trust_succeeded(struct tunnel_trust *t, uint32_t action);

/*
 * May the file go through? 0: *out says which bytes it must have. Otherwise *status is what to answer: 403
 * (it must not be installed), 404 (the metadata have expired, or name nothing now), 503 (it cannot be told
 * now), and out->filename is set all the same. *action: the one whose answer named the file, 0 for none.
 */
int tunnel_trust_vouch(struct tunnel_trust *t, unsigned generation, struct str module, struct str filename,
                       struct pqota_target *out, int *status, uint32_t *action, struct err *e) MUST_CHECK;

/* A file of the action was refused: true for the first time. */
bool tunnel_trust_tell(struct tunnel_trust *t, uint32_t action);

/* tunnel_standing.c: what of it survives the program, in state_dir. Beside it counts what the agent itself
   has confirmed, should it have updated this device before; and the other way round. */
#define TUNNEL_STANDING_FILE "tunnel"
uint32_t tunnel_standing_counter(const struct files *f); /* against rollback; 0: none is known */
void tunnel_standing_load(struct tunnel_trust *t);
void tunnel_standing_save(const struct tunnel_trust *t);

#endif
