/* Preparing a signing request from what the server's repositories say now, verified. */
#ifndef PQOTA_CMD_TRUST_PREPARE_H
#define PQOTA_CMD_TRUST_PREPARE_H

#include "cmd/trust.h"
#include "cmd/trust_repo.h"

struct prepare {
    struct operate op; /* its arena holds the texts, its err what went wrong */
    struct trust_repo image, director;
    struct trust_request request;
    int64_t now_s;
};

/* Fetches and verifies: both roots, and with `targets` the image repository's targets too. prepare_close is
   due in any case. */
int prepare_open(struct prepare *p, const struct line_args *args, bool targets) MUST_CHECK;
void prepare_close(struct prepare *p);
#define auto_prepare __attribute__((cleanup(prepare_close)))

/* Which repository a name stands for. */
struct trust_repo *prepare_repo(struct prepare *p, const char *repository);
/* A new body that follows on the present root. */
int prepare_root(struct prepare *p, const char *repository, yyjson_mut_doc **out) MUST_CHECK;
/* A new body that follows on a targets document. */
int prepare_targets(struct prepare *p, const struct tuf_doc *now, yyjson_mut_doc **out) MUST_CHECK;
/* The first body of a delegated role. */
int prepare_first(struct prepare *p, const char *role, yyjson_mut_doc **out) MUST_CHECK;
/* Takes those targets of a model out of the body that follows on `now` whose release the server has deleted:
   nobody can be sent to them any more. */
int prepare_withdraw(struct prepare *p, struct str model, const struct tuf_doc *now,
                     yyjson_mut_doc *body) MUST_CHECK;
/* A key of the present metadata, as it is made again. ERR_UNSUPPORTED: of a kind that is not known. */
int prepare_key(struct prepare *p, const struct tuf_key *key, struct make_key *out) MUST_CHECK;
/* All of a role's; ERR_UNSUPPORTED also where there is only the id of one. out has TUF_ROLE_KEYS_MAX. */
int prepare_role_keys(struct prepare *p, const struct tuf_role *role, struct make_key *out,
                      size_t *count) MUST_CHECK;
/* Adds a document that is not signed yet, and beside it the present one. */
int prepare_add(struct prepare *p, const char *repository, struct str role, yyjson_mut_doc *body) MUST_CHECK;
/* Adds every delegated role's document with its next version, or those alone that `wanted` (NULL: all). */
int prepare_add_roles(struct prepare *p, bool (*wanted)(void *ctx, const struct tuf_delegation *d),
                      void *ctx) MUST_CHECK;
/* Writes the request, which must not be there yet, and says who has to sign it. */
int prepare_write(struct prepare *p, const char *path) MUST_CHECK;

#endif
