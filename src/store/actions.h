/* Actions and the reports on them. */
#ifndef PQOTA_STORE_ACTIONS_H
#define PQOTA_STORE_ACTIONS_H

#include "base/arena.h"
#include "model/action.h"

struct db;

/* With the device's id. ERR_NOT_FOUND says that it is not there. */
int store_action_by_pk(struct db *db, struct arena *a, int64_t pk, struct action *out,
                       struct err *e) MUST_CHECK;
/* The device's open action; out->pk is 0 when there is none. */
int store_action_open(struct db *db, struct arena *a, int64_t device, struct action *out,
                      struct err *e) MUST_CHECK;
/* The newest deployment that the device ever had an action of; 0 for none. */
int store_action_newest_deployment(struct db *db, int64_t device, int64_t *deployment,
                                   struct err *e) MUST_CHECK;
/* A deployment's, in the order they began, with device ids; pk above `after`. */
int store_action_list(struct db *db, struct arena *a, int64_t deployment, int64_t after, size_t limit,
                      struct action **out, size_t *count, bool *more, struct err *e) MUST_CHECK;
/* Open actions for the release on devices that are not revoked. */
int store_action_count_open_of(struct db *db, int64_t release, int64_t *count, struct err *e) MUST_CHECK;
int store_action_status_count(struct db *db, int64_t action, int64_t *count, struct err *e) MUST_CHECK;

/* Writer only. */
/* act->pk is set; its state must be offered. ERR_CONFLICT: the device has an open one. */
int store_action_add(struct db *db, struct action *act, struct err *e) MUST_CHECK;
/* Writes state, progress, message, updated_at and closed_at. */
int store_action_update(struct db *db, const struct action *act, struct err *e) MUST_CHECK;
/* An entry of its history: how it stands now. */
int store_action_status_add(struct db *db, const struct action *act, struct err *e) MUST_CHECK;
/* Closes those of the deployment that have not begun to install, with an entry each; *count says how many. */
int store_action_cancel_all(struct db *db, int64_t deployment, const char *message, int64_t now_ms,
                            int64_t *count, struct err *e) MUST_CHECK;

#endif
