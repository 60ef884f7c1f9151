#include "cmd/credential.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "pki/pki.h"
#include "tls/policy.h"

#define ROOTS_MAX (1u << 20)
#define CLOCK_SLACK_S 3600 /* valid from so long ago, for a server whose clock is behind */

CLEANUP_DEFINE(key, EVP_PKEY, pki_key_free);
#define auto_key CLEANUP(key_cleanup)
CLEANUP_DEFINE(ca, struct pki_ca, pki_ca_free);
#define auto_ca CLEANUP(ca_cleanup)

static int load_ca(const struct credential_request *r, struct arena *a, struct pki_ca **ca, struct err *e)
{
    const char *dir = r->ca_dir != NULL ? r->ca_dir : arena_printf(a, "%s/../pki", r->profile->dir);
    const char *cert = dir != NULL ? arena_printf(a, "%s/operator-ca.pem", dir) : NULL;
    const char *key = dir != NULL ? arena_printf(a, "%s/operator-ca.key", dir) : NULL;
    if (cert == NULL || key == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the CA's path");
    if (pki_ca_load(cert, key, ca, e) == 0)
        return 0;
    (void)err_context(e, "the operator CA cannot be used (--ca-dir says where it is)");
    return e->code = ERR_INVALID;
}

static int name_files(struct credential *c, const char *name, struct arena *a, struct err *e)
{
    c->profile = arena_printf(a, "%s/profile", c->dir);
    c->key = arena_printf(a, "%s/%s.key", c->dir, name);
    c->certificate_file = arena_printf(a, "%s/%s.pem", c->dir, name);
    c->roots = arena_printf(a, "%s/server-ca.pem", c->dir);
    if (c->profile == NULL || c->key == NULL || c->certificate_file == NULL || c->roots == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the paths of the credential");
    return 0;
}

static int write_profile(const struct credential_request *r, const struct credential *c, struct arena *a,
                         struct err *e)
{
    const struct profile *p = r->profile;
    const char *policy = p->policy != NULL ? arena_printf(a, "policy = %s\n", p->policy) : "";
    const char *text =
        arena_printf(a,
                     "# Which server this operator talks to. Paths are relative to this file's "
                     "folder.\n[profile]\nserver = %s\ncertificate = %s.pem\nkey = %s.key\n"
                     "ca = server-ca.pem\n%s",
                     p->server, r->name, r->name, policy != NULL ? policy : "");
    if (text == NULL || policy == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the profile");
    return file_create_atomic(c->profile, text, strlen(text), 0644, e);
}

static int write_all(const struct credential_request *r, const struct credential *c, EVP_PKEY *key,
                     struct arena *a, struct err *e)
{
    auto_buf struct buf roots;
    buf_init(&roots, ROOTS_MAX);
    int rc = file_read(r->profile->ca, ROOTS_MAX, &roots, e);
    if (rc == 0)
        rc = pki_key_save(key, c->key, e);
    if (rc == 0)
        rc = file_create_atomic(c->certificate_file, c->certificate.p, c->certificate.n, 0644, e);
    if (rc == 0)
        rc = file_create_atomic(c->roots, roots.p, roots.n, 0644, e);
    if (rc == 0)
        rc = write_profile(r, c, a, e);
    return rc;
}

int credential_make(const struct credential_request *r, struct arena *a, int64_t now_s,
                    struct credential *out, struct err *e)
{
    auto_ca struct pki_ca *ca = NULL;
    auto_key EVP_PKEY *key = NULL;
    struct pki_cert cert;
    struct credential c = {.dir = r->out_dir != NULL ? r->out_dir : r->name};
    char algorithm[TLS_KEY_NAME_MAX];
    int rc = load_ca(r, a, &ca, e);
    if (rc == 0)
        rc = tls_policy_key(r->profile->policy, NULL, algorithm, e);
    if (rc == 0)
        rc = pki_key_generate(algorithm, &key, e);
    if (rc != 0)
        return rc;
    struct pki_issue what = {.purpose = PKI_CLIENT,
                             .common_name = r->name,
                             .not_before = now_s - CLOCK_SLACK_S,
                             .not_after = now_s + r->days * 86400};
    rc = pki_issue_cert(ca, NULL, key, &what, a, &c.certificate, &cert, e);
    if (rc == 0)
        rc = name_files(&c, r->name, a, e);
    if (rc != 0)
        return rc;
    if (mkdir(c.dir, 0700) != 0)
        return err_errno(e, errno, "cannot make the folder %s (--out names another)", c.dir);
    rc = write_all(r, &c, key, a, e);
    if (rc != 0) {
        credential_remove(&c);
        return rc;
    }
    *out = c;
    return 0;
}

void credential_remove(const struct credential *c)
{
    (void)unlink(c->profile);
    (void)unlink(c->key);
    (void)unlink(c->certificate_file);
    (void)unlink(c->roots);
    (void)rmdir(c->dir);
}
