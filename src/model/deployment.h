/* A deployment: a release for devices, in phases, with a policy. Its life is one table of states. */
#ifndef PQOTA_MODEL_DEPLOYMENT_H
#define PQOTA_MODEL_DEPLOYMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define DEPLOYMENT_PHASES_MAX 32
#define DEPLOYMENT_PRIORITY_DEFAULT 500
#define DEPLOYMENT_PRIORITY_MAX 1000
#define DEPLOYMENT_RETRY_SECONDS 3600
#define DEPLOYMENT_RETRY_SECONDS_MAX 86400 /* however often the wait was doubled */

/* Who it is for. DEPLOYMENT: those that another deployment reached. LIST: named one by one. */
enum target_kind {
    TARGET_DEVICE,
    TARGET_TAG,
    TARGET_MODEL,
    TARGET_ALL,
    TARGET_FILTER,
    TARGET_LIST,
    TARGET_DEPLOYMENT
};
enum deployment_state {
    DEPLOYMENT_APPROVAL,  /* a second person has to approve */
    DEPLOYMENT_SCHEDULED, /* begins at start_at */
    DEPLOYMENT_RUNNING,
    DEPLOYMENT_PAUSED, /* no device begins; those that have begun go on */
    DEPLOYMENT_FINISHED,
    DEPLOYMENT_CANCELLED,
    DEPLOYMENT_DENIED,
};
enum deployment_mode { MODE_FORCED, MODE_SOFT, MODE_DOWNLOAD_ONLY, MODE_TIME_FORCED };

/* Times are Unix milliseconds, 0 for none; spans are seconds. */
struct deployment_policy {
    bool dynamic; /* devices that come to match later join */
    bool allow_downgrade;
    bool consent; /* the device's user has to agree */
    int priority; /* the highest counts, then the newest */
    enum deployment_mode mode;
    int64_t force_at; /* MODE_TIME_FORCED: soft until then */
    int64_t start_at;
    int64_t per_minute;          /* devices that may begin; 0: any number */
    const char *window_schedule; /* Quartz cron; NULL: at any time */
    int64_t window_seconds;
    const char *window_zone;        /* "+02:00", or "device": the device's own */
    int64_t deadline_seconds;       /* for one attempt; 0: none */
    int64_t retries, retry_seconds; /* after a failure: so often, after so long, doubled each time */
    int64_t rollback;               /* release for its devices when errors stop it; 0: none */
};

/* Texts live in the arena that the record was read into. */
struct deployment {
    int64_t pk;
    int64_t release;
    const char *release_name, *release_version;
    enum target_kind kind;
    const char *target; /* what it is for; "" for all */
    enum deployment_state state;
    const char *why; /* it is in this state; "" when nothing is to be said */
    struct deployment_policy policy;
    int phase, phases;                          /* the last one that is open; how many there are */
    int64_t looked;                             /* pk of the last device that was looked at for members */
    int64_t prepared_at;                        /* all were; 0: not yet */
    int64_t minute, begun;                      /* devices that began in the last minute in which any did */
    int64_t origin;                             /* the deployment that this one takes back; 0: none */
    int64_t created_at, approved_at, closed_at; /* closed_at 0 while it may still do something */
    const char *created_by, *approved_by;       /* approved_by NULL: nobody */
};

/* How many of a phase's devices stand where. */
enum member_state {
    MEMBER_WAITING,
    MEMBER_ACTIVE,
    MEMBER_SUCCEEDED,
    MEMBER_ALREADY, /* nothing to do: it ran the version, or a newer one, before it was its turn */
    MEMBER_FAILED,
    MEMBER_CANCELLED
};
#define MEMBER_STATES 6

struct phase {
    const char *name, *filter; /* "" for none */
    int64_t percent;           /* of those that no phase with a filter or a count took; 0: the rest */
    int64_t devices;           /* at most; 0: any number */
    int64_t success_percent;   /* of its devices: then the next phase opens */
    int64_t error_percent, error_count; /* reaching either pauses the deployment; 0: never */
    int64_t opened_at;                  /* Unix milliseconds, 0: not yet */
    int64_t members[MEMBER_STATES];
};

const char *target_kind_word(enum target_kind k);
int target_kind_parse(struct str word, enum target_kind *out) MUST_CHECK;
const char *deployment_state_word(enum deployment_state s);
int deployment_state_parse(struct str word, enum deployment_state *out) MUST_CHECK;
const char *deployment_mode_word(enum deployment_mode m);
int deployment_mode_parse(struct str word, enum deployment_mode *out) MUST_CHECK;
const char *member_state_word(enum member_state s);
int member_state_parse(struct str word, enum member_state *out) MUST_CHECK;

bool deployment_may_move(enum deployment_state from, enum deployment_state to);
bool deployment_is_over(enum deployment_state s);

/* A device id, a tag's or model's name, a filter's text (which is parsed elsewhere), or nothing for all. What
   the server alone makes (a list, a deployment) is refused. */
int deployment_check_target(enum target_kind kind, struct str target, struct err *e) MUST_CHECK;
/* The filter that finds its devices: for a tag tag=="x". NULL: no memory. Not for lists and deployments. */
const char *deployment_filter(enum target_kind kind, const char *target, struct arena *a);
/* Bounds of all its numbers; phases: that each says what it takes and the last takes the rest. */
int deployment_check_policy(const struct deployment_policy *p, struct err *e) MUST_CHECK;
int deployment_check_phases(const struct phase *phases, size_t count, struct err *e) MUST_CHECK;

/* Whether so many of its devices have succeeded that the next phase opens; whether so many have failed that
   it must stop; whether all are through, and too few have succeeded. Devices that had nothing to do, and
   cancelled ones, do not count. */
bool phase_passed(const struct phase *p);
bool phase_broken(const struct phase *p);
bool phase_fell_short(const struct phase *p);

#endif
