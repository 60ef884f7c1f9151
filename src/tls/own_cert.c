#include "tls/own_cert.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tls/errtext.h"
#include "tls/identity.h"
#include "tls/keyload.h"

CLEANUP_DEFINE(certs, STACK_OF(X509), tls_certs_free);
CLEANUP_DEFINE(key, EVP_PKEY, EVP_PKEY_free);

static const char *stamp(int64_t seconds, char out[CLOCK_TEXT_MAX])
{
    clock_format(seconds * 1000, out);
    char *dot = strchr(out, '.');
    if (dot != NULL)
        snprintf(dot, 2, "Z");
    return out;
}

static int check_algorithm(const struct tls_config *c, const struct tls_rules *rules, X509 *leaf,
                           EVP_PKEY *key, struct err *e)
{
    EVP_PKEY *pub = X509_get0_pubkey(leaf);
    if (pub == NULL)
        return err_set(e, ERR_INVALID, "the public key in %s cannot be read", c->cert_file);
    if (!tls_algs_allow_key(&rules->algs, pub))
        return err_set(e, ERR_UNSUPPORTED,
                       "the certificate %s holds a key of algorithm %s, but %s was asked for", c->cert_file,
                       tls_key_signature_name(pub), rules->algs.sigalgs);
    if (!tls_algs_allow_key(&rules->algs, key))
        return err_set(e, ERR_UNSUPPORTED, "the key %s is of algorithm %s, but %s was asked for", c->key_file,
                       tls_key_signature_name(key), rules->algs.sigalgs);
    if (EVP_PKEY_eq(pub, key) != 1)
        return err_set(e, ERR_MISMATCH, "the key %s does not belong to the certificate %s", c->key_file,
                       c->cert_file);
    return 0;
}

static int check_time(const struct tls_config *c, const struct tls_rules *rules, const X509 *leaf,
                      struct err *e)
{
    char then[CLOCK_TEXT_MAX], now_text[CLOCK_TEXT_MAX];
    int64_t now = tls_rules_now(rules);
    int64_t from = tls_time(X509_get0_notBefore(leaf)), to = tls_time(X509_get0_notAfter(leaf));
    if (c->own_at_any_time && c->role == TLS_SERVER)
        return 0;
    stamp(now, now_text);
    if (now < from && !tls_rules_clock_is_behind(rules))
        return err_set(e, ERR_INVALID,
                       "the certificate %s is not valid before %s (now: %s): is the clock right?",
                       c->cert_file, stamp(from, then), now_text);
    if (now > to && !(c->accept_expired_own && c->role == TLS_CLIENT))
        return err_set(e, ERR_GONE, "the certificate %s expired on %s (now: %s): get a new one", c->cert_file,
                       stamp(to, then), now_text);
    return 0;
}

static int check_usage(const struct tls_config *c, X509 *leaf, struct err *e)
{
    uint32_t need = c->role == TLS_SERVER ? XKU_SSL_SERVER : XKU_SSL_CLIENT;
    if ((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) != 0 &&
        (X509_get_extended_key_usage(leaf) & need) != 0)
        return 0;
    return err_set(e, ERR_INVALID,
                   "the certificate %s lacks the extended key usage %s, without which peers refuse it",
                   c->cert_file, c->role == TLS_SERVER ? "serverAuth" : "clientAuth");
}

/* Peers get the chain as it stands in the file, so it must be one. */
static int check_order(const struct tls_config *c, const STACK_OF(X509) * certs, struct err *e)
{
    for (int i = 0; i + 1 < sk_X509_num(certs); i++)
        if (X509_check_issued(sk_X509_value(certs, i + 1), sk_X509_value(certs, i)) != X509_V_OK)
            return err_set(
                e, ERR_INVALID,
                "certificate %d in %s did not issue certificate %d: the file must hold the leaf first, then "
                "each one's issuer",
                i + 2, c->cert_file, i + 1);
    return 0;
}

static int install(SSL_CTX *ssl, const struct tls_config *c, STACK_OF(X509) * certs, EVP_PKEY *key,
                   struct err *e)
{
    char reason[TLS_REASON_MAX];
    X509 *leaf = sk_X509_shift(certs);
    int ok = SSL_CTX_use_cert_and_key(ssl, leaf, key, certs, 1);
    X509_free(leaf);
    if (ok != 1)
        return err_set(e, ERR_CRYPTO, "cannot use the certificate %s with the key %s: %s", c->cert_file,
                       c->key_file, tls_reason(reason));
    return 0;
}

int tls_use_own_cert(SSL_CTX *ssl, const struct tls_config *c, const struct tls_rules *rules, struct err *e)
{
    CLEANUP(certs_cleanup) STACK_OF(X509) *certs = NULL;
    CLEANUP(key_cleanup) EVP_PKEY *key = NULL;
    int rc = tls_load_certs(c->cert_file, &certs, e);
    if (rc == 0)
        rc = tls_load_key(c->key_file, &key, e);
    if (rc != 0)
        return rc;
    X509 *leaf = sk_X509_value(certs, 0);
    rc = check_algorithm(c, rules, leaf, key, e);
    if (rc == 0)
        rc = check_order(c, certs, e);
    if (rc == 0)
        rc = check_time(c, rules, leaf, e);
    if (rc == 0)
        rc = check_usage(c, leaf, e);
    return rc != 0 ? rc : install(ssl, c, certs, key, e);
}
