/* A director's repository: the root, and one file for one device. */
#include "trust/client_internal.h"

#define TARGETS STR("targets")

/* What only a director's file must be. */
static int check_decision(const struct tuf_doc *doc, struct str device, struct err *e)
{
    struct str says = trust_text_at(yyjson_obj_get(doc->body, "pqota"), "device");
    if (says.p == NULL || !str_eq(says, device))
        return err_set(e, ERR_MISMATCH, "it is for %s, not for %s",
                       says.p != NULL ? trust_show(says).z : "no device", trust_show(device).z);
    if (tuf_target_count(doc) > TUF_DECISION_MAX || yyjson_obj_get(doc->body, "delegations") != NULL)
        return err_set(e, ERR_INVALID, "a director's file names %d targets at most and delegates nothing",
                       TUF_DECISION_MAX);
    return 0;
}

/* The stored file, unless it is none of this device that the present root vouches for. */
static int load_decision(struct tuf_client *c, const struct tuf_role *role, struct str device, bool *old,
                         struct err *e)
{
    struct client_file f;
    size_t at = space_mark(&c->space);
    int rc = client_load(c, TARGETS, c->config.limits.targets, &f, old, e);
    if (rc != 0 || !*old)
        return rc;
    rc = client_open(c, &f, TUF_TARGETS, role, e);
    if (rc == 0)
        rc = check_decision(&f.doc, device, e);
    *old = rc == 0;
    if (client_unusable(rc)) {
        space_release(&c->space, at);
        return 0;
    }
    return rc == 0 ? client_keep(c, at, &f, &c->targets, e) : rc;
}

static int fetch_decision(struct tuf_client *c, const char *name, struct str device, size_t at, bool old,
                          const struct tuf_role *role, struct err *e)
{
    struct client_file f;
    size_t mark = space_mark(&c->space);
    int rc = client_fetch(c, name, c->config.limits.targets, &f, e);
    if (rc == 0)
        rc = client_open(c, &f, TUF_TARGETS, role, e);
    if (rc == 0)
        rc = check_decision(&f.doc, device, e);
    if (rc == 0 && old && f.doc.version < c->targets.version)
        rc = err_set(e, ERR_MISMATCH, "its version is %s, below the trusted %s: refused (rollback)",
                     trust_number(f.doc.version).z, trust_number(c->targets.version).z);
    if (rc == 0 && old && f.doc.version == c->targets.version) {
        /* Nothing new, whatever it says now. */
        space_release(&c->space, mark);
        return client_check_life(c, &c->targets, e);
    }
    if (rc == 0)
        rc = client_check_life(c, &f.doc, e);
    if (rc == 0)
        rc = client_save(c, TARGETS, &f, e);
    return rc == 0 ? client_keep(c, at, &f, &c->targets, e) : rc;
}

int tuf_client_refresh_director(struct tuf_client *c, const char *name, struct str device, struct err *e)
{
    struct err none;
    struct tuf_role role;
    bool old = false;
    if (e == NULL)
        e = &none;
    c->fresh = false;
    c->director = true;
    c->now_s = c->config.now_s(c->config.now_ctx);
    int rc = client_update_root(c, e);
    if (rc != 0)
        return rc;
    size_t at = space_mark(&c->space);
    rc = tuf_root_role(&c->root, TUF_TARGETS, &role, e);
    if (rc == 0)
        rc = load_decision(c, &role, device, &old, e);
    if (rc != 0)
        return client_fail(c, "the stored decision", rc, e);
    rc = fetch_decision(c, name, device, at, old, &role, e);
    if (rc != 0)
        return client_fail(c, name, rc, e);
    c->top_mark = space_mark(&c->space);
    c->fresh = true;
    return 0;
}
