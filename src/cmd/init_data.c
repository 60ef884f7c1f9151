/* The database of `pqota init`, with the first operator in it. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "cmd/init.h"
#include "ota/operators.h"
#include "store/operators.h"
#include "store/store.h"

struct registering {
    const char *name;
    struct pki_cert cert;
    int64_t now_ms;
    bool known;
};

static int same_certificate(void *ctx, const struct operator_certificate *c, struct err *e)
{
    struct registering *r = ctx;
    (void)e;
    if (strcmp(c->issuer, r->cert.issuer_key) == 0 && strcmp(c->serial, r->cert.serial) == 0)
        r->known = true;
    return 0;
}

static int register_operator(struct db *db, void *arg, struct err *e)
{
    struct registering *r = arg;
    r->known = false;
    int rc = store_operator_each(db, same_certificate, r, e);
    if (rc != 0 || r->known)
        return rc;
    return ota_operator_add(db, r->name, "admin", &r->cert, r->now_ms, e);
}

/* The certificate as it will be seen at log-in: issued by the operator root, whose key is a part of it. */
static int read_operator(struct init *in, struct registering *r, struct err *e)
{
    const char *leaf = init_path(in, "operator/%s.pem", in->admin),
               *root = init_path(in, "pki/operator-ca.pem");
    if (leaf == NULL || root == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a path");
    auto_buf struct buf text;
    buf_init(&text, PKI_PEM_MAX);
    int rc = file_read(leaf, PKI_PEM_MAX, &text, e);
    if (rc == 0 && pki_cert_verify(buf_str(&text), root, PKI_CLIENT, in->now_s, &r->cert, e) != 0)
        rc = err_context(e, "%s with the root %s", leaf, root);
    return rc;
}

int init_data(struct init *in, const char *data_dir, struct err *e)
{
    bool existed = file_exists(data_dir);
    struct registering r = {.name = in->admin, .now_ms = in->now_s * 1000};
    int rc = in->admin != NULL ? read_operator(in, &r, e) : 0;
    if (rc == 0)
        rc = file_mkdirs(data_dir, 0700, e);
    if (rc != 0)
        return rc;
    struct store_options options = {.dir = data_dir, .clock = &clock_system};
    struct store *store = NULL;
    rc = store_open(&options, &store, e);
    if (rc == ERR_CONFLICT && in->admin_new)
        return err_context(e, "stop the server and run this again, so that the operator can be registered");
    if (rc == ERR_CONFLICT) {
        init_say(in, false, data_dir, "database and firmware files: in use by a server, so not looked into");
        return 0;
    }
    if (rc != 0)
        return rc;
    if (in->admin != NULL)
        rc = store_write_now(store, register_operator, &r, e);
    store_close(store);
    if (rc != 0)
        return rc;
    init_say(in, !existed, data_dir, "database and firmware files");
    if (in->admin != NULL)
        printf("  %s   operator \"%s\" as an administrator\n", r.known ? "kept" : "made", in->admin);
    return 0;
}
