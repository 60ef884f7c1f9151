#include "agent/tunnel_trust.h"

#include <stdio.h>
#include <string.h>

#include "agent/identity.h"
#include "base/file.h"
#include "base/log.h"

int tunnel_trust_open(struct tunnel_trust *t, const struct agent_config *c, struct files *f,
                      const char *device, bool (*stop)(void *ctx), void *stop_ctx, struct err *e)
{
    memset(t, 0, sizeof *t);
    t->config = c;
    t->files = f;
    pthread_mutex_init(&t->asking, NULL);
    pthread_mutex_init(&t->lock, NULL);
    clock_floor_load(&t->floor, f->floor, &clock_system);
    if (file_join(t->path, sizeof t->path, f->dir, TUNNEL_STANDING_FILE) != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of the state folder %s is too long", f->dir);
    struct link_settings set = identity_link(f, c, &t->floor);
    set.stop = stop;
    set.stop_ctx = stop_ctx;
    int rc = link_init(&t->link, &set, e);
    if (rc == 0)
        rc = agent_trust_open(&t->trust, c, f, device, true, &t->link, e);
    if (rc == 0)
        tunnel_standing_load(t);
    return rc;
}

void tunnel_trust_close(struct tunnel_trust *t)
{
    if (t->config == NULL)
        return;
    agent_trust_close(&t->trust);
    link_fini(&t->link);
    pthread_mutex_destroy(&t->lock);
    pthread_mutex_destroy(&t->asking);
    t->config = NULL;
}

void tunnel_trust_offered(struct tunnel_trust *t, uint32_t action, struct str answer)
{
    struct links_file files[LINKS_FILES_MAX];
    size_t count = links_files(answer, files);
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < TUNNEL_OFFERED_MAX; i++)
        if (t->offered[i].action == action)
            t->offered[i].action = 0;
    for (size_t i = 0; i < count; i++) {
        t->offered[t->next] = (struct tunnel_offer){.action = action, .file = files[i]};
        t->next = (t->next + 1) % TUNNEL_OFFERED_MAX;
    }
    pthread_mutex_unlock(&t->lock);
}

/* Locked. The latest answer that names it; NULL: none did. */
static const struct tunnel_offer *offer_of(const struct tunnel_trust *t, struct str module,
                                           struct str filename)
{
    for (size_t i = 1; i <= TUNNEL_OFFERED_MAX; i++) {
        const struct tunnel_offer *o = &t->offered[(t->next + TUNNEL_OFFERED_MAX - i) % TUNNEL_OFFERED_MAX];
        if (o->action != 0 && str_is(module, o->file.module) && str_is(filename, o->file.filename))
            return o;
    }
    return NULL;
}

/* The offer as the metadata's hint. False: no answer named the file. */
static bool look_up(struct tunnel_trust *t, struct str module, struct str filename, struct tunnel_offer *out)
{
    pthread_mutex_lock(&t->lock);
    const struct tunnel_offer *o = offer_of(t, module, filename);
    if (o != NULL)
        *out = *o;
    pthread_mutex_unlock(&t->lock);
    return o != NULL;
}

static bool fits(const struct pqota_target *target, struct str filename, const struct tunnel_offer *offer)
{
    return str_is(filename, target->filename) &&
           (offer == NULL ||
            (strcmp(offer->file.sha256, target->sha256) == 0 && offer->file.size == target->size));
}

static bool still_holds(struct tunnel_trust *t, struct str filename, const struct tunnel_offer *offer,
                        struct pqota_target *out)
{
    pthread_mutex_lock(&t->lock);
    bool good = false;
    for (size_t i = 0; !good && i < TUNNEL_VOUCHED_MAX; i++) {
        const struct tunnel_vouched *v = &t->vouched[i];
        good = clock_mono_ms(&clock_system) < v->until_ms && fits(&v->target, filename, offer);
        if (good)
            *out = v->target;
    }
    pthread_mutex_unlock(&t->lock);
    return good;
}

static void keep(struct tunnel_trust *t, const struct pqota_target *target)
{
    pthread_mutex_lock(&t->lock);
    struct tunnel_vouched *oldest = &t->vouched[0];
    for (size_t i = 1; i < TUNNEL_VOUCHED_MAX; i++)
        if (t->vouched[i].until_ms < oldest->until_ms)
            oldest = &t->vouched[i];
    *oldest = (struct tunnel_vouched){.target = *target,
                                      .until_ms = clock_mono_ms(&clock_system) + TUNNEL_VOUCHED_S * 1000};
    pthread_mutex_unlock(&t->lock);
}

/* Asks the repositories. Under t->asking. */
static int ask(struct tunnel_trust *t, unsigned generation, const struct pqota_target *hint,
               struct pqota_target *out, int *status, struct err *e)
{
    char why[PQOTA_TEXT_SIZE] = "";
    *status = 503;
    if (t->renewed != generation) {
        t->link.set.ca_file = identity_roots(t->files, t->config);
        int rc = link_renew(&t->link, e);
        if (rc != 0)
            return rc;
        t->renewed = generation;
    }
    pthread_mutex_lock(&t->lock);
    const struct pqota_standing standing = t->standing;
    pthread_mutex_unlock(&t->lock);
    *out = *hint;
    switch (t->trust.callback.vouch(t->trust.callback.ctx, hint, &standing, out, why)) {
    case PQOTA_VOUCHED:
        return 0;
    case PQOTA_VOUCH_LATER:
        return err_set(e, ERR_BUSY, "it cannot be told now: %.480s", why);
    case PQOTA_VOUCH_STALE:
        *status = 404;
        return err_set(e, ERR_NOT_FOUND, "%.500s", why);
    case PQOTA_VOUCH_REFUSED:
        break;
    }
    *status = 403;
    return err_set(e, ERR_DENIED, "%.500s", why);
}

/* Where nobody vouches ([trust] insecure_unsigned), the file must be what the server said that it is. */
static int hint_of(const struct tunnel_trust *t, struct str filename, const struct tunnel_offer *offer,
                   struct pqota_target *out, int *status, struct err *e)
{
    *out = (struct pqota_target){0};
    snprintf(out->filename, sizeof out->filename, "%.*s", (int)filename.n, filename.p);
    if (offer == NULL && t->config->insecure_unsigned) {
        *status = 404;
        return err_set(e, ERR_NOT_FOUND, "no answer of the server has named it: ask deploymentBase first");
    }
    if (offer == NULL)
        return 0;
    memcpy(out->sha256, offer->file.sha256, sizeof out->sha256);
    out->size = offer->file.size;
    return 0;
}

/* Once it succeeds nothing older may be installed any more. */
static void note_pending(struct tunnel_trust *t, uint32_t action, const struct pqota_target *target)
{
    const struct tunnel_pending now = {
        .action = action, .sequence = target->sequence, .counter = target->counter};
    pthread_mutex_lock(&t->lock);
    if (memcmp(&t->pending, &now, sizeof now) != 0 && !t->config->insecure_unsigned) {
        t->pending = now;
        tunnel_standing_save(t);
    }
    pthread_mutex_unlock(&t->lock);
}

void tunnel_trust_succeeded(struct tunnel_trust *t, uint32_t action)
{
    pthread_mutex_lock(&t->lock);
    if (action != 0 && action == t->pending.action) {
        t->standing.confirmed = true;
        t->standing.sequence = t->pending.sequence;
        if (t->pending.counter > t->standing.counter)
            t->standing.counter = t->pending.counter;
        t->pending = (struct tunnel_pending){0};
        memset(t->vouched, 0, sizeof t->vouched); /* that was asked with what the device ran before */
        tunnel_standing_save(t);
    }
    pthread_mutex_unlock(&t->lock);
}

bool tunnel_trust_tell(struct tunnel_trust *t, uint32_t action)
{
    pthread_mutex_lock(&t->lock);
    bool first = action != 0 && t->told != action;
    if (first)
        t->told = action;
    pthread_mutex_unlock(&t->lock);
    return first;
}

int tunnel_trust_vouch(struct tunnel_trust *t, unsigned generation, struct str module, struct str filename,
                       struct pqota_target *out, int *status, uint32_t *action, struct err *e)
{
    struct tunnel_offer found = {0};
    struct pqota_target hint, target;
    const struct tunnel_offer *offer = look_up(t, module, filename, &found) ? &found : NULL;
    *action = offer != NULL ? offer->action : 0;
    snprintf(out->filename, sizeof out->filename, "%.*s", (int)filename.n, filename.p);
    bool holds = still_holds(t, filename, offer, &target);
    int rc = holds ? 0 : hint_of(t, filename, offer, &hint, status, e);
    if (rc == 0 && !holds) {
        pthread_mutex_lock(&t->asking);
        bool meanwhile = still_holds(t, filename, offer, &target);
        rc = meanwhile ? 0 : ask(t, generation, &hint, &target, status, e);
        if (rc == 0 && !meanwhile)
            keep(t, &target);
        pthread_mutex_unlock(&t->asking);
    }
    if (rc == 0 && !fits(&target, filename, offer)) {
        *status = 403;
        rc = err_set(
            e, ERR_DENIED,
            "this file is not vouched for: the update metadata name %s of %s %s, %llu bytes with the "
            "SHA-256 %.16s...",
            target.filename, target.name, target.version, (unsigned long long)target.size, target.sha256);
    }
    if (rc != 0) {
        log_warn("tunnel", "a file was refused", LOG_S("file", filename), LOG_I64("action", *action),
                 LOG_ERR(e));
        return rc;
    }
    if (offer != NULL)
        note_pending(t, offer->action, &target);
    *out = target;
    return 0;
}
