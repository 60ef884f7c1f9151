/* `pqota trust renew` and `upload`: what is signed offline gets a new life; what was signed goes to the
   server. */
#include <string.h>

#include "base/file.h"
#include "cmd/trust_prepare.h"

static int renew_root(struct prepare *p, const char *repository)
{
    auto_json_mut yyjson_mut_doc *body = NULL;
    int rc = prepare_root(p, repository, &body);
    return rc == 0 ? prepare_add(p, repository, STR("root"), body) : rc;
}

static int renew(struct prepare *p, bool roots)
{
    auto_json_mut yyjson_mut_doc *body = NULL;
    int rc = roots ? renew_root(p, "image") : 0;
    if (rc == 0 && roots)
        rc = renew_root(p, "director");
    if (rc == 0)
        rc = prepare_targets(p, &p->image.client.targets, &body);
    if (rc == 0)
        rc = prepare_add(p, "image", STR("targets"), body);
    return rc == 0 ? prepare_add_roles(p, NULL, NULL) : rc;
}

int trust_verb_renew(struct line_args *args)
{
    const char *output = line_get(args, "output");
    if (output == NULL)
        output = "trust-renew.json";
    if (file_exists(output))
        return line_wrong(args, "%s is there already; name another file by --output", output);
    auto_prepare struct prepare p;
    if (prepare_open(&p, args, true) != 0 || renew(&p, !line_has(args, "no-root")) != 0 ||
        prepare_write(&p, output) != 0)
        return operate_fail(&p.op);
    return CMD_OK;
}

/* --- upload ------------------------------------------------------------------------------------------ */

/* What the server took is what it has to serve from now on: kept as trusted. */
static int keep(struct operate *op)
{
    auto_repo struct trust_repo image = {0}, director = {0};
    int rc = trust_repo_open(op, "image", &image);
    if (rc == 0)
        rc = trust_repo_open(op, "director", &director);
    if (rc == 0)
        rc = trust_repo_refresh(&image);
    if (rc == 0)
        rc = trust_repo_root(&director);
    if (rc != 0)
        return err_context(&op->err, "the server took the file, but what it serves now cannot be trusted");
    fprintf(stderr, "Uploaded. The server serves image root %lld, targets %lld and director root %lld.\n",
            (long long)image.client.root.version, (long long)image.client.targets.version,
            (long long)director.client.root.version);
    return 0;
}

int trust_verb_upload(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *answer = NULL;
    auto_buf struct buf text;
    struct trust_request *request;
    buf_init(&text, REQUEST_MAX);
    if (operate_init(&op, args) != 0 || file_read(args->operands[0], REQUEST_MAX, &text, &op.err) != 0)
        return operate_fail(&op);
    request = arena_new(&op.arena, struct trust_request);
    if (request == NULL)
        return CMD_FAILED;
    /* Not a firmware file, and no NUL in it: it goes as a text. */
    if (request_read(buf_str(&text), &op.arena, request, &op.err) != 0 ||
        rest_call(op.rest, "POST", "/api/trust", text.p, &answer, &op.err) != 0)
        return operate_fail(&op);
    if (op.json && answer != NULL && operate_print_json(&op, answer) != 0)
        return operate_fail(&op);
    return keep(&op) == 0 ? CMD_OK : operate_fail(&op);
}
