/* What tests of rollouts do over and over: deployments with a policy, steered and looked at. */
#ifndef PQOTA_TESTS_OTA_ROLLOUT_FIXTURE_H
#define PQOTA_TESTS_OTA_ROLLOUT_FIXTURE_H

#include "release_fixture.h"

/* To all devices that there are now. */
struct deploy to_all(int64_t release);
/* The same in two phases: those that `canary` takes, and when enough of them have succeeded the rest. The
   answer points to `phases`. */
struct deploy in_two(int64_t release, struct phase canary, struct phase phases[2]);
/* By anna; must work. */
int64_t made(struct fixture *f, const struct deploy *d);
int refused(struct fixture *f, const struct deploy *d);

typedef int steer_fn(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                     struct deployment *out, struct err *e);
int steer(struct fixture *f, steer_fn *fn, const char *who, int64_t deployment);

/* Changes the database as no interface would. */
void sql(struct fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *state_of(struct fixture *f, int64_t d);
int64_t in_phase(struct fixture *f, int64_t d, int phase);
/* d1 to dn of the model m. */
void add_fleet(struct fixture *f, int n);
/* The device runs 0, is offered the release, and ends it so. */
void ends(struct fixture *f, int device, int64_t release, enum action_state how);
/* The device asks by hawkBit's protocol. */
void poll_ddi(struct fixture *f, const char *id);
/* Fails some of what did not end by its deadline; whether there may be more. */
bool overdue_slice(struct fixture *f);
/* Why it gets what it gets. */
enum reason why(struct fixture *f, const char *id);

#endif
