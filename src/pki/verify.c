/* Whether a certificate ends in a root (RFC 5280 section 6), as a peer would find. */
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "pki/internal.h"

CLEANUP_DEFINE(store, X509_STORE, X509_STORE_free);
CLEANUP_DEFINE(ctx, X509_STORE_CTX, X509_STORE_CTX_free);
CLEANUP_DEFINE(stack, STACK_OF(X509), sk_X509_free);

static int fill(X509_STORE *store, X509 *const *roots, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++)
        if (X509_STORE_add_cert(store, roots[i]) != 1)
            return pki_err(e, ERR_CRYPTO, "cannot take a root");
    return 0;
}

/* issuer_key: NULL, or gets the key id of what issued the first of the chain. */
static int verify(X509 *const *chain, size_t n, X509 *const *roots, size_t roots_n, enum pki_purpose purpose,
                  int64_t now_s, char *issuer_key, struct err *e)
{
    CLEANUP(store_cleanup) X509_STORE *store = X509_STORE_new();
    CLEANUP(ctx_cleanup) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    CLEANUP(stack_cleanup) STACK_OF(X509) *others = sk_X509_new_null();
    if (store == NULL || ctx == NULL || others == NULL)
        return err_set(e, ERR_NOMEM, "no memory to verify a certificate");
    int rc = fill(store, roots, roots_n, e);
    for (size_t i = 1; rc == 0 && i < n; i++)
        if (sk_X509_push(others, chain[i]) <= 0)
            rc = err_set(e, ERR_NOMEM, "no memory to verify a certificate");
    if (rc != 0)
        return rc;
    if (X509_STORE_CTX_init(ctx, store, chain[0], others) != 1)
        return pki_err(e, ERR_CRYPTO, "cannot verify a certificate");
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_purpose(param,
                                  purpose == PKI_SERVER ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
    X509_VERIFY_PARAM_set_time(param, (time_t)now_s);
    if (X509_verify_cert(ctx) != 1) {
        ERR_clear_error();
        return err_set(e, ERR_MISMATCH, "%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    }
    if (issuer_key == NULL)
        return 0;
    const STACK_OF(X509) *found = X509_STORE_CTX_get0_chain(ctx);
    if (sk_X509_num(found) < 2)
        return err_set(e, ERR_MISMATCH, "it is a root itself");
    return pki_key_id(X509_get0_pubkey(sk_X509_value(found, 1)), issuer_key, e);
}

/* No authority, and with exactly the one extended key usage. */
static int check_leaf(X509 *cert, enum pki_purpose purpose, struct err *e)
{
    bool server = purpose == PKI_SERVER;
    bool has = (X509_get_extension_flags(cert) & EXFLAG_XKUSAGE) != 0;
    if (has && X509_get_extended_key_usage(cert) == (server ? XKU_SSL_SERVER : XKU_SSL_CLIENT) &&
        X509_check_ca(cert) == 0)
        return 0;
    return err_set(e, ERR_INVALID, "it is not for a %s: its extended key usage must be exactly %s",
                   server ? "server" : "client", server ? "serverAuth" : "clientAuth");
}

int pki_cert_verify(struct str pem, const char *roots_file, enum pki_purpose purpose, int64_t now_s,
                    struct pki_cert *out, struct err *e)
{
    X509 *chain[PKI_BUNDLE_MAX], *roots[PKI_BUNDLE_MAX];
    size_t n = 0, roots_n = 0;
    struct pki_cert info;
    int rc = pki_certs_parse(pem, "the certificate", chain, &n, e);
    if (rc != 0)
        return rc;
    rc = pki_certs_load(roots_file, roots, &roots_n, e);
    if (rc == 0) {
        rc = check_leaf(chain[0], purpose, e);
        if (rc == 0)
            rc = pki_cert_describe(chain[0], &info, e);
        if (rc == 0)
            rc = verify(chain, n, roots, roots_n, purpose, now_s, info.issuer_key, e);
        if (rc != 0)
            rc = err_context(e, "the certificate does not count");
        pki_certs_free(roots, roots_n);
    }
    pki_certs_free(chain, n);
    if (rc == 0)
        *out = info;
    return rc;
}

int pki_issued_by(const char *cert_file, const char *roots_file, enum pki_purpose purpose, int64_t now_s,
                  struct err *e)
{
    X509 *chain[PKI_BUNDLE_MAX], *roots[PKI_BUNDLE_MAX];
    size_t n = 0, roots_n = 0;
    int rc = pki_certs_load(cert_file, chain, &n, e);
    if (rc != 0)
        return rc;
    rc = pki_certs_load(roots_file, roots, &roots_n, e);
    if (rc == 0 && verify(chain, n, roots, roots_n, purpose, now_s, NULL, e) != 0)
        rc = err_context(e, "%s does not verify with the roots in %s", cert_file, roots_file);
    pki_certs_free(chain, n);
    pki_certs_free(roots, roots_n);
    return rc;
}
