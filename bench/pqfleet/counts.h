/* What the fleet did, counted. */
#ifndef BENCH_PQFLEET_COUNTS_H
#define BENCH_PQFLEET_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "shared/histogram.h"

#define COUNTS_SAMPLES 8 /* errors kept as text */

enum error_kind {
    ERROR_CONNECT, /* nobody listens, or not to so many */
    ERROR_IO,
    ERROR_CLOSED, /* in the middle of an answer */
    ERROR_HTTP,   /* not HTTP/1.1 */
    ERROR_BUSY,   /* 429 or 503: come back later */
    ERROR_STATUS, /* another that was not asked for */
    ERROR_REPLY,  /* an answer that is not as the protocol says */
    ERROR_TIMEOUT,
    ERROR_KINDS
};

extern const char *const error_names[ERROR_KINDS];

/* What became of an action on the device: the words of the fate file. */
enum outcome {
    OUTCOME_SUCCESS,
    OUTCOME_FAILURE,
    OUTCOME_FELL_BACK,  /* claimed success, then reported the old version */
    OUTCOME_DOWNLOADED, /* was not to install it */
    OUTCOME_VANISHED,
    OUTCOME_HUNG,
    OUTCOME_CANCELLED, /* was told to, and agreed */
    OUTCOME_DENIED,
    OUTCOME_WITHDRAWN, /* the server did not offer it any more, or answered 404 or 410 */
    /* Where it stood when the fleet ended: */
    OUTCOME_ASKED,
    OUTCOME_OFFERED,
    OUTCOME_PROCEEDING,
    OUTCOME_REPORTING, /* how it ended is not acknowledged */
    OUTCOME_CLAIMED,   /* success acknowledged, the old version not reported yet */
    OUTCOMES
};

extern const char *const outcome_names[OUTCOMES];

struct counts {
    uint64_t requests, polls, offers, consents, configs, reports, downloads, download_bytes;
    uint64_t outcomes[OUTCOMES];
    uint64_t repeats;                /* reports sent again */
    uint64_t settled;                /* devices that are done */
    uint64_t opened, open, open_max; /* connections */
    uint64_t stale;                  /* kept-alive connections that the server had closed just then */
    uint64_t refused;                /* a Unix socket with no room for another connection just then */
    struct histogram poll, report;   /* from when the device wanted to ask to the answer's end */
    struct histogram late;           /* how long after its time the device's turn came: the simulator's own */
    uint64_t errors[ERROR_KINDS], error_count;
    char samples[COUNTS_SAMPLES][ERR_TEXT_MAX];
    size_t sample_count;
    uint64_t elapsed_ns, cpu_us;
};

/* Texts that differ are kept, the first ones. */
void counts_error(struct counts *c, enum error_kind kind, const char *text);

#endif
