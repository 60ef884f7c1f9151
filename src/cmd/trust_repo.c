#include "cmd/trust_repo.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "keys/keys.h"
#include "tuf/store.h"

#define MEMORY_SIZE (64u << 20) /* about 12 times the largest file; touched as far as it is used */

/* The name's percent-encoding was made by the client. */
static int get(void *ctx, const char *name, void *data, size_t size, size_t *n, struct err *e)
{
    struct trust_repo *r = ctx;
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "/tuf/%s/%s", r->name, name) >= (int)sizeof path)
        return err_set(e, ERR_TOO_LARGE, "the name %.64s... is too long", name);
    return rest_get(r->op->rest, path, data, size, n, e);
}

/* Before every expiry. */
static int64_t never(void *ctx)
{
    (void)ctx;
    return 0;
}

/* The first time, with the root that the vendor handed out. */
static int begin(struct trust_repo *r)
{
    struct operate *op = r->op;
    const char *first = arena_printf(&op->arena, "%s/trust/%s.root.json", op->profile.dir, r->name);
    const char *root = arena_printf(&op->arena, "%s/root.json", r->dir);
    if (first == NULL || root == NULL)
        return err_set(&op->err, ERR_NOMEM, "no memory for a path");
    if (file_exists(root))
        return 0;
    if (!file_exists(first))
        return err_set(&op->err, ERR_INVALID,
                       "%s is missing, by which the server's metadata are known: copy the file "
                       "trust/device/%s.root.json of `pqota trust init` to it (run that first, in the "
                       "server's folder, where it was not, and start the server anew)",
                       first, r->name);
    auto_buf struct buf text;
    buf_init(&text, TUF_TARGETS_SIZE_MAX);
    int rc = file_read(first, TUF_TARGETS_SIZE_MAX, &text, &op->err);
    if (rc == 0)
        rc = file_mkdirs(r->dir, 0700, &op->err);
    return rc == 0 ? tuf_client_begin(&r->client, buf_str(&text), &op->err) : rc;
}

int trust_repo_open(struct operate *op, const char *name, struct trust_repo *r)
{
    *r = (struct trust_repo){.op = op, .name = name};
    if (snprintf(r->dir, sizeof r->dir, "%s/trust/%s", op->profile.dir, name) >= (int)sizeof r->dir)
        return err_set(&op->err, ERR_TOO_LARGE, "the path of the profile is too long");
    r->memory = malloc(MEMORY_SIZE);
    if (r->memory == NULL)
        return err_set(&op->err, ERR_NOMEM, "no memory for the server's metadata");
    struct tuf_config config = {.store = store_folder(r->dir),
                                .fetch = {.ctx = r, .get = get},
                                .crypto = keys_crypto,
                                .now_s = never,
                                .rules = {.both_families = true},
                                .repository = name};
    tuf_client_init(&r->client, r->memory, MEMORY_SIZE, &config);
    return begin(r);
}

void trust_repo_close(struct trust_repo *r)
{
    free(r->memory);
    r->memory = NULL;
}

int trust_repo_root(struct trust_repo *r)
{
    return tuf_client_refresh_root(&r->client, &r->op->err);
}

int trust_repo_refresh(struct trust_repo *r)
{
    return tuf_client_refresh(&r->client, &r->op->err);
}

int trust_repo_role(struct trust_repo *r, struct str role, struct tuf_doc *out)
{
    return tuf_client_role(&r->client, role, out, &r->op->err);
}

int trust_repo_text(struct trust_repo *r, struct str role, struct str *out)
{
    struct operate *op = r->op;
    size_t n = 0;
    auto_free char *text = malloc(TUF_TARGETS_SIZE_MAX);
    if (text == NULL)
        return err_set(&op->err, ERR_NOMEM, "no memory for the server's metadata");
    int rc = r->client.config.store.load(r->client.config.store.ctx, role, text, TUF_TARGETS_SIZE_MAX, &n,
                                         &op->err);
    if (rc == 0 && n == 0)
        rc = err_set(&op->err, ERR_NOT_FOUND, STR_FMT " is not among the metadata in %s", STR_ARG(role),
                     r->dir);
    if (rc != 0)
        return rc;
    const char *copy = arena_dup(&op->arena, text, n);
    if (copy == NULL)
        return err_set(&op->err, ERR_NOMEM, "no memory for the server's metadata");
    *out = (struct str){.p = copy, .n = n};
    return 0;
}
