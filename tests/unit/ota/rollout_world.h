/* A fleet with people and a clock, and what they may do next: for random steps. */
#ifndef PQOTA_TESTS_OTA_ROLLOUT_WORLD_H
#define PQOTA_TESTS_OTA_ROLLOUT_WORLD_H

#include "rollout_fixture.h"

#define DEVICES 8
#define DDI_FROM 6 /* these speak hawkBit's protocol, and sometimes our own */
#define RELEASES 4
#define APART 450 /* between the keys of two devices: a slice looks at two of them */
#define CROWD 205 /* devices that never ask: cancelling takes several slices with them */
#define TOLD 16   /* last steps that are shown when something is wrong */

struct world {
    struct fixture *f;
    struct db *db;
    struct ota ota; /* with the world's own clock */
    struct clock clock;
    struct arena arena;
    uint64_t random;
    int64_t now, mono;
    int64_t last_pk; /* of a device */
    int64_t releases[RELEASES];
    struct {
        bool gone; /* revoked */
        char runs[8];
        int64_t action; /* that it was told of last */
    } devices[DEVICES];
    char told[TOLD][160], wrong[600];
    int step;
    int64_t changes; /* of the database, when it was looked at last */
};

unsigned pick(struct world *w, unsigned n); /* 0 to n - 1 */
bool once_in(struct world *w, unsigned n);
int64_t number(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What this step does; what is wrong with it. */
void tell(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void wrong(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *id_of(struct world *w, int i);
int put_device(struct world *w, int i, struct err *e);
/* ERR_CONFLICT for what may be refused: somebody is late, or talks nonsense. */
int refusal(int rc);

/* People; each gives 0, a refusal, or what is wrong. */
int step_deploy(struct world *w, struct err *e);
int step_steer(struct world *w, struct err *e);
int step_assign(struct world *w, struct err *e);
int step_take_back(struct world *w, struct err *e);
int step_leave(struct world *w, struct err *e);
int step_unpublish(struct world *w, struct err *e);

#endif
