/*
 * What the server's repositories say now, verified: the specification's client workflow over the operator's
 * own connection. What was trusted before is kept in the profile's folder, in trust/image and trust/director,
 * and the first roots beside them (trust/image.root.json, from `pqota trust init`): so neither a stolen nor a
 * rolled back server can make the vendor sign on top of something old or false.
 *
 * Expiry is not looked at: whoever renews needs what has expired.
 */
#ifndef PQOTA_CMD_TRUST_REPO_H
#define PQOTA_CMD_TRUST_REPO_H

#include <limits.h>

#include "cmd/operate.h"
#include "trust/client_whole.h"

struct trust_repo {
    struct operate *op;
    const char *name; /* "image" or "director" */
    char dir[PATH_MAX];
    void *memory;
    struct tuf_client client; /* .root and the others, once they were refreshed */
};

/* Nothing is asked of the server yet. On failure op->err is filled; trust_repo_close is due in any case. */
int trust_repo_open(struct operate *op, const char *name, struct trust_repo *r) MUST_CHECK;
void trust_repo_close(struct trust_repo *r);
#define auto_repo __attribute__((cleanup(trust_repo_close)))

/* r->client.root. */
int trust_repo_root(struct trust_repo *r) MUST_CHECK;
/* r->client.root, .snapshot, .targets; of the image repository. */
int trust_repo_refresh(struct trust_repo *r) MUST_CHECK;
/* The document of a delegated role after that, good until the next call. ERR_NOT_FOUND: there is none. */
int trust_repo_role(struct trust_repo *r, struct str role, struct tuf_doc *out) MUST_CHECK;
/* The file of a role that was given above, as the server serves it; in op->arena. */
int trust_repo_text(struct trust_repo *r, struct str role, struct str *out) MUST_CHECK;

#endif
