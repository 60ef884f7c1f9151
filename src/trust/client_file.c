/* A file of the client: from the store or the repository, read, verified, stored, kept. */
#include <assert.h>
#include <stdio.h>

#include "trust/client_internal.h"

int client_fail(const struct tuf_client *c, const char *file, int rc, struct err *e)
{
    const char *repository = c->config.repository;
    (void)err_context(e, "%s%s%s", repository != NULL ? repository : "", repository != NULL ? ": " : "",
                      file);
    e->code = rc;
    return rc;
}

void client_name(const struct tuf_client *c, int64_t version, struct str role, char out[CLIENT_NAME_SIZE])
{
    size_t n = 0, quoted = 0;
    if (tuf_root_consistent(&c->root))
        n = (size_t)snprintf(out, CLIENT_NAME_SIZE, "%s.", trust_number(version).z);
    int rc = str_percent(role, STR_UNRESERVED, out + n, CLIENT_NAME_SIZE - n, &quoted);
    assert(rc == 0); /* no role's name is longer than TUF_ROLE_NAME_MAX */
    (void)rc;
    memcpy(out + n + quoted, ".json", sizeof ".json");
}

/* --- getting it ----------------------------------------------------------------------------------------- */

/* What is left of the space, and no more than the limit. */
static size_t room(const struct tuf_client *c, size_t limit)
{
    size_t left = c->space.size - c->space.used;
    return left < limit ? left : limit;
}

static int too_small(struct err *e)
{
    return err_set(e, ERR_NOMEM, "the memory that the client was given is too small");
}

static int take(struct tuf_client *c, size_t n, struct client_file *f, struct err *e)
{
    char *p = space_take(&c->space, n);
    if (p == NULL)
        return too_small(e);
    f->text = (struct str){.p = p, .n = n};
    return 0;
}

int client_load(struct tuf_client *c, struct str role, size_t limit, struct client_file *f, bool *there,
                struct err *e)
{
    size_t size = room(c, limit), n = 0;
    *there = false;
    *e = (struct err){.code = 0};
    int rc = c->config.store.load(c->config.store.ctx, role, c->space.p + c->space.used, size, &n, e);
    if (rc == ERR_TOO_LARGE)
        return size < limit ? too_small(e) : 0;
    if (rc != 0 || n == 0)
        return rc;
    if (n > size)
        return err_set(e, ERR_INTERNAL, "the store gave more than it was asked for");
    rc = take(c, n, f, e);
    *there = rc == 0;
    return rc;
}

int client_fetch(struct tuf_client *c, const char *name, size_t limit, struct client_file *f, struct err *e)
{
    size_t size = room(c, limit), n = 0;
    *e = (struct err){.code = 0};
    int rc = c->config.fetch.get(c->config.fetch.ctx, name, c->space.p + c->space.used, size, &n, e);
    if (rc == ERR_TOO_LARGE && size < limit)
        return too_small(e);
    if (rc == ERR_TOO_LARGE)
        return err_set(e, rc, "it is longer than the %lu bytes that it may have", (unsigned long)limit);
    if (rc != 0)
        return rc;
    if (n > size)
        return err_set(e, ERR_INTERNAL, "more came than was asked for");
    return take(c, n, f, e);
}

/* --- believing it --------------------------------------------------------------------------------------- */

int client_open(struct tuf_client *c, struct client_file *f, enum tuf_type type, const struct tuf_role *role,
                struct err *e)
{
    int rc = doc_read(f->text, type, &c->space, &f->doc, e);
    if (rc != 0)
        return rc;
    return tuf_verify(&f->doc, role, &c->config.rules, &c->config.crypto, &c->space, e);
}

bool client_unusable(int rc)
{
    return rc == ERR_INVALID || rc == ERR_MISMATCH || rc == ERR_UNSUPPORTED;
}

int client_check_life(const struct tuf_client *c, const struct tuf_doc *doc, struct err *e)
{
    char end[TUF_TIME_SIZE], now[TUF_TIME_SIZE];
    if (doc->expires_s > c->now_s)
        return 0;
    tuf_time_write(doc->expires_s, end);
    tuf_time_write(c->now_s, now);
    return err_set(e, ERR_GONE, "version %s expired at %s, and now it is %s", trust_number(doc->version).z,
                   end, now);
}

int client_save(const struct tuf_client *c, struct str role, const struct client_file *f, struct err *e)
{
    return c->config.store.save(c->config.store.ctx, role, f->text, e);
}

int client_keep(struct tuf_client *c, size_t at, const struct client_file *f, struct tuf_doc *out,
                struct err *e)
{
    struct str text = f->text;
    enum tuf_type type = f->doc.type;
    memmove(c->space.p + at, text.p, text.n);
    space_release(&c->space, at);
    char *p = space_take(&c->space, text.n + DOC_PADDING);
    if (p == NULL)
        return too_small(e);
    return doc_read_again(p, text.n, type, &c->space, out, e);
}
