/* `pqota trust upload`: what was signed goes to the server. */
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "cmd/trust_prepare.h"

#define KEPT_NAME_SIZE 64

/* After a backup was put back, the server wants again what was uploaded since: from these copies. */
static int keep_copy(struct operate *op, struct str text)
{
    char name[KEPT_NAME_SIZE];
    const char *dir = arena_printf(&op->arena, "%s/trust/uploaded", op->profile.dir);
    snprintf(name, sizeof name, "%lld.sign.json", (long long)op->now_ms);
    const char *path = dir != NULL ? arena_printf(&op->arena, "%s/%s", dir, name) : NULL;
    if (path == NULL)
        return err_set(&op->err, ERR_NOMEM, "no memory for a path");
    int rc = file_mkdirs(dir, 0700, &op->err);
    return rc == 0 ? file_write_atomic(path, text.p, text.n, 0600, &op->err) : rc;
}

/* The server is behind what this profile saw: it has more to be told before it can be trusted again. */
static void say_behind(const struct operate *op)
{
    fprintf(stderr,
            "Uploaded. What the server serves now is still older than what was seen of it before (%s): was a "
            "backup put back? Upload the other files that it had since, too, in their order.\n",
            op->err.text);
}

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
    if (rc == ERR_MISMATCH && strstr(op->err.text, "rollback") != NULL) {
        say_behind(op);
        op->err = (struct err){0};
        return 0;
    }
    if (rc != 0)
        return err_context(&op->err, "the server took the file, but what it serves now cannot be trusted");
    if (!op->json)
        fprintf(stderr, "Uploaded. The server serves image root %lld, targets %lld and director root %lld.\n",
                (long long)image.client.root.version, (long long)image.client.targets.version,
                (long long)director.client.root.version);
    return 0;
}

#define TRIES 30 /* about half a minute, when the server asks for patience each time */
#define HTTP_CONFLICT 409
#define HTTP_BUSY 503

/* The server signs at times of its own too, and says so when that came between; and it looks through one
   signed file at a time. */
static bool is_passing(const struct operate *op)
{
    if (rest_status(op->rest) == HTTP_BUSY) {
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        return true;
    }
    return rest_status(op->rest) == HTTP_CONFLICT &&
           strstr(op->err.text, "changed meanwhile: try again") != NULL;
}

static int post(struct operate *op, const char *body, yyjson_doc **answer)
{
    int rc = ERR_CONFLICT;
    for (int i = 0; i < TRIES; i++) {
        op->err = (struct err){0};
        rc = rest_call(op->rest, "POST", "/api/trust", body, answer, &op->err);
        if (rc == 0 || !is_passing(op))
            break;
    }
    return rc;
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
        rc = post(op, body, answer);
    if (rc == 0 && keep_copy(op, text) != 0) {
        fprintf(stderr, "No copy of the signed file could be kept: %s\n", op->err.text);
        op->err = (struct err){0};
    }
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
