/* What is worth a second thought before a deployment is made: each is a sentence for people. */
#include <string.h>

#include "ota/ota.h"
#include "ota/preview.h"
#include "ota/trust.h"
#include "ota/trust_online.h"
#include "ota/trust_view.h"
#include "store/preview.h"
#include "store/signed.h"

#define MANY 20 /* devices that should not all begin at once */

/* The text must not be NULL for want of memory. */
static int add(struct preview *p, const char *text, struct err *e)
{
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a warning");
    if (p->warning_count < PREVIEW_WARNINGS)
        p->warnings[p->warning_count++] = text;
    return 0;
}

static int warn_vouched(struct db *db, struct arena *a, const struct release *r, struct preview *p,
                        struct err *e)
{
    struct signed_terms terms;
    bool signed_it = true;
    int rc = 0;
    for (size_t i = 0; i < r->model_count && rc == 0 && signed_it; i++)
        rc = store_signed_terms(db, a, r->pk, r->models[i], &signed_it, &terms, e);
    if (rc != 0 || signed_it)
        return rc;
    return add(p,
               arena_printf(a,
                            "Nobody has vouched for %s %s: devices that ask for a signature refuse it, and "
                            "others cannot tell whether it was changed.",
                            r->name, r->version),
               e);
}

/* What people have to sign, near its end; what the server signs itself, when it did not. */
static int warn_metadata(struct ota *ota, struct arena *a, struct preview *p, struct err *e)
{
    struct trust_row rows[TRUST_VIEW_MAX];
    int64_t now = clock_unix_ms(ota->clock);
    size_t n = ota->trust != NULL ? trust_view_get(trust_view_of(ota), rows) : 0;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        char end[CLOCK_TEXT_MAX];
        if (!online_is_late(&rows[i], now))
            continue;
        clock_format(rows[i].expires_ms, end);
        rc = rows[i].expires_ms <= now
                 ? add(p,
                       arena_printf(a,
                                    "The signed metadata \"%s\" have expired: devices install nothing until "
                                    "they are signed anew.",
                                    rows[i].role),
                       e)
                 : add(p,
                       arena_printf(a,
                                    "The signed metadata \"%s\" end on %.10s: after that devices install "
                                    "nothing until they are signed anew.",
                                    rows[i].role, end),
                       e);
    }
    return rc;
}

/* Nobody is waited for there. */
static int warn_empty(struct arena *a, struct preview *p, struct err *e)
{
    for (size_t i = 0; p->devices > 0 && p->complete && i + 1 < p->phase_count; i++)
        if (p->phases[i].devices == 0)
            return add(p,
                       arena_printf(a, "Phase %zu takes no device: phase %zu opens as soon as it does.",
                                    i + 1, i + 2),
                       e);
    return 0;
}

static int warn_phases(struct arena *a, const struct deploy *d, struct preview *p, struct err *e)
{
    bool stops = false;
    int rc = 0;
    for (size_t i = 0; d->phases != NULL && i < d->phase_count; i++)
        stops = stops || d->phases[i].error_percent != 0 || d->phases[i].error_count != 0;
    if (p->devices < MANY)
        return 0;
    if (p->phase_count == 1 && d->policy.per_minute == 0)
        rc = add(p,
                 arena_printf(a,
                              "All %lld devices may begin at once: with a first phase a few of them would "
                              "show whether it works.",
                              (long long)p->devices),
                 e);
    if (rc == 0 && !stops)
        rc = add(p, "Nothing stops it when devices fail: no phase has a limit of errors.", e);
    return rc;
}

/* A window in a time that is not known of each device: a night there may be a day. */
static int warn_clock(struct arena *a, const struct deployment_policy *w, struct preview *p, struct err *e)
{
    if (w->window_schedule == NULL || strcmp(w->window_zone, "device") != 0 || p->no_clock == 0 ||
        p->devices == 0)
        return 0;
    if (p->no_clock < 0)
        return add(
            p,
            "The window opens by each device's own clock, and by UTC for devices whose offset from UTC "
            "was never set.",
            e);
    return add(p,
               arena_printf(a,
                            "The offset from UTC of %s%lld of the devices was never set: for them the window "
                            "opens by UTC.",
                            p->complete ? "" : "at least ", (long long)p->no_clock),
               e);
}

static int warn_other(struct db *db, struct arena *a, const struct release *r, struct preview *p,
                      struct err *e)
{
    int64_t other;
    int rc = store_preview_other(db, r->pk, &other, e);
    if (rc != 0 || other == 0)
        return rc;
    return add(p,
               arena_printf(a, "Deployment %lld is of %s %s too, and is not over.", (long long)other, r->name,
                            r->version),
               e);
}

int preview_warn(struct ota *ota, struct db *db, struct arena *a, const struct deploy_checked *c,
                 struct preview *out, struct err *e)
{
    const struct release *r = &c->release;
    int rc = 0;
    if (out->devices == 0 && out->complete)
        rc = add(out, "No device would get it now.", e);
    if (rc == 0 && out->older > 0)
        rc = add(
            out,
            arena_printf(a, "%lld of the devices would go back to an older version.", (long long)out->older),
            e);
    if (rc == 0)
        rc = warn_vouched(db, a, r, out, e);
    if (rc == 0)
        rc = warn_metadata(ota, a, out, e);
    if (rc == 0)
        rc = warn_phases(a, &c->d, out, e);
    if (rc == 0)
        rc = warn_empty(a, out, e);
    if (rc == 0)
        rc = warn_clock(a, &c->d.policy, out, e);
    return rc != 0 ? rc : warn_other(db, a, r, out, e);
}
