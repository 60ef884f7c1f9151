#include "pqtrust/device.h"

#include <string.h>

#include "pqtrust/repo.h"

struct side { /* of one repository */
    struct device *device;
    bool director;
};

static int load(void *ctx, struct str role, void *buf, size_t size, size_t *n, struct err *e)
{
    struct side *s = ctx;
    return s->device->link.load(s->device->link.ctx, s->director, role, buf, size, n, e);
}

static int save(void *ctx, struct str role, struct str text, struct err *e)
{
    struct side *s = ctx;
    return s->device->link.save(s->device->link.ctx, s->director, role, text, e);
}

/* No key is taken away here: what has to be dropped was never there. */
static int drop(void *ctx, struct str role, struct err *e)
{
    struct side *s = ctx;
    return s->device->link.save(s->device->link.ctx, s->director, role, (struct str){0}, e);
}

static int get(void *ctx, const char *name, void *buf, size_t size, size_t *n, struct err *e)
{
    struct side *s = ctx;
    return s->device->link.get(s->device->link.ctx, s->director, name, buf, size, n, e);
}

static int64_t now_s(void *ctx)
{
    return ((struct side *)ctx)->device->now_s;
}

static void open_client(struct side *s, struct tuf_client *c)
{
    const struct tuf_config config = {
        .store = {.ctx = s, .load = load, .save = save, .drop = drop},
        .fetch = {.ctx = s, .get = get},
        .crypto = s->device->crypto,
        .now_s = now_s,
        .now_ctx = s,
        .rules = {.both_families = true},
        .repository = s->director ? "director" : "image",
    };
    tuf_client_init(c, s->device->memory, s->device->size, &config);
}

static void note_peak(struct device *d, const struct tuf_client *c)
{
    if (c->space.peak > d->peak)
        d->peak = c->space.peak;
}

/* What the director wants, copied: the memory is used again. */
static int ask_director(struct device *d, struct tuf_target *out, struct err *e)
{
    struct side side = {.device = d, .director = true};
    struct tuf_client c;
    open_client(&side, &c);
    int rc = tuf_client_refresh_director(&c, REPO_DEVICE "/targets.json", STR(REPO_DEVICE), e);
    if (rc == 0)
        rc = tuf_target_find(&c.targets, str_of(d->target), out, e);
    note_peak(d, &c);
    return rc != 0 ? err_context(e, "director") : 0;
}

static int ask_image(struct device *d, struct tuf_target *out, struct err *e)
{
    struct side side = {.device = d, .director = false};
    struct tuf_client c;
    open_client(&side, &c);
    int rc = tuf_client_refresh(&c, e);
    if (rc == 0)
        rc = tuf_client_target(&c, str_of(d->target), out, e);
    note_peak(d, &c);
    return rc != 0 ? err_context(e, "image") : 0;
}

int device_refresh(struct device *d, struct err *e)
{
    struct tuf_target wanted, named;
    int rc = ask_director(d, &wanted, e);
    if (rc == 0)
        rc = ask_image(d, &named, e);
    if (rc == 0 &&
        (wanted.length != named.length || memcmp(wanted.sha256, named.sha256, TRUST_SHA256_SIZE) != 0))
        rc = err_set(e, ERR_MISMATCH, "the repositories do not agree on %s", d->target);
    return rc;
}
