/* Why a device gets, or does not get, an update: what its next poll would find, in words with numbers. */
#ifndef PQOTA_OTA_WHY_H
#define PQOTA_OTA_WHY_H

#include "base/arena.h"
#include "model/action.h"
#include "model/deployment.h"
#include "model/device.h"
#include "ota/gather.h"
#include "ota/select.h"
#include "store/members.h"

struct ota;
struct db;

#define WHY_ENDED 5  /* of a device's ended deployments so many are told of */
#define WHY_LOOK 100 /* for these the newest deployments are looked through */
#define WHY_LINES (CANDIDATES_MAX + WHY_ENDED)

/* One deployment and the device. Texts in the arena; times are Unix milliseconds, 0 for none. */
struct why_line {
    struct deployment deployment;
    bool has_part; /* member is filled; else it may join, or it is not for it */
    struct member member;
    struct action action; /* its last one of this deployment; pk 0: none */
    enum reason reason;
    bool gets; /* it is given this update, or has it under way */
    /* What the reason is measured by, where that is so; else 0. */
    int phase, phases; /* the device's, from 1 */
    int waits_for;     /* the phase, from 1, that has to go on before the next one opens */
    int need_percent;  /* of that one's devices have to succeed */
    int64_t have, of;  /* so many of so many have */
    int64_t at;        /* when it may change */
    bool closed;       /* under way, and the window is closed: the device waits */
    int64_t first;     /* the deployment that goes first */
    int prepared_percent;
    const char *text;
};

struct why {
    struct device device; /* "last seen" with what memory knows */
    const char *text;     /* what a poll now would bring */
    enum reason reason;
    int64_t deployment;     /* that this is about; 0: none */
    struct why_line *lines; /* open ones first, newest first */
    size_t count;
};

/* deployment 0: all that concern it; else that one alone, also if it does not. ERR_NOT_FOUND says which is
   not there. Nothing is written. */
int ota_why(struct ota *ota, struct db *db, struct arena *a, const char *device, int64_t deployment,
            struct why *out, struct err *e) MUST_CHECK;

/* why_text.c: fills l->text; ERR_NOMEM. */
int why_say(struct arena *a, const struct select_facts *f, const struct candidate *c, struct why_line *l,
            struct err *e) MUST_CHECK;

#endif
