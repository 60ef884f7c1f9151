/* The chain of roots (section 5.3). */
#include <stdio.h>

#include "trust/client_internal.h"

#define ROOT STR("root")

/* A root of the other repository, or of none, would be as well signed. */
static int check_repository(const struct tuf_client *c, const struct tuf_doc *root, struct err *e)
{
    struct str says = tuf_root_repository(root);
    if (c->config.repository == NULL || (says.p != NULL && str_is(says, c->config.repository)))
        return 0;
    return err_set(e, ERR_MISMATCH, "it is the root of %s, not of this repository",
                   says.p != NULL ? trust_show(says).z : "none that it names");
}

/* Read, and signed as it demands itself. */
static int open_root(struct tuf_client *c, struct client_file *f, struct err *e)
{
    struct tuf_role role;
    int rc = doc_read(f->text, TUF_ROOT, &c->space, &f->doc, e);
    if (rc == 0)
        rc = tuf_root_role(&f->doc, TUF_ROOT, &role, e);
    if (rc == 0)
        rc = tuf_verify(&f->doc, &role, &c->config.rules, &c->config.crypto, &c->space, e);
    return rc == 0 ? check_repository(c, &f->doc, e) : rc;
}

/* Section 5.2. Whether it expired does not matter yet. */
static int load_root(struct tuf_client *c, struct err *e)
{
    struct client_file f;
    bool there;
    space_release(&c->space, 0);
    int rc = client_load(c, ROOT, c->config.limits.root, &f, &there, e);
    if (rc == 0 && !there)
        rc =
            err_set(e, ERR_NOT_FOUND, "there is none to begin with; give the one that the vendor handed out");
    if (rc == 0)
        rc = open_root(c, &f, e);
    if (client_unusable(rc))
        rc = ERR_CORRUPT;
    if (rc == 0)
        rc = client_keep(c, 0, &f, &c->root, e);
    return rc != 0 ? client_fail(c, "the stored root", rc, e) : 0;
}

/* Section 5.3.11. Dropped before the new root is stored: after a cut between them the old root finds it
   again. */
static int drop_rotated(const struct tuf_client *c, const struct tuf_doc *root, struct err *e)
{
    static const enum tuf_type image[] = {TUF_TIMESTAMP, TUF_SNAPSHOT}, director[] = {TUF_TARGETS};
    const enum tuf_type *types = c->director ? director : image;
    size_t n = c->director ? 1 : 2;
    bool same = true;
    for (size_t i = 0; i < n; i++) {
        struct tuf_role was, is;
        int rc = tuf_root_role(&c->root, types[i], &was, e);
        if (rc == 0)
            rc = tuf_root_role(root, types[i], &is, e);
        if (rc != 0)
            return rc;
        was = trust_role_under(&was, &c->config.rules);
        is = trust_role_under(&is, &c->config.rules);
        same = same && tuf_same_keys(&was, &is);
    }
    for (size_t i = 0; !same && i < n; i++) {
        int rc = c->config.store.drop(c->config.store.ctx, str_of(tuf_type_word(types[i])), e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Sections 5.3.4 to 5.3.8. */
static int follow(struct tuf_client *c, struct client_file *f, struct err *e)
{
    struct tuf_role before, now;
    int rc = open_root(c, f, e);
    if (rc == 0)
        rc = tuf_root_role(&c->root, TUF_ROOT, &before, e);
    if (rc == 0)
        rc = tuf_root_role(&f->doc, TUF_ROOT, &now, e);
    /* A root that keeps its holders is signed as the present one demands already; half of the time that
       following a root takes is for signatures. */
    if (rc == 0 && !trust_role_implies(&now, &before, &c->config.rules))
        rc = tuf_verify(&f->doc, &before, &c->config.rules, &c->config.crypto, &c->space, e);
    if (rc != 0)
        return rc;
    if (f->doc.version != c->root.version + 1)
        return err_set(e, ERR_MISMATCH, "its version is %s, and the trusted root's %s: refused",
                       trust_number(f->doc.version).z, trust_number(c->root.version).z);
    rc = drop_rotated(c, &f->doc, e);
    if (rc == 0)
        rc = client_save(c, ROOT, f, e);
    return rc == 0 ? client_keep(c, 0, f, &c->root, e) : rc;
}

int client_update_root(struct tuf_client *c, struct err *e)
{
    char name[32];
    int rc = load_root(c, e);
    for (int i = 0; rc == 0 && i < TUF_ROOTS_MAX && c->root.version < INT64_MAX; i++) {
        struct client_file f;
        snprintf(name, sizeof name, "%s.root.json", trust_number(c->root.version + 1).z);
        rc = client_fetch(c, name, c->config.limits.root, &f, e);
        if (rc == ERR_NOT_FOUND) {
            rc = 0;
            break;
        }
        if (rc == 0)
            rc = follow(c, &f, e);
        if (rc != 0)
            return client_fail(c, name, rc, e);
    }
    if (rc != 0)
        return rc;
    rc = client_check_life(c, &c->root, e);
    return rc != 0 ? client_fail(c, "root.json", rc, e) : 0;
}
