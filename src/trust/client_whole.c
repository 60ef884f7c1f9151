#include "trust/client_whole.h"

#include "trust/client_internal.h"

int tuf_client_refresh_root(struct tuf_client *c, struct err *e)
{
    struct err none;
    if (e == NULL)
        e = &none;
    c->fresh = false;
    c->director = c->config.repository != NULL && strcmp(c->config.repository, "director") == 0;
    c->now_s = c->config.now_s(c->config.now_ctx);
    return client_update_root(c, e);
}

int tuf_client_role(struct tuf_client *c, struct str role, struct tuf_doc *out, struct err *e)
{
    struct err none;
    struct tuf_delegation d;
    struct tuf_meta meta;
    if (e == NULL)
        e = &none;
    if (!c->fresh || c->director)
        return err_set(e, ERR_INTERNAL, "the repository was not refreshed");
    space_release(&c->space, c->top_mark);
    int rc = tuf_delegation_find(&c->targets, role, &d, e);
    if (rc != 0)
        return rc;
    rc = client_meta(c, d.role.name, &meta, e);
    return rc == 0 ? client_update_targets(c, &d.role, out, e) : rc;
}
