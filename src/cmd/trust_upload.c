/* `pqota trust upload`: what was signed goes to the server. */
#include "base/file.h"
#include "cmd/trust_prepare.h"

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
    if (!op->json)
        fprintf(stderr, "Uploaded. The server serves image root %lld, targets %lld and director root %lld.\n",
                (long long)image.client.root.version, (long long)image.client.targets.version,
                (long long)director.client.root.version);
    return 0;
}

int trust_upload(struct operate *op, struct str text, yyjson_doc **answer)
{
    const char *body = arena_dup_str(&op->arena, text);
    struct trust_request *request = arena_new(&op->arena, struct trust_request);
    if (request == NULL || body == NULL)
        return err_set(&op->err, ERR_NOMEM, "no memory for the signed file");
    /* Not a firmware file, and no NUL in it: it goes as a text. */
    int rc = request_read(text, &op->arena, request, &op->err);
    if (rc == 0)
        rc = rest_call(op->rest, "POST", "/api/trust", body, answer, &op->err);
    return rc == 0 ? keep(op) : rc;
}

int trust_verb_upload(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *answer = NULL;
    auto_buf struct buf text;
    buf_init(&text, REQUEST_MAX);
    if (operate_init(&op, args) != 0 || file_read(args->operands[0], REQUEST_MAX, &text, &op.err) != 0 ||
        trust_upload(&op, buf_str(&text), &answer) != 0)
        return operate_fail(&op);
    if (op.json && answer != NULL && operate_print_json(&op, answer) != 0)
        return operate_fail(&op);
    return CMD_OK;
}
