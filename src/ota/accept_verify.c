/* Who signed the documents of a file: each by the role that names its keys, roots by the old one and the
   new; and what the file does not bring must still be good by what it does. */
#include "ota/accept_impl.h"

const struct tuf_rules accept_rules = {.both_families = true};

static int verify(struct trust_accept *t, const struct tuf_doc *doc, const struct tuf_role *role,
                  struct err *e)
{
    size_t mark = space_mark(&t->space);
    int rc = tuf_verify(doc, role, &accept_rules, &keys_crypto, &t->space, e);
    space_release(&t->space, mark);
    return rc;
}

static int verify_by_root(struct trust_accept *t, const struct tuf_doc *root, enum tuf_type type,
                          const struct tuf_doc *doc, struct err *e)
{
    struct tuf_role role;
    int rc = tuf_root_role(root, type, &role, e);
    return rc != 0 ? rc : verify(t, doc, &role, e);
}

static int read_body(struct trust_accept *t, const struct metadata *m, enum tuf_type type,
                     struct tuf_doc *out, struct err *e)
{
    int rc = tuf_doc_read(m->body, type, &t->space, out, e);
    return rc != 0 ? err_context(e, "stored: %s %s version %lld", repository_word(m->repository), m->role,
                                 (long long)m->version)
                   : 0;
}

/* --- one document --------------------------------------------------------------------------------------- */

static int check_root(struct trust_accept *t, struct accept_doc *d, struct err *e)
{
    const char *word = repository_word(d->repository);
    struct tuf_doc *now = &t->root[d->repository];
    if (!str_is(tuf_root_repository(&d->doc), word))
        return err_set(e, ERR_MISMATCH, "it does not say that it is the root of the repository \"%s\"", word);
    if (!tuf_root_consistent(&d->doc))
        return err_set(e, ERR_INVALID, "it lacks consistent_snapshot, by which this repository is served");
    int rc = now->body != NULL ? verify_by_root(t, now, TUF_ROOT, &d->doc, e) : 0;
    if (rc != 0)
        return err_context(e, "by the root before it");
    rc = verify_by_root(t, &d->doc, TUF_ROOT, &d->doc, e);
    if (rc != 0)
        return err_context(e, "by its own keys");
    *now = d->doc;
    return 0;
}

static int check_targets(struct trust_accept *t, struct accept_doc *d, struct err *e)
{
    const struct tuf_doc *root = &t->root[REPOSITORY_IMAGE];
    if (root->body == NULL)
        return err_set(e, ERR_CONFLICT, "this server has no root of the image repository yet");
    int rc = verify_by_root(t, root, TUF_TARGETS, &d->doc, e);
    if (rc == 0)
        t->targets = d->doc;
    return rc;
}

static int check_delegated(struct trust_accept *t, struct accept_doc *d, struct err *e)
{
    if (t->targets.body == NULL)
        return err_set(e, ERR_CONFLICT, "this server has no targets metadata that could name it");
    int rc = tuf_delegation_find(&t->targets, str_of(d->role), &d->by, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_CONFLICT, "no targets metadata delegate to it: sign new ones in the same file");
    return rc != 0 ? rc : verify(t, &d->doc, &d->by.role, e);
}

static int check_version(struct trust_accept *t, const struct accept_doc *d, struct err *e)
{
    int64_t next = d->before->version + 1;
    if (d->doc.version != next)
        return err_set(e, ERR_CONFLICT, "the next version is %lld: prepare and sign it again",
                       (long long)next);
    /* The first ones may be older than this server: others can follow on them. */
    if (!t->first && d->doc.expires_s <= clock_unix_ms(t->ota->clock) / 1000)
        return err_set(e, ERR_INVALID, "it has expired already: prepare and sign it again");
    return 0;
}

static int check_one(struct trust_accept *t, const struct request_document *r, struct accept_doc *d,
                     struct err *e)
{
    int rc = request_open(r, &t->space, &d->doc, e);
    if (rc == ERR_NOMEM)
        rc = err_set(e, ERR_TOO_LARGE,
                     "its %zu bytes have so many values that there is not enough memory to read them",
                     r->text.n);
    if (rc == 0 && strcmp(d->role, "targets") == 0)
        d->old = t->targets; /* read already */
    else if (rc == 0 && d->before->version != 0 && d->type == TUF_TARGETS)
        rc = read_body(t, d->before, d->type, &d->old, e);
    if (rc != 0)
        return err_context(e, "%s %s", repository_word(d->repository), d->role);
    rc = check_version(t, d, e);
    if (rc == 0 && d->type == TUF_ROOT)
        rc = check_root(t, d, e);
    else if (rc == 0 && strcmp(d->role, "targets") == 0)
        rc = check_targets(t, d, e);
    else if (rc == 0)
        rc = check_delegated(t, d, e);
    return rc != 0 ? err_context(e, DOC_FMT, DOC_ARG(d)) : 0;
}

/* --- what stays ----------------------------------------------------------------------------------------- */

static bool brings(const struct trust_accept *t, const char *role)
{
    for (size_t i = 0; i < t->doc_count; i++)
        if (t->docs[i].repository == REPOSITORY_IMAGE && strcmp(t->docs[i].role, role) == 0)
            return true;
    return false;
}

static int check_kept(struct trust_accept *t, const struct metadata *m, struct err *e)
{
    size_t mark = space_mark(&t->space);
    struct tuf_delegation delegation;
    struct tuf_doc doc;
    int rc = tuf_delegation_find(&t->targets, str_of(m->role), &delegation, NULL);
    if (rc == ERR_NOT_FOUND)
        return 0; /* nobody asks for it any more */
    if (rc == 0)
        rc = read_body(t, m, TUF_TARGETS, &doc, e);
    if (rc == 0)
        rc = verify(t, &doc, &delegation.role, e);
    space_release(&t->space, mark);
    if (rc == ERR_MISMATCH)
        return err_context(e, "the role %s gets other keys, so it has to be signed by them in the same file",
                           m->role);
    return rc;
}

/* Devices would stop at a role that its delegator does not vouch for any more. */
static int check_rest(struct trust_accept *t, struct err *e)
{
    int rc = 0;
    if (brings(t, "root") && !brings(t, "targets") && t->targets.body != NULL) {
        rc = verify_by_root(t, &t->root[REPOSITORY_IMAGE], TUF_TARGETS, &t->targets, e);
        if (rc == ERR_MISMATCH)
            return err_context(e, "the role targets gets other keys, so it has to be signed by them in the "
                                  "same file");
    }
    for (size_t i = 0; rc == 0 && brings(t, "targets") && i < t->was.count; i++) {
        const char *role = t->was.items[i].role;
        if (strcmp(role, "targets") != 0 && !brings(t, role))
            rc = check_kept(t, &t->was.items[i], e);
    }
    return rc;
}

/* A director that signs with a key which no device would believe. */
static int check_director(struct trust_accept *t, struct err *e)
{
    auto_trust_keys struct trust_keys *keys = trust_keys_get(t->ota);
    const struct sign_keys *own = trust_keys_of(keys, TRUST_DIRECTOR);
    struct tuf_role role;
    struct tuf_key key;
    if (own == NULL || t->first)
        return 0;
    int rc = tuf_root_role(&t->root[REPOSITORY_DIRECTOR], TUF_TARGETS, &role, e);
    for (size_t i = 0; rc == 0 && i < own->count; i++)
        if (!tuf_role_key_find(&role, str_of(own->key[i].keyid), &key))
            rc =
                err_set(e, ERR_MISMATCH,
                        "director root: it does not name this server's key %s: put the new key where [trust] "
                        "director_key says, and send SIGHUP, first",
                        own->key[i].keyid);
    return rc;
}

/* --- all of it ------------------------------------------------------------------------------------------ */

static int read_roots(struct trust_accept *t, struct err *e)
{
    int rc = 0;
    if (t->was.root.version != 0)
        rc = read_body(t, &t->was.root, TUF_ROOT, &t->root[REPOSITORY_IMAGE], e);
    if (rc == 0 && t->director.version != 0)
        rc = read_body(t, &t->director, TUF_ROOT, &t->root[REPOSITORY_DIRECTOR], e);
    for (size_t i = 0; rc == 0 && i < t->was.count; i++)
        if (strcmp(t->was.items[i].role, "targets") == 0)
            rc = read_body(t, &t->was.items[i], TUF_TARGETS, &t->targets, e);
    return rc;
}

int accept_verify(struct trust_accept *t, struct err *e)
{
    bool director = false;
    int rc = read_roots(t, e);
    for (size_t i = 0; rc == 0 && i < t->doc_count; i++) {
        rc = check_one(t, &t->request.documents[i], &t->docs[i], e);
        director = director || t->docs[i].repository == REPOSITORY_DIRECTOR;
    }
    if (rc == 0)
        rc = check_rest(t, e);
    if (rc == 0 && director)
        rc = check_director(t, e);
    return rc;
}
