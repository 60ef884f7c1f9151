#include "agent/reply.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

/* {"csr":..., and in an enrolment "token":..., "id":...} */
static int write_body(struct str csr, const char *token, const char *id, struct arena *a, struct buf *out,
                      struct err *e)
{
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc != NULL ? yyjson_mut_obj(doc) : NULL;
    bool good = root != NULL && yyjson_mut_obj_add_strn(doc, root, "csr", csr.p, csr.n);
    if (token != NULL)
        good = good && yyjson_mut_obj_add_str(doc, root, "token", token);
    if (id != NULL)
        good = good && yyjson_mut_obj_add_str(doc, root, "id", id);
    if (!good)
        return err_set(e, ERR_NOMEM, "no memory for the request");
    yyjson_mut_doc_set_root(doc, root);
    struct str text = json_write(doc, a);
    if (text.p == NULL || buf_add_str(out, text) != 0)
        return err_set(e, ERR_NOMEM, "no memory for the request");
    return 0;
}

static int take_texts(const struct buf *reply, struct arena *a, struct reply *r, struct err *e)
{
    auto_json yyjson_doc *doc = NULL;
    struct str certificate = {0}, roots = {0}, model = {0};
    int rc = json_parse_object(buf_str(reply), &doc, e);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (rc == 0)
        rc = json_get_pem(root, "certificate", PKI_PEM_MAX - 1, &certificate, e);
    if (rc == 0)
        rc = json_get_pem(root, "roots", PKI_PEM_MAX - 1, &roots, e);
    if (rc == 0)
        rc = json_get_str(root, "model", 128, &model, e);
    if (rc == 0 && model.n > 0 && !str_is_name(model))
        rc = err_set(e, ERR_INVALID, "\"model\" is no name");
    if (rc != 0)
        return err_context(e, "the server's answer");
    if (certificate.n == 0)
        return err_set(e, ERR_INVALID, "the server's answer has no certificate");
    r->certificate = (struct str){.p = arena_dup_str(a, certificate), .n = certificate.n};
    r->roots = (struct str){.p = arena_dup_str(a, roots), .n = roots.n};
    r->model = (struct str){.p = arena_dup_str(a, model), .n = model.n};
    if (r->certificate.p == NULL || r->roots.p == NULL || r->model.p == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the server's answer");
    return 0;
}

static int refusal(int status, const struct buf *reply, const char *what, struct err *e)
{
    char said[400];
    link_problem(status, reply, said, sizeof said);
    int code = status == 401 || status == 403 ? ERR_DENIED : status == 409 ? ERR_CONFLICT : ERR_BUSY;
    return err_set(e, code, "the server refused %s: %s", what, said);
}

static int ask(struct link *l, const char *path, const char *what, EVP_PKEY *key, const char *token,
               const char *id, struct arena *a, struct reply *out, struct err *e)
{
    auto_buf struct buf body, answer;
    buf_init(&body, LINK_REPLY_MAX);
    buf_init(&answer, LINK_REPLY_MAX);
    struct str csr;
    struct pki_csr *mine = NULL;
    struct reply r = {0};
    int status = 0;
    /* The server takes nothing but the key from a request; the name in it is for people who look at it. */
    int rc = pki_csr_make(key, id != NULL ? id : "pqota device", a, &csr, e);
    if (rc == 0)
        rc = write_body(csr, token, id, a, &body, e);
    if (rc == 0)
        rc = link_call(l, "POST", path, &body, &status, &answer, e);
    if (rc == 0 && status != 200 && status != 201)
        rc = refusal(status, &answer, what, e);
    if (rc == 0)
        rc = take_texts(&answer, a, &r, e);
    if (rc == 0)
        rc = pki_cert_read(r.certificate, &r.cert, e);
    if (rc == 0)
        rc = pki_csr_parse(csr, &mine, e);
    if (rc == 0 && strcmp(pki_csr_key_id(mine), r.cert.key_id) != 0)
        rc = err_set(e, ERR_MISMATCH, "the server sent a certificate for another key");
    pki_csr_free(mine);
    if (rc == 0)
        *out = r;
    return rc;
}

int reply_get_enrolment(struct link *l, EVP_PKEY *key, const char *token, const char *id, struct arena *a,
                        struct reply *out, struct err *e)
{
    return ask(l, "/api/enroll", "the enrolment", key, token, id, a, out, e);
}

int reply_get_renewal(struct link *l, EVP_PKEY *key, struct arena *a, struct reply *out, struct err *e)
{
    return ask(l, "/api/renew", "the renewal", key, NULL, NULL, a, out, e);
}

int reply_store_roots(const struct reply *r, const char *path, struct err *e)
{
    if (r->roots.n == 0)
        return err_set(e, ERR_INVALID, "the server sent no roots");
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    char beside[4096];
    const char **ids;
    size_t count = 0;
    if (snprintf(beside, sizeof beside, "%s.check", path) >= (int)sizeof beside)
        return err_set(e, ERR_TOO_LARGE, "the path %s is too long", path);
    int rc = file_write_atomic(beside, r->roots.p, r->roots.n, 0644, e);
    if (rc != 0)
        return rc;
    /* Read back as the next connection will read it: a bundle that does not load would lock the device out.
       */
    if (pki_bundle_key_ids(beside, &a, &ids, &count, e) != 0 || count == 0)
        rc = err_set(e, ERR_INVALID, "the roots that the server sent do not read as certificates");
    unlink(beside);
    return rc != 0 ? rc : file_write_atomic(path, r->roots.p, r->roots.n, 0644, e);
}
