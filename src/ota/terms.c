/* How far a device is to go with an update now: what its deployment's mode and window make of it. */
#include "ota/gather.h"
#include "ota/poll.h"
#include "store/deployments.h"

static enum poll_must must(const struct deployment_policy *p, int64_t now_ms)
{
    switch (p->mode) {
    case MODE_SOFT:
        return POLL_ATTEMPT;
    case MODE_TIME_FORCED:
        return now_ms >= p->force_at ? POLL_FORCED : POLL_ATTEMPT;
    case MODE_FORCED:
    case MODE_DOWNLOAD_ONLY:
        break;
    }
    return POLL_FORCED;
}

int ota_terms(struct db *db, struct arena *a, const struct device *d, const struct action *act,
              int64_t now_ms, struct poll_terms *out, struct err *e)
{
    struct deployment of;
    struct poll_terms t = {0};
    int rc = store_deployment_by_pk(db, a, act->deployment, &of, e);
    if (rc == 0)
        rc = ota_window(a, &of.policy, d, now_ms, &t.window, &t.window_ms, e);
    if (rc != 0)
        return rc;
    t.download = t.install = must(&of.policy, now_ms);
    if (of.policy.mode == MODE_DOWNLOAD_ONLY || t.window == SELECT_WINDOW_CLOSED)
        t.install = POLL_SKIP;
    *out = t;
    return 0;
}
