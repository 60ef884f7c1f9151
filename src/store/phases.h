/* Phases of deployments: what store/deployments.c writes with a deployment. */
#ifndef PQOTA_STORE_PHASES_H
#define PQOTA_STORE_PHASES_H

#include "model/deployment.h"

struct db;

/* Writer only. The first one is open. */
int store_phases_add(struct db *db, int64_t deployment, const struct phase *phases, int count,
                     struct err *e) MUST_CHECK;

#endif
