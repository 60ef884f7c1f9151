/* What the console's streams tell: answers of the native interface, asked once for all who look. Used by the
   one thread of server/live.c. */
#ifndef PQOTA_SERVER_LIVE_TOPIC_H
#define PQOTA_SERVER_LIVE_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "http/route.h"

#define LIVE_TOPIC_MAX 4096 /* bytes of its path and query; a filter in Korean is long */

struct topic {
    struct list link;
    struct arena arena; /* of its texts */
    const char *name;   /* "/api/deployments/3" */
    struct identity as; /* as whom it is asked: a role, nobody's name */
    struct http_request req;
    struct route_found found;
    size_t viewers;
    struct buf event;      /* ready to be sent; empty until it was asked once */
    uint64_t edition;      /* of the event: 0 is none yet */
    int64_t data;          /* which data the database had when it was asked last */
    int64_t asked_ms;      /* monotonic */
    int64_t rest_until_ms; /* what takes long is asked less often */
};

/* Whether somebody of that role may look at it. ERR_INVALID, ERR_NOT_FOUND, ERR_DENIED. */
int topic_check(struct server *s, const char *name, enum who role, struct arena *a, struct err *e) MUST_CHECK;
/* After topic_check. ERR_NOMEM. */
int topic_new(struct server *s, const char *name, enum who role, struct topic **out,
              struct err *e) MUST_CHECK;
void topic_free(struct topic *t);
/* Asks again if it is time to. data: a number that another change to the database makes another. room: bytes
   that the event may take; an answer that needs more becomes one that says so. Another answer is another
   edition. Whether it was asked. */
bool topic_refresh(struct topic *t, struct server *s, struct db *db, int64_t data, int64_t now_ms,
                   size_t room);

#endif
