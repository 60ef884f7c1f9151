/* Reads what a server says in hawkBit's device protocol (DDI v1): no more than the devices that exist rely
   on, but that strictly. */
#ifndef BENCH_PQFLEET_DDI_READ_H
#define BENCH_PQFLEET_DDI_READ_H

#include "pqfleet/offer.h"

/* Actions are 0 where there is no such link; the texts are the document's. */
struct ddi_poll {
    int64_t deployment, confirmation, cancel; /* at most one of them is there */
    struct str path;                          /* of that one's link */
    bool config;                              /* attributes are asked for */
    uint32_t sleep;                           /* seconds until the next poll, as the server would like it */
};

/* base: "/TENANT/controller/v1/ID"; every link must begin with it, the tenant in any case. */
int ddi_read_poll(yyjson_val *root, struct str base, struct ddi_poll *out, struct err *e) MUST_CHECK;
/* key: "deployment" or "confirmation". */
int ddi_read_offer(yyjson_val *root, const char *key, struct offer *out, struct err *e) MUST_CHECK;
/* The action that is to be stopped. */
int ddi_read_cancel(yyjson_val *root, int64_t *out, struct err *e) MUST_CHECK;

#endif
