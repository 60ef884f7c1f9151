/*
 * A deployment's devices are looked for in slices, in the order in which they were registered, and each is
 * put into a phase as it is found, so that at any time each phase has its share of those found so far.
 */
#include "model/filter.h"
#include "ota/announce.h"
#include "ota/deploy.h"
#include "ota/finish.h"
#include "ota/ota.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/phases.h"

#define LOOK 1000 /* devices looked at in one go */

struct preparing {
    struct db *db;
    struct arena *arena;
    struct deployment *d;
    struct member_search search;
    struct phase *phases;
    size_t phase_count;
    int64_t shared; /* devices that no phase with a filter or a count took */
    int64_t taken[DEPLOYMENT_PHASES_MAX];
    struct member_found found[LOOK];
};

static int parse(struct preparing *p, const char *text, const struct filter **out, struct err *e)
{
    return filter_parse(str_of(text), p->arena, out, e);
}

static bool is_shared(const struct preparing *p, size_t i)
{
    return p->search.phases[i] == NULL && p->phases[i].devices == 0;
}

static int begin(struct preparing *p, struct err *e)
{
    const struct deployment *d = p->d;
    const char *text = deployment_filter(d->kind, d->target, p->arena);
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "no memory to look for a deployment's devices");
    int rc = parse(p, text, &p->search.filter, e);
    if (rc == 0)
        rc = store_phases(p->db, p->arena, d->pk, &p->phases, &p->phase_count, e);
    p->search.deployment = d;
    p->search.phase_count = p->phase_count;
    for (size_t i = 0; i < p->phase_count && rc == 0; i++) {
        if (p->phases[i].filter[0] != '\0')
            rc = parse(p, p->phases[i].filter, &p->search.phases[i], e);
        for (int s = 0; s < MEMBER_STATES; s++)
            p->taken[i] += p->phases[i].members[s];
        if (is_shared(p, i))
            p->shared += p->taken[i];
    }
    return rc;
}

/* Room for one more of n devices, of which the phases up to this one are to have `percent`: rounded up, so
   that the first device of all goes to the first phase. */
static bool has_share(int64_t taken, int64_t percent, int64_t n)
{
    return taken < (percent * n + 99) / 100;
}

/* The phase of a device: the first that wants it. */
static size_t phase_of(const struct preparing *p, const struct member_found *f)
{
    int64_t percent = 0, taken = 0;
    for (size_t i = 0; i + 1 < p->phase_count; i++) {
        const struct phase *ph = &p->phases[i];
        bool filtered = p->search.phases[i] != NULL;
        if (filtered && (f->matches & (1u << i)) == 0)
            continue;
        if (ph->devices != 0 ? p->taken[i] < ph->devices : filtered)
            return i;
        if (ph->devices != 0)
            continue;
        percent += ph->percent;
        taken += p->taken[i];
        if (has_share(taken, percent, p->shared + 1))
            return i;
    }
    return p->phase_count - 1;
}

static int take(struct preparing *p, const struct member_found *f, struct err *e)
{
    size_t i = p->phase_count > 1 ? phase_of(p, f) : 0;
    const struct member m = {
        .deployment = p->d->pk,
        .device = f->device,
        .phase = (int)i,
        .state = f->already ? MEMBER_ALREADY : MEMBER_WAITING,
        .why = f->already ? "it ran the version already" : NULL,
    };
    bool added = false;
    int rc = store_member_add(p->db, &m, &added, e);
    if (rc == 0 && added) {
        p->taken[i]++;
        p->shared += is_shared(p, i);
    }
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
