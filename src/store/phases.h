/* Phases of deployments in the database. */
#ifndef PQOTA_STORE_PHASES_H
#define PQOTA_STORE_PHASES_H

#include "base/arena.h"
#include "model/deployment.h"

struct db;

/* In their order, with how many devices stand where. *out has *count. */
int store_phases(struct db *db, struct arena *a, int64_t deployment, struct phase **out, size_t *count,
                 struct err *e) MUST_CHECK;
/* One of them. */
int store_phase(struct db *db, struct arena *a, int64_t deployment, int number, struct phase *out,
                struct err *e) MUST_CHECK;

/* Writer only. */
/* With the deployment; the first one is open. */
int store_phases_add(struct db *db, int64_t deployment, const struct phase *phases, int count,
                     struct err *e) MUST_CHECK;
/* Phase `number` is the last one that is open from now on; what the deployment waited for is forgotten. */
int store_phase_open(struct db *db, int64_t deployment, int number, int64_t now_ms, struct err *e) MUST_CHECK;

#endif
