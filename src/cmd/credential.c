#include "cmd/credential.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "pki/pki.h"

#define ROOTS_MAX (1u << 20)
#define CLOCK_SKEW_S 300 /* valid from so long ago, for a server whose clock is a little behind */

CLEANUP_DEFINE(key, EVP_PKEY, pki_key_free);
#define auto_key CLEANUP(key_cleanup)
CLEANUP_DEFINE(ca, struct pki_ca, pki_ca_free);
#define auto_ca CLEANUP(ca_cleanup)

/* The key's kind that the profile's policy takes. */
static const char *key_algorithm(const struct profile *p)
{
    static const struct {
        const char *policy, *algorithm;
    } rows[] = {{"cnsa2", "mldsa87"}, {"constrained", "mldsa44"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (p->policy != NULL && strcmp(p->policy, rows[i].policy) == 0)
            return rows[i].algorithm;
    return "mldsa65";
}

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

static int write_in(const char *dir, const char *name, struct str text, mode_t mode, struct arena *a, struct err *e)
{
    const char *path = arena_printf(a, "%s/%s", dir, name);
    if (path == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a path");
    return file_create_atomic(path, text.p, text.n, mode, e);
}

static int write_profile(const struct credential_request *r, const char *dir, struct arena *a, struct err *e)
{
    const struct profile *p = r->profile;
    const char *text = arena_printf(a,
                                    "; Operator %s of %s. Paths are relative to this folder.\n"
                                    "[profile]\nserver = %s\ncertificate = " CREDENTIAL_CERTIFICATE
                                    "\nkey = " CREDENTIAL_KEY "\nca = " CREDENTIAL_ROOTS "\n%s%s%s",
                                    r->name, p->server, p->server, p->policy != NULL ? "policy = " : "",
                                    p->policy != NULL ? p->policy : "", p->policy != NULL ? "\n" : "");
    if (text == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the profile");
    return write_in(dir, CREDENTIAL_PROFILE, str_of(text), 0644, a, e);
}

static int write_all(const struct credential_request *r, const char *dir, EVP_PKEY *key, struct str certificate,
                     struct arena *a, struct err *e)
{
    auto_buf struct buf roots;
    buf_init(&roots, ROOTS_MAX);
    const char *key_path = arena_printf(a, "%s/" CREDENTIAL_KEY, dir);
    if (key_path == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the key's path");
    int rc = file_read(r->profile->ca, ROOTS_MAX, &roots, e);
    if (rc == 0)
        rc = pki_key_save(key, key_path, e);
    if (rc == 0)
        rc = write_in(dir, CREDENTIAL_CERTIFICATE, certificate, 0644, a, e);
    if (rc == 0)
        rc = write_in(dir, CREDENTIAL_ROOTS, buf_str(&roots), 0644, a, e);
    if (rc == 0)
        rc = write_profile(r, dir, a, e);
    return rc;
}

int credential_make(const struct credential_request *r, struct arena *a, int64_t now_s, struct credential *out,
                    struct err *e)
{
    auto_ca struct pki_ca *ca = NULL;
    auto_key EVP_PKEY *key = NULL;
    struct pki_cert cert;
    struct credential c = {.dir = r->out_dir != NULL ? r->out_dir : r->name};
    int rc = load_ca(r, a, &ca, e);
    if (rc == 0)
        rc = pki_key_generate(key_algorithm(r->profile), &key, e);
    if (rc != 0)
        return rc;
    struct pki_issue what = {.purpose = PKI_CLIENT,
                             .common_name = r->name,
                             .not_before = now_s - CLOCK_SKEW_S,
                             .not_after = now_s + r->days * 86400};
    rc = pki_issue_cert(ca, NULL, key, &what, a, &c.certificate, &cert, e);
    if (rc != 0)
        return rc;
    c.profile_path = arena_printf(a, "%s/" CREDENTIAL_PROFILE, c.dir);
    if (c.profile_path == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the profile's path");
    if (mkdir(c.dir, 0700) != 0)
        return err_errno(e, errno, "cannot make the folder %s (--out names another)", c.dir);
    rc = write_all(r, c.dir, key, c.certificate, a, e);
    if (rc != 0) {
        credential_remove(&c);
        return rc;
    }
    *out = c;
    return 0;
}

void credential_remove(const struct credential *c)
{
    static const char *const names[] = {CREDENTIAL_PROFILE, CREDENTIAL_KEY, CREDENTIAL_CERTIFICATE, CREDENTIAL_ROOTS};
    char path[4096];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (file_join(path, sizeof path, c->dir, names[i]) == 0)
            (void)unlink(path);
    (void)rmdir(c->dir);
}
