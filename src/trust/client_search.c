/* The search for a target through delegations, pre-order depth first (section 5.6.7). */
#include "trust/client_internal.h"

/* A role that is being searched: its document is held until all below it are done. */
struct level {
    struct tuf_doc doc;
    size_t mark;        /* of the space before it */
    size_t next, count; /* delegations */
};

/* Which roles were visited: hashes of their names, from the end of the space downwards. */
struct visits {
    unsigned char *last;
    size_t n;
};

struct search {
    struct tuf_client *c;
    struct str target;
    struct visits visits;
    struct level levels[TUF_DEPTH_MAX];
    size_t depth; /* of the level that is looked at */
};

static int not_found(const struct search *s, const char *why, struct err *e)
{
    int rc = err_set(e, ERR_NOT_FOUND, "there is no target %s%s", trust_show(s->target).z, why);
    const char *repository = s->c->config.repository;
    if (repository != NULL)
        (void)err_context(e, "%s", repository);
    return rc;
}

/* *again: the role was visited before. */
static int visit(struct search *s, struct str role, bool *again, struct err *e)
{
    struct tuf_client *c = s->c;
    unsigned char hash[TRUST_SHA256_SIZE];
    struct visits *v = &s->visits;
    if (c->config.crypto.hash(c->config.crypto.ctx, TRUST_SHA256, role.p, role.n, hash) != 0)
        return err_set(e, ERR_CRYPTO, "the hash of a role's name cannot be made");
    *again = false;
    for (size_t i = 0; !*again && i < v->n; i++)
        *again = memcmp(v->last + i * sizeof hash, hash, sizeof hash) == 0;
    if (*again)
        return 0;
    if (v->n == TUF_VISITS_MAX)
        return not_found(s, " in as many roles as one search looks at", e);
    if (c->space.size - c->space.used < sizeof hash)
        return err_set(e, ERR_NOMEM, "the memory that the client was given is too small");
    c->space.size -= sizeof hash;
    v->last = c->space.p + c->space.size;
    memcpy(v->last, hash, sizeof hash);
    v->n++;
    return 0;
}

/* The next delegation of the present level that is for the target; *found false: none is left. A terminating
   one is the last for this level and all above it. */
static int next_delegation(struct search *s, struct tuf_delegation *d, bool *found, struct err *e)
{
    struct level *l = &s->levels[s->depth];
    *found = false;
    while (!*found && l->next < l->count) {
        int rc = tuf_delegation_at(&l->doc, l->next++, d, e);
        if (rc == 0)
            rc = tuf_delegation_fits(d, s->target, &s->c->config.crypto, found, e);
        if (rc != 0)
            return rc;
    }
    for (size_t i = 0; *found && d->terminating && i <= s->depth; i++)
        s->levels[i].next = s->levels[i].count;
    return 0;
}

/* Goes down to the role. *found: it names the target. */
static int look_into(struct search *s, const struct tuf_delegation *d, bool *found, struct tuf_target *out,
                     struct err *e)
{
    if (s->depth + 1 == TUF_DEPTH_MAX)
        return not_found(s, " along a chain of delegations as long as one may be", e);
    struct level *l = &s->levels[++s->depth];
    l->mark = space_mark(&s->c->space);
    int rc = client_update_targets(s->c, &d->role, &l->doc, e);
    if (rc != 0)
        return rc == ERR_NOT_FOUND ? (e->code = ERR_IO) : rc; /* a role's file, not the target */
    l->next = 0;
    l->count = tuf_delegation_count(&l->doc);
    rc = tuf_target_find(&l->doc, s->target, out, e);
    *found = rc == 0;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int search(struct search *s, struct tuf_target *out, struct err *e)
{
    for (;;) {
        struct tuf_delegation d;
        bool more, again, found = false;
        int rc = next_delegation(s, &d, &more, e);
        if (rc != 0)
            return rc;
        if (!more) {
            if (s->depth == 0)
                return not_found(s, "", e);
            space_release(&s->c->space, s->levels[s->depth--].mark);
            continue;
        }
        rc = visit(s, d.role.name, &again, e);
        if (rc != 0)
            return rc;
        if (again)
            continue;
        rc = look_into(s, &d, &found, out, e);
        if (rc != 0 || found)
            return rc;
    }
}

int tuf_client_target(struct tuf_client *c, struct str name, struct tuf_target *out, struct err *e)
{
    struct err none;
    struct search s = {.c = c, .target = name};
    if (e == NULL)
        e = &none;
    if (!c->fresh)
        return err_set(e, ERR_CONFLICT, "a target is looked for after a refresh that succeeded");
    if (name.p == NULL || name.n == 0 || name.n > TUF_TARGET_NAME_MAX)
        return err_set(e, ERR_INVALID, "a target's name has from 1 to %d bytes", TUF_TARGET_NAME_MAX);
    space_release(&c->space, c->top_mark);
    int rc = tuf_target_find(&c->targets, name, out, e);
    if (rc != ERR_NOT_FOUND || c->director)
        return rc == ERR_NOT_FOUND ? not_found(&s, "", e) : rc;
    size_t size = c->space.size;
    s.levels[0] = (struct level){.doc = c->targets, .count = tuf_delegation_count(&c->targets)};
    rc = search(&s, out, e);
    c->space.size = size;
    return rc;
}
