/* Deployments and their phases in the database. */
#ifndef PQOTA_STORE_DEPLOYMENTS_H
#define PQOTA_STORE_DEPLOYMENTS_H

#include "base/arena.h"
#include "model/action.h"
#include "model/deployment.h"

struct db;

/* ERR_NOT_FOUND says which is not there. */
int store_deployment_by_pk(struct db *db, struct arena *a, int64_t pk, struct deployment *out,
                           struct err *e) MUST_CHECK;
/* Newest first; pk below `after` unless that is 0; state NULL: any. *out has *count <= limit of them. */
int store_deployment_list(struct db *db, struct arena *a, const enum deployment_state *state, int64_t after,
                          size_t limit, struct deployment **out, size_t *count, bool *more,
                          struct err *e) MUST_CHECK;
/* How many actions it has in each state. */
int store_deployment_counts(struct db *db, int64_t pk, int64_t counts[ACTION_STATES],
                            struct err *e) MUST_CHECK;
/* A deployment of that release, or one that would roll back to it, that is not over; 0 when there is none. */
int store_deployment_live_of(struct db *db, int64_t release, int64_t *pk, struct err *e) MUST_CHECK;
/* A deployment whose members have not all been looked for, that is not over; 0: none. */
int store_deployment_unprepared(struct db *db, int64_t *pk, struct err *e) MUST_CHECK;
/* A scheduled one whose time has come; 0: none. */
int store_deployment_due(struct db *db, int64_t now_ms, int64_t *pk, struct err *e) MUST_CHECK;
/* How many devices are not through with it; at most `most`. */
int store_deployment_reach(struct db *db, const struct deployment *d, int64_t most, int64_t *out,
                           struct err *e) MUST_CHECK;
/* Devices of the release's models that are not revoked. */
int store_release_reach(struct db *db, int64_t release, int64_t *out, struct err *e) MUST_CHECK;

/* Writer only. */
/* d->pk is set. */
int store_deployment_add(struct db *db, struct deployment *d, const struct phase *phases,
                         struct err *e) MUST_CHECK;
/* Writes state, why, closed_at, approved_at and approved_by. */
int store_deployment_move(struct db *db, const struct deployment *d, struct err *e) MUST_CHECK;
/* Writes looked and prepared_at. */
int store_deployment_looked(struct db *db, const struct deployment *d, struct err *e) MUST_CHECK;
/* One more device begins in this minute (Unix milliseconds / 60000). */
int store_deployment_begin(struct db *db, int64_t pk, int64_t minute, struct err *e) MUST_CHECK;
/* Remembers, or forgets, that a cancelled deployment has devices left to be told. */
int store_deployment_closing_set(struct db *db, int64_t pk, bool closing, struct err *e) MUST_CHECK;
/* One that has; 0 when there is none. */
int store_deployment_closing(struct db *db, int64_t *pk, struct err *e) MUST_CHECK;

#endif
