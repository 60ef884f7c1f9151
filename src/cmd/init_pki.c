/* Keys and certificates of `pqota init`. A key is on the disk before its certificate, so that an interrupted
   run leaves a key without certificate, which the next run completes. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/rand.h"
#include "cmd/init.h"
#include "tls/policy.h"

#define ROOT_DAYS 7305 /* 20 years */
#define DAY_S 86400LL
#define CLOCK_SLACK_S 3600 /* devices' clocks may be behind by this much on the first day */
#define MARK_BYTES 3

CLEANUP_DEFINE(key, EVP_PKEY, pki_key_free);
CLEANUP_DEFINE(ca, struct pki_ca, pki_ca_free);
#define auto_key CLEANUP(key_cleanup)
#define auto_ca CLEANUP(ca_cleanup)

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for a path or a certificate");
}

/* The key of that file; made when there is none. Browsers take no ML-DSA yet. */
static int have_key(const struct init *in, const char *role, const char *path, EVP_PKEY **out, struct err *e)
{
    if (file_exists(path))
        return pki_key_load(path, out, e);
    auto_key EVP_PKEY *key = NULL;
    char algorithm[TLS_KEY_NAME_MAX] = "p256";
    int rc = strcmp(role, "console") != 0 ? tls_policy_key(in->policy, NULL, algorithm, e) : 0;
    if (rc == 0)
        rc = pki_key_generate(algorithm, &key, e);
    if (rc == 0)
        rc = pki_key_save(key, path, e);
    if (rc == 0)
        *out = take_ptr(key);
    return rc;
}

static int make_root(struct init *in, const char *role, const char *what, struct err *e)
{
    const char *cert = init_path(in, "pki/%s-ca.pem", role), *key_file = init_path(in, "pki/%s-ca.key", role);
    if (cert == NULL || key_file == NULL)
        return no_memory(e);
    if (file_exists(cert)) {
        init_say(in, false, cert, what);
        return 0;
    }
    unsigned char raw[MARK_BYTES];
    char mark[2 * MARK_BYTES + 1], name[64];
    int rc = rand_bytes(raw, sizeof raw, e);
    if (rc != 0)
        return rc;
    /* A mark, so that an old and a new root have different names. */
    hex_encode(raw, sizeof raw, mark);
    snprintf(name, sizeof name, "pqota %s CA %s", role, mark);
    auto_key EVP_PKEY *key = NULL;
    struct str pem;
    rc = have_key(in, role, key_file, &key, e);
    if (rc == 0)
        rc = pki_root_make(key, name, ROOT_DAYS, in->now_s - CLOCK_SLACK_S, in->arena, &pem, e);
    if (rc == 0)
        rc = file_create_atomic(cert, pem.p, pem.n, 0644, e);
    if (rc == 0)
        init_say(in, true, cert, what);
    return rc;
}

/* Who checks a revocation list of the devices' authority, as nginx can, has to have one of each authority.
   The operators' is empty and as long-lived as the authority, whose key is seldom at hand: pqota itself
   refuses an operator that was revoked. */
static int make_list(struct init *in, struct err *e)
{
    const char *cert = init_path(in, "pki/operator-ca.pem"), *key = init_path(in, "pki/operator-ca.key"),
               *list = init_path(in, "pki/operator-ca.crl");
    if (cert == NULL || key == NULL || list == NULL)
        return no_memory(e);
    bool made = !file_exists(list);
    if (made && !file_exists(key))
        return 0; /* nothing that runs needs it */
    if (made) {
        auto_ca struct pki_ca *ca = NULL;
        struct str pem;
        int rc = pki_ca_load(cert, key, &ca, e);
        if (rc == 0)
            rc = pki_crl_make(ca, NULL, 0, 1, in->now_s - CLOCK_SLACK_S, in->now_s + ROOT_DAYS * DAY_S,
                              in->arena, &pem, e);
        if (rc == 0)
            rc = file_create_atomic(list, pem.p, pem.n, 0644, e);
        if (rc != 0)
            return rc;
    }
    init_say(in, made, list, "an empty revocation list of that authority");
    return 0;
}

int init_root(struct init *in, const char *role, const char *what, struct err *e)
{
    int rc = make_root(in, role, what, e);
    return rc == 0 && strcmp(role, "operator") == 0 ? make_list(in, e) : rc;
}

static int load_issuer(const struct init *in, const char *role, const char *for_what, struct pki_ca **out,
                       struct err *e)
{
    const char *cert = init_path(in, "pki/%s-ca.pem", role), *key = init_path(in, "pki/%s-ca.key", role);
    if (cert == NULL || key == NULL)
        return no_memory(e);
    if (!file_exists(key))
        return err_set(
            e, ERR_NOT_FOUND,
            "%s is missing and so is the key that could issue it: bring %s back to where it was, run this "
            "again, and take it away again",
            for_what, key);
    return pki_ca_load(cert, key, out, e);
}

int init_leaf(struct init *in, const char *role, const char *name, const struct pki_issue *want,
              const char *what, struct err *e)
{
    const char *cert_file = init_path(in, "%s.pem", name), *key_file = init_path(in, "%s.key", name);
    if (cert_file == NULL || key_file == NULL)
        return no_memory(e);
    if (file_exists(cert_file)) {
        init_say(in, false, cert_file, what);
        return 0;
    }
    auto_ca struct pki_ca *ca = NULL;
    auto_key EVP_PKEY *key = NULL;
    struct pki_issue issue = *want;
    issue.not_before = in->now_s - CLOCK_SLACK_S;
    struct pki_cert cert;
    struct str pem;
    int rc = load_issuer(in, role, cert_file, &ca, e);
    if (rc == 0)
        rc = have_key(in, role, key_file, &key, e);
    if (rc == 0)
        rc = pki_issue_cert(ca, NULL, key, &issue, in->arena, &pem, &cert, e);
    if (rc == 0)
        rc = file_create_atomic(cert_file, pem.p, pem.n, 0644, e);
    if (rc == 0)
        init_say(in, true, cert_file, what);
    return rc;
}
