/*
 * A deployment's devices are looked for in slices, in the order in which they were registered, and each is
 * put into a phase as it is found, so that at any time each phase has its share of those found so far. Who
 * has nothing to do is no part of that: a canary of such devices would prove nothing, and let all others
 * begin.
 */
#include <string.h>

#include "model/filter.h"
#include "ota/announce.h"
#include "ota/deploy.h"
#include "ota/finish.h"
#include "ota/ota.h"
#include "ota/reason.h"
#include "ota/shares.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/phases.h"

#define LOOK 1000 /* devices looked at in one go */

struct preparing {
    struct db *db;
    struct arena *arena;
    struct deployment *d;
    struct member_search search;
    struct shares shares;
    struct member_found found[LOOK];
};

static int begin(struct preparing *p, struct err *e)
{
    const struct deployment *d = p->d;
    const char *text = deployment_filter(d->kind, d->target, p->arena);
    struct phase *phases;
    size_t count;
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "no memory to look for a deployment's devices");
    int rc = filter_parse(str_of(text), p->arena, &p->search.filter, e);
    if (rc == 0)
        rc = store_phases(p->db, p->arena, d->pk, &phases, &count, e);
    if (rc == 0)
        rc = shares_init(&p->shares, p->arena, phases, count, e);
    if (rc != 0)
        return rc;
    p->search.deployment = d;
    p->search.phase_count = count;
    memcpy(p->search.phases, p->shares.filters, count * sizeof p->search.phases[0]);
    return 0;
}

static int take(struct preparing *p, const struct member_found *f, struct err *e)
{
    const char *const why[] = {
        [NEED_NONE_SAME] = "it ran the version already",
        [NEED_NONE_NEWER] = reason_text(REASON_NOT_NEWER),
        [NEED_UPDATE] = NULL,
    };
    bool waits = f->need == NEED_UPDATE;
    size_t i = waits ? shares_phase_of(&p->shares, f->matches) : shares_last(&p->shares);
    const struct member m = {
        .deployment = p->d->pk,
        .device = f->device,
        .phase = (int)i,
        .state = waits ? MEMBER_WAITING : MEMBER_ALREADY,
        .why = why[f->need],
    };
    bool added = false;
    int rc = store_member_add(p->db, &m, &added, e);
    if (rc == 0 && added && waits)
        shares_take(&p->shares, i);
    return rc;
}

/* Looks at devices for OTA_SLICE_MS or until there is none left. */
static int look(struct ota *ota, struct preparing *p, struct err *e)
{
    int64_t last, until = clock_mono_ms(ota->clock) + OTA_SLICE_MS;
    int rc = store_device_last_pk(p->db, &last, e);
    do {
        size_t count = 0;
        if (rc == 0)
            rc = store_member_search(p->db, &p->search, p->d->looked, p->d->looked + LOOK, p->found, &count,
                                     e);
        for (size_t i = 0; i < count && rc == 0; i++)
            rc = take(p, &p->found[i], e);
        p->d->looked += LOOK;
    } while (rc == 0 && p->d->looked < last && clock_mono_ms(ota->clock) < until);
    if (rc == 0 && p->d->looked >= last)
        p->d->prepared_at = clock_unix_ms(ota->clock);
    return rc;
}

int ota_prepared(struct ota *ota, struct db *db, struct arena *a, struct deployment *d, struct err *e)
{
    int rc = announce_deployment(ota, db, d, e);
    if (rc == 0)
        rc = ota_advance_deployment(ota, db, a, d->pk, e); /* a phase of nobody does not wait */
    return rc != 0 ? rc : store_deployment_by_pk(db, a, d->pk, d, e);
}

int ota_prepare(struct ota *ota, struct db *db, struct arena *a, struct deployment *d, struct err *e)
{
    struct preparing *p = arena_new(a, struct preparing);
    if (p == NULL)
        return err_set(e, ERR_NOMEM, "no memory to look for a deployment's devices");
    p->db = db;
    p->arena = a;
    p->d = d;
    p->search.now_ms = clock_unix_ms(ota->clock);
    int rc = begin(p, e);
    if (rc == 0)
        rc = look(ota, p, e);
    if (rc == 0)
        rc = store_deployment_looked(db, d, e);
    return rc != 0 || d->prepared_at == 0 ? rc : ota_prepared(ota, db, a, d, e);
}

int ota_prepare_slice(struct ota *ota, struct db *db, bool *more, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 4 << 20);
    struct deployment d;
    int64_t pk;
    int rc = store_deployment_unprepared(db, &pk, e);
    if (rc == 0 && pk != 0)
        rc = store_deployment_by_pk(db, &a, pk, &d, e);
    if (rc == 0 && pk != 0)
        rc = ota_prepare(ota, db, &a, &d, e);
    if (rc == 0)
        *more = pk != 0;
    return rc;
}
