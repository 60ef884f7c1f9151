#include "tls/verify.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tls/errtext.h"
#include "tls/identity.h"
#include "tls/tls_impl.h"
#include "tls/verified.h"

#define REFUSAL_MAX 400

/* One verification under way. */
struct check {
    const struct tls_rules *rules;
    struct tls_conn *conn; /* NULL when another library drives the connection */
    bool expired;
};

bool tls_rules_clock_is_behind(const struct tls_rules *rules)
{
    return (int64_t)time(NULL) < rules->clock_floor;
}

int64_t tls_rules_now(const struct tls_rules *rules)
{
    int64_t now = (int64_t)time(NULL);
    return now < rules->clock_floor ? rules->clock_floor : now;
}

/* Called by X509_verify_cert for each problem: lets pass what the configuration says, and nothing else. */
static int on_problem(int ok, X509_STORE_CTX *xctx)
{
    struct check *c = X509_STORE_CTX_get_app_data(xctx);
    if (ok)
        return 1;
    int error = X509_STORE_CTX_get_error(xctx);
    bool pass = false;
    if (error == X509_V_ERR_CERT_HAS_EXPIRED && X509_STORE_CTX_get_error_depth(xctx) == 0 &&
        c->rules->accept_expired_peer)
        pass = c->expired = true;
    if (error == X509_V_ERR_CERT_NOT_YET_VALID && tls_rules_clock_is_behind(c->rules))
        pass = true;
    if (pass)
        X509_STORE_CTX_set_error(xctx, X509_V_OK);
    return pass;
}

static const char *peer_word(const struct check *c)
{
    return c->rules->role == TLS_SERVER ? "client" : "server";
}

static void PRINTF_LIKE(2, 3) refuse(struct check *c, const char *fmt, ...)
{
    if (c->conn == NULL)
        return;
    va_list ap;
    va_start(ap, fmt);
    char text[REFUSAL_MAX];
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    free(c->conn->refusal);
    c->conn->refusal = strdup(text);
}

static const char *day(int64_t seconds, char out[CLOCK_TEXT_MAX])
{
    clock_format(seconds * 1000, out);
    char *dot = strchr(out, '.');
    if (dot != NULL)
        snprintf(dot, 2, "Z");
    return out;
}

static void refuse_time(struct check *c, const X509 *cert, const char *whose, bool expired)
{
    char then[CLOCK_TEXT_MAX], now[CLOCK_TEXT_MAX];
    day(tls_rules_now(c->rules), now);
    if (expired)
        refuse(c, "%s expired on %s (now: %s)", whose, day(tls_time(X509_get0_notAfter(cert)), then), now);
    else
        refuse(c, "%s is not valid before %s (now: %s); is a clock wrong?", whose,
               day(tls_time(X509_get0_notBefore(cert)), then), now);
}

static void explain(struct check *c, X509_STORE_CTX *xctx)
{
    int error = X509_STORE_CTX_get_error(xctx);
    const X509 *cert = X509_STORE_CTX_get_current_cert(xctx);
    if (cert == NULL)
        cert = X509_STORE_CTX_get0_cert(xctx);
    char cn[TLS_NAME_MAX], issuer[TLS_NAME_MAX], names[200], whose[TLS_NAME_MAX + 64];
    tls_common_name(X509_get_subject_name(cert), cn, sizeof cn);
    tls_common_name(X509_get_issuer_name(cert), issuer, sizeof issuer);
    bool leaf = X509_STORE_CTX_get_error_depth(xctx) == 0;
    snprintf(whose, sizeof whose, "the %s's %s (CN=%s)", peer_word(c),
             leaf ? "certificate" : "CA certificate", cn);
    const char *roots = c->rules->ca_file != NULL ? c->rules->ca_file : "the trusted roots";
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        refuse_time(c, cert, whose, error == X509_V_ERR_CERT_HAS_EXPIRED);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        refuse(c, "%s was issued by an untrusted CA (CN=%s), which is not in %s", whose, issuer, roots);
        break;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        refuse(c, "the signature on %s is not one of its CA (CN=%s) as it stands in %s", whose, issuer,
               roots);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        tls_names(X509_STORE_CTX_get0_cert(xctx), names, sizeof names);
        refuse(c, "the server's certificate is for %s, not for %s", names[0] != '\0' ? names : "no host",
               c->conn != NULL && c->conn->host != NULL ? c->conn->host : "the host asked for");
        break;
    case X509_V_ERR_INVALID_PURPOSE:
        refuse(c, "%s is not meant for this: it lacks the extended key usage %s", whose,
               c->rules->role == TLS_SERVER ? "clientAuth" : "serverAuth");
        break;
    default:
        refuse(c, "%s was refused: %s", whose, X509_verify_cert_error_string(error));
    }
}

/* RFC 5280 section 4.2.1.12 lets a certificate without the extension serve any purpose; we do not: it must
   say that it is for this. anyExtendedKeyUsage does not count either. */
static bool has_usage(X509 *leaf, enum tls_role own_role)
{
    uint32_t need = own_role == TLS_SERVER ? XKU_SSL_CLIENT : XKU_SSL_SERVER;
    return (X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) != 0 &&
           (X509_get_extended_key_usage(leaf) & need) != 0;
}

/* Our rules on a chain that OpenSSL found good. */
static bool check_chain(struct check *c, X509_STORE_CTX *xctx)
{
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(xctx);
    X509 *leaf = sk_X509_value(chain, 0);
    if (!has_usage(leaf, c->rules->role)) {
        X509_STORE_CTX_set_error_depth(xctx, 0);
        X509_STORE_CTX_set_error(xctx, X509_V_ERR_INVALID_PURPOSE);
        X509_STORE_CTX_set_current_cert(xctx, leaf);
        explain(c, xctx);
        return false;
    }
    /* The root's signature on itself proves nothing, so it is not asked to be strong. */
    int n = sk_X509_num(chain);
    for (int i = 0; i < n && (i == 0 || i + 1 < n); i++) {
        X509 *cert = sk_X509_value(chain, i);
        if (tls_algs_allow_signature(&c->rules->algs, cert))
            continue;
        X509_STORE_CTX_set_error_depth(xctx, i);
        X509_STORE_CTX_set_error(xctx, X509_V_ERR_UNSUPPORTED_SIGNATURE_ALGORITHM);
        refuse(c, "certificate %d of the %s's chain is signed with %s; here it must be %s or stronger", i + 1,
               peer_word(c), tls_cert_signature_name(cert), c->rules->algs.sigalgs);
        return false;
    }
    return true;
}

/* Times are looked at as if nothing was known: what does not pass is verified anew, which says why. */
static bool is_still_good(const struct tls_rules *rules, struct tls_proof *p)
{
    int64_t now = tls_rules_now(rules);
    p->peer.expired = now > p->peer.not_after;
    return now >= p->verified_at && now >= p->not_before && now <= p->issuers_until &&
           (!p->peer.expired || rules->accept_expired_peer);
}

/* The same certificate was verified before, by the same roots and rules. Whether it is revoked is looked
   up at every request, as always. */
static bool recall(struct check *c, X509_STORE_CTX *xctx)
{
    unsigned char fingerprint[SHA256_SIZE];
    unsigned n = 0;
    struct tls_proof proof;
    if (c->rules->verified == NULL || c->conn == NULL ||
        X509_digest(X509_STORE_CTX_get0_cert(xctx), EVP_sha256(), fingerprint, &n) != 1 ||
        !tls_verified_find(c->rules->verified, c->rules->scope, fingerprint, &proof) ||
        !is_still_good(c->rules, &proof))
        return false;
    c->conn->info.peer = proof.peer;
    c->conn->verified_at = tls_rules_now(c->rules);
    X509_STORE_CTX_set_error(xctx, X509_V_OK);
    return true;
}

static void remember(const struct check *c, X509_STORE_CTX *xctx)
{
    if (c->rules->verified == NULL || c->conn == NULL)
        return;
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(xctx);
    struct tls_proof p = {.verified_at = tls_rules_now(c->rules),
                          .not_before = tls_time(X509_get0_notBefore(sk_X509_value(chain, 0))),
                          .issuers_until = INT64_MAX,
                          .peer = c->conn->info.peer};
    for (int i = 1; i < sk_X509_num(chain); i++) {
        int64_t until = tls_time(X509_get0_notAfter(sk_X509_value(chain, i)));
        p.issuers_until = until < p.issuers_until ? until : p.issuers_until;
    }
    tls_verified_keep(c->rules->verified, c->rules->scope, &p);
}

/* Keeps the identity, and drops the chain, which would cost memory for as long as the connection lives. */
static bool keep_peer(struct check *c, X509_STORE_CTX *xctx)
{
    struct err e;
    if (c->conn == NULL)
        return true;
    if (tls_peer_from_chain(X509_STORE_CTX_get0_chain(xctx), c->expired, &c->conn->info.peer, &e) != 0) {
        X509_STORE_CTX_set_error(xctx, X509_V_ERR_APPLICATION_VERIFICATION);
        refuse(c, "%s", e.text);
        return false;
    }
    c->conn->verified_at = tls_rules_now(c->rules);
    remember(c, xctx);
    X509_STORE_CTX_set0_verified_chain(xctx, NULL);
    return true;
}

int tls_verify_peer(X509_STORE_CTX *xctx, void *arg)
{
    struct check c = {.rules = arg};
    const SSL *ssl = X509_STORE_CTX_get_ex_data(xctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    c.conn = tls_conn_of(ssl);
    if (recall(&c, xctx))
        return 1;
    if (tls_rules_clock_is_behind(c.rules))
        X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(xctx), (time_t)c.rules->clock_floor);
    X509_STORE_CTX_set_app_data(xctx, &c);
    X509_STORE_CTX_set_verify_cb(xctx, on_problem);
    int ok = X509_verify_cert(xctx);
    if (ok <= 0) {
        if (X509_STORE_CTX_get_error(xctx) == X509_V_OK)
            X509_STORE_CTX_set_error(xctx, X509_V_ERR_UNSPECIFIED);
        explain(&c, xctx);
    }
    ok = ok > 0 && check_chain(&c, xctx) && keep_peer(&c, xctx);
    X509_STORE_CTX_set_app_data(xctx, NULL);
    X509_STORE_CTX_set_verify_cb(xctx, NULL);
    return ok;
}
