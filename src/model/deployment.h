/* A deployment: a release for one device, a tag, a model or all. */
#ifndef PQOTA_MODEL_DEPLOYMENT_H
#define PQOTA_MODEL_DEPLOYMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum target_kind { TARGET_DEVICE, TARGET_TAG, TARGET_MODEL, TARGET_ALL };
enum deployment_state { DEPLOYMENT_RUNNING, DEPLOYMENT_CANCELLED };

/* Texts live in the arena that the record was read into. */
struct deployment {
    int64_t pk;
    int64_t release;
    const char *release_name, *release_version;
    enum target_kind kind;
    const char *target; /* "" for all */
    enum deployment_state state;
    bool allow_downgrade;
    int64_t created_at, closed_at; /* Unix milliseconds; closed_at 0 while it runs */
    const char *created_by;
};

const char *target_kind_word(enum target_kind k);
int target_kind_parse(struct str word, enum target_kind *out) MUST_CHECK;
const char *deployment_state_word(enum deployment_state s);
int deployment_state_parse(struct str word, enum deployment_state *out) MUST_CHECK;

/* A device id, a tag's or model's name, or nothing for all. */
int deployment_check_target(enum target_kind kind, struct str target, struct err *e) MUST_CHECK;

#endif
