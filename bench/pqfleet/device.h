/*
 * A device: what it asks next and what it makes of the answer. No sockets and no clock: an answer says how
 * long to wait, so that tests feed it replies. ddi.c and native.c know the protocols, device.c what a device
 * does.
 *
 * A report (how an action goes, consent, agreement to a cancellation) is repeated until it is answered with
 * 2xx, 404 or 410. Everything else that goes wrong leads back to a poll.
 */
#ifndef BENCH_PQFLEET_DEVICE_H
#define BENCH_PQFLEET_DEVICE_H

#include <stdio.h>

#include "pqfleet/counts.h"
#include "pqfleet/draw.h"
#include "pqfleet/offer.h"
#include "pqfleet/options.h"

#define DEVICE_ID_MAX 48 /* bytes, with the NUL */
#define NAMES_MAX 1024
#define ASK_BODY_MAX 2560

/* The versions that were heard of: a device keeps a number. */
struct names {
    char *list[NAMES_MAX];
    size_t count;
};

int names_number(struct names *n, struct str name, uint16_t *out, struct err *e) MUST_CHECK;
void names_fini(struct names *n);

enum step {
    STEP_POLL,
    STEP_CONFIG,    /* tell attributes, the version among them */
    STEP_OFFER,     /* look at what is offered */
    STEP_CONSENT,   /* answer whether it may be */
    STEP_REPORT,    /* how it goes: device.report */
    STEP_FETCH,     /* an artifact */
    STEP_CANCEL,    /* look at what is to be cancelled */
    STEP_CANCELLED, /* agree */
    STEP_GONE,
};

enum report { REPORT_PROCEEDING, REPORT_DOWNLOADED, REPORT_INSTALLING, REPORT_SUCCESS, REPORT_FAILURE };

enum stage {
    STAGE_NONE,
    STAGE_ASKED, /* for consent */
    STAGE_DENIED,
    STAGE_OFFERED,
    STAGE_PROCEEDING,
    STAGE_DOWNLOADED, /* told so, and not to install it yet */
    STAGE_HUNG,
    STAGE_REPORTING, /* how it ended */
    STAGE_CLAIMED,   /* success, and the old version is not told yet */
    STAGES
};

struct artifact {
    struct artifact *next;
    uint64_t size;
    uint8_t sha256[SHA256_SIZE];
    char path[];
};

struct device {
    uint64_t chance; /* for times */
    uint64_t wait;   /* ns until it asks again, after an answer */
    uint32_t number;
    uint32_t attempt;                /* actions that it was offered */
    int32_t action, past, stop;      /* at hand; the last one that is over; to be cancelled; 0: none */
    uint16_t running, offered, told; /* numbers of versions */
    uint8_t step, stage, fate, report, failures;
    bool deny;                  /* consent to this attempt */
    bool install;               /* the offer: now */
    bool window;                /* the offer: maybe later */
    bool consent;               /* the link is one to be asked for consent by */
    bool broken;                /* an artifact could not be had or is not what was offered */
    bool dealt;                 /* with an offer */
    bool settled;               /* and there is no other */
    int32_t linked;             /* the action that the link leads to */
    char *link;                 /* path to look at, after a poll */
    struct artifact *artifacts; /* still to be fetched */
};

/* What all devices share. */
struct sim {
    const struct options *options;
    struct counts *counts;
    struct names names; /* the first is options->version */
    FILE *fates;        /* or NULL */
};

enum ask_kind { ASK_OTHER, ASK_POLL, ASK_REPORT, ASK_FETCH };

struct ask {
    const char *method;
    enum ask_kind kind;
    char path[OFFER_PATH_MAX];
    char body[ASK_BODY_MAX];
    size_t body_n; /* 0: none */
};

struct answer {
    int status;
    struct str body;             /* not of ASK_FETCH */
    uint64_t length;             /* ASK_FETCH: bytes of the body, of HEAD what it would have */
    uint8_t sha256[SHA256_SIZE]; /* ASK_FETCH with DOWNLOAD_FULL: of the body */
};

void device_init(struct device *d, const struct sim *s, uint64_t number);
void device_fini(struct device *d);
void device_id(const struct sim *s, const struct device *d, char out[DEVICE_ID_MAX]);
/* Not for one that is gone. */
int device_ask(const struct sim *s, const struct device *d, struct ask *out, struct err *e) MUST_CHECK;
/* Sets what it asks next, and d->wait. ERR_BUSY: a status that stands for no answer; another
   error: an answer that is wrong (ERROR_REPLY). Then the caller calls device_failed. */
int device_take(struct sim *s, struct device *d, const struct answer *a, struct err *e) MUST_CHECK;
/* There was no answer, or not one to go by: it waits, longer each time, and asks again. */
void device_failed(struct sim *s, struct device *d);
/* The fleet ends: notes where an action stands. */
void device_end(struct sim *s, struct device *d);

/* --- for the protocols --------------------------------------------------------------------------------- */

struct protocol {
    int (*ask)(const struct sim *s, const struct device *d, struct ask *out, struct err *e);
    /* An answer to any step but a report, a fetch and consent; the status is 2xx, 404 or 410. */
    int (*take)(struct sim *s, struct device *d, const struct answer *a, struct err *e);
};

extern const struct protocol protocol_ddi, protocol_native;

const char *device_version(const struct sim *s, uint16_t number);
/* ERR_CONFLICT: the action is over, for the device said so: it must not be offered any more. */
int device_check(const struct device *d, int64_t action, struct err *e) MUST_CHECK;
/* Begins what it is offered or asked consent to, unless that was done. */
void device_begin(struct sim *s, struct device *d, int64_t action, enum stage stage);
/* The offer of the action that was begun. */
int device_offered(struct sim *s, struct device *d, const struct offer *o, struct err *e) MUST_CHECK;
/* The server offers what the device hangs in or denied, or nothing at all: then what was at hand is over. */
void device_idle(struct sim *s, struct device *d, bool nothing);
/* What is at hand is over in that way. status: of the answer that ended it. */
void device_finish(struct sim *s, struct device *d, enum outcome how, int status);
/* The device agreed to have d->stop cancelled. */
void device_cancelled(struct sim *s, struct device *d, int status);
/* Asks that, at once. */
void device_go(struct device *d, enum step step);
/* Polls, after the interval. */
void device_rest(const struct sim *s, struct device *d);
int device_link(struct device *d, struct str path, struct err *e) MUST_CHECK;
/* The link of the last poll is of no use any more. */
void device_unlink(struct device *d);

#endif
