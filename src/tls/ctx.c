/* Makes and configures SSL_CTXs: nothing else in the product does. */
#include "tls/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tls/channel.h"
#include "tls/crypto.h"
#include "tls/errtext.h"
#include "tls/keyload.h"
#include "tls/own_cert.h"
#include "tls/session_store.h"
#include "tls/sessions.h"
#include "tls/tls_impl.h"
#include "tls/verified.h"
#include "tls/verify.h"

#define CHAIN_DEPTH_MAX 4   /* CA certificates between leaf and root */
#define SECURITY_LEVEL 2    /* of OpenSSL: 112 bits; set so that no OPENSSL_CONF lowers it */
#define CERT_LIST_MAX 65536 /* bytes of a peer's certificate message */

CLEANUP_DEFINE(rules, struct tls_rules, tls_rules_free);
CLEANUP_DEFINE(tls_ctx, struct tls_ctx, tls_ctx_free);
CLEANUP_DEFINE(store, X509_STORE, X509_STORE_free);
CLEANUP_DEFINE(md_ctx, EVP_MD_CTX, EVP_MD_CTX_free);

/* OpenSSL's slots for what belongs to a context and to a connection: the one thing that is process-wide. */
static pthread_once_t slots_once = PTHREAD_ONCE_INIT;
static int rules_slot = -1, conn_slot = -1;

static void free_rules_slot(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
    (void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
    tls_rules_free(ptr);
}

static void make_slots(void)
{
    rules_slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_rules_slot);
    conn_slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

const struct tls_rules *tls_rules_of(const SSL_CTX *ssl_ctx)
{
    return rules_slot >= 0 ? SSL_CTX_get_ex_data(ssl_ctx, rules_slot) : NULL;
}

struct tls_conn *tls_conn_of(const SSL *ssl)
{
    return ssl != NULL && conn_slot >= 0 ? SSL_get_ex_data(ssl, conn_slot) : NULL;
}

int tls_conn_tie(SSL *ssl, struct tls_conn *conn)
{
    return SSL_set_ex_data(ssl, conn_slot, conn) == 1 ? 0 : ERR_NOMEM;
}

int tls_rules_tie(SSL_CTX *ssl_ctx, struct tls_rules *rules)
{
    pthread_once(&slots_once, make_slots);
    struct tls_rules *old = rules_slot >= 0 ? SSL_CTX_get_ex_data(ssl_ctx, rules_slot) : NULL;
    if (rules_slot < 0 || conn_slot < 0 || SSL_CTX_set_ex_data(ssl_ctx, rules_slot, rules) != 1) {
        tls_rules_free(rules);
        return ERR_NOMEM;
    }
    tls_rules_free(old);
    return 0;
}

void tls_rules_free(struct tls_rules *rules)
{
    if (rules == NULL)
        return;
    tls_sessions_free(rules->sessions);
    tls_verified_free(rules->verified);
    free(rules->ca_file);
    free(rules);
}

static int openssl_error(struct err *e, const char *what)
{
    char reason[TLS_REASON_MAX];
    return err_set(e, ERR_CRYPTO, "%s: %s", what, tls_reason(reason));
}

static int check_config(const struct tls_config *c, struct err *e)
{
    if (c->role == TLS_CLIENT && c->verify != TLS_VERIFY_REQUIRE)
        return err_set(e, ERR_INVALID,
                       "a client always verifies the server: the setting for that is the server's");
    if (c->ca_file == NULL && (c->role == TLS_CLIENT || c->verify != TLS_INSECURE_NO_VERIFY))
        return err_set(e, ERR_INVALID, "no CA file is given, so no %s could be verified",
                       c->role == TLS_CLIENT ? "server" : "client");
    if (c->role == TLS_SERVER && (c->cert_file == NULL || c->key_file == NULL))
        return err_set(e, ERR_INVALID, "a server needs a certificate file and a key file");
    if ((c->cert_file == NULL) != (c->key_file == NULL) ||
        (c->second_cert_file == NULL) != (c->second_key_file == NULL))
        return err_set(e, ERR_INVALID, "a certificate file and a key file are given together or not at all");
    if (c->role == TLS_CLIENT && c->second_cert_file != NULL)
        return err_set(e, ERR_INVALID, "a second certificate is for servers");
    if (c->role == TLS_CLIENT && (c->sessions != NULL || c->verified != NULL))
        return err_set(e, ERR_INVALID, "the stores of sessions and of verified certificates are for servers");
    return 0;
}

static int set_algorithms(SSL_CTX *ssl, const struct tls_algs *algs, struct err *e)
{
    const struct tls_policy *p = algs->policy;
    int least = p->tls12_ciphers != NULL ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
    bool ok = SSL_CTX_set_min_proto_version(ssl, least) &&
              SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) &&
              SSL_CTX_set_ciphersuites(ssl, p->ciphersuites) &&
              (p->tls12_ciphers == NULL || SSL_CTX_set_cipher_list(ssl, p->tls12_ciphers));
    if (!ok)
        return openssl_error(e, "OpenSSL refuses the policy's versions or ciphers");
    if (!SSL_CTX_set1_groups_list(ssl, algs->groups)) {
        char reason[TLS_REASON_MAX];
        return err_set(e, ERR_CRYPTO, "OpenSSL refuses the key exchanges %s (%s): is it 3.5 or newer?",
                       algs->groups, tls_reason(reason));
    }
    if (!SSL_CTX_set1_sigalgs_list(ssl, algs->sigalgs) ||
        !SSL_CTX_set1_client_sigalgs_list(ssl, algs->sigalgs)) {
        char reason[TLS_REASON_MAX];
        return err_set(e, ERR_CRYPTO, "OpenSSL refuses the signatures %s (%s): is it 3.5 or newer?",
                       algs->sigalgs, tls_reason(reason));
    }
    return 0;
}

static void set_behaviour(SSL_CTX *ssl)
{
    SSL_CTX_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TX_CERTIFICATE_COMPRESSION |
                                 SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
    /* A cut connection must not look like an end, whatever a configuration file or library set. */
    SSL_CTX_clear_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_LEGACY_SERVER_CONNECT |
                                   SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
    SSL_CTX_set_max_early_data(ssl, 0);
    SSL_CTX_set_recv_max_early_data(ssl, 0);
    SSL_CTX_set_max_cert_list(ssl, CERT_LIST_MAX);
}

bool tls_is_ip(const char *host)
{
    unsigned char ip[16];
    return inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

int tls_set_host(X509_VERIFY_PARAM *param, const char *host)
{
    /* RFC 9525: names are in the SAN; a wildcard stands for one whole label; the CN is no name. */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (tls_is_ip(host))
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1 ? 0 : ERR_CRYPTO;
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 ? 0 : ERR_CRYPTO;
}

static int set_verification(SSL_CTX *ssl, const struct tls_config *c, const struct tls_rules *rules,
                            unsigned char roots_digest[SHA256_SIZE], struct err *e)
{
    int mode = SSL_VERIFY_NONE;
    if (c->verify == TLS_VERIFY_REQUIRE)
        mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    else if (c->verify == TLS_VERIFY_OPTIONAL)
        mode = SSL_VERIFY_PEER;
    CLEANUP(store_cleanup) X509_STORE *roots = NULL;
    if (c->ca_file != NULL) {
        int rc = tls_load_roots(c->ca_file, &roots, roots_digest, e);
        if (rc != 0)
            return rc;
        SSL_CTX_set_cert_store(ssl, take_ptr(roots));
    }
    SSL_CTX_set_verify(ssl, mode, NULL);
    SSL_CTX_set_verify_depth(ssl, CHAIN_DEPTH_MAX);
    /* The rules end with the context, so the callback never sees them gone; it only reads. */
    SSL_CTX_set_cert_verify_callback(ssl, tls_verify_peer, (void *)(uintptr_t)rules);
    if (c->host != NULL && tls_set_host(SSL_CTX_get0_param(ssl), c->host) != 0)
        return openssl_error(e, "cannot set the host name to check");
    return 0;
}

/* What a session of this context stands on. */
static int set_scope(SSL_CTX *ssl, const struct tls_config *c, struct tls_rules *rules,
                     const unsigned char roots_digest[SHA256_SIZE], struct err *e)
{
    char text[3 * TLS_ALG_LIST_MAX];
    int n = snprintf(text, sizeof text, "%s|%s|%s|%d|%d|", rules->algs.policy->name, rules->algs.groups,
                     rules->algs.sigalgs, (int)c->verify, c->accept_expired_peer);
    CLEANUP(md_ctx_cleanup) EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md != NULL && n > 0 && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
              EVP_DigestUpdate(md, text, (size_t)n) && EVP_DigestUpdate(md, roots_digest, SHA256_SIZE) &&
              EVP_DigestFinal_ex(md, rules->scope, NULL) &&
              SSL_CTX_set_session_id_context(ssl, rules->scope, sizeof rules->scope);
    return ok ? 0 : openssl_error(e, "cannot set the scope of sessions");
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                   unsigned in_n, void *arg)
{
    (void)ssl;
    const unsigned char *own = arg;
    unsigned char *match = NULL;
    if (SSL_select_next_proto(&match, out_n, own, own[0] + 1U, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2 */
    *out = match;
    return SSL_TLSEXT_ERR_OK;
}

static int set_alpn(SSL_CTX *ssl, const char *alpn, struct tls_rules *rules, struct err *e)
{
    size_t n = alpn != NULL ? strlen(alpn) : 0;
    if (n == 0)
        return 0;
    if (n >= sizeof rules->alpn)
        return err_set(e, ERR_INVALID, "the application protocol name \"%s\" is too long", alpn);
    rules->alpn[0] = (unsigned char)n;
    memcpy(rules->alpn + 1, alpn, n);
    if (rules->role == TLS_SERVER)
        SSL_CTX_set_alpn_select_cb(ssl, on_alpn, rules->alpn);
    else if (SSL_CTX_set_alpn_protos(ssl, rules->alpn, (unsigned)n + 1) != 0)
        return openssl_error(e, "cannot set the application protocol");
    return 0;
}

static int make_rules(SSL_CTX *ssl, const struct tls_config *c, struct tls_rules **out, struct err *e)
{
    CLEANUP(rules_cleanup) struct tls_rules *rules = calloc(1, sizeof *rules);
    if (rules == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a TLS context");
    int rc = tls_algs_resolve(c->policy, c->kem, c->sig, &rules->algs, e);
    if (rc != 0)
        return rc;
    rules->role = c->role;
    rules->accept_expired_peer = c->accept_expired_peer && c->role == TLS_SERVER;
    rules->clock_floor = c->clock_floor;
    rules->read_ahead = c->read_ahead;
    rules->hold_ticket = c->hold_ticket;
    rules->sessions = tls_sessions_ref(c->sessions);
    rules->verified = tls_verified_ref(c->verified);
    if (c->ca_file != NULL && (rules->ca_file = strdup(c->ca_file)) == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a TLS context");
    struct tls_rules *tied = rules;
    if (tls_rules_tie(ssl, take_ptr(rules)) != 0)
        return err_set(e, ERR_NOMEM, "no memory for a TLS context");
    *out = tied;
    return 0;
}

/* The second first: the last one loaded is the one that SSL_CTX_get0_certificate answers. OpenSSL keeps one
   of each kind of key. */
static int use_own_certs(SSL_CTX *ssl, const struct tls_config *c, const struct tls_rules *rules,
                         struct err *e)
{
    if (c->second_cert_file == NULL)
        return tls_use_own_cert(ssl, c, rules, e);
    struct tls_config second = *c;
    second.cert_file = c->second_cert_file;
    second.key_file = c->second_key_file;
    int rc = tls_use_own_cert(ssl, &second, rules, e);
    const char *kind =
        rc == 0 ? tls_key_signature_name(X509_get0_pubkey(SSL_CTX_get0_certificate(ssl))) : NULL;
    if (rc == 0)
        rc = tls_use_own_cert(ssl, c, rules, e);
    if (rc == 0 && strcmp(kind, tls_key_signature_name(X509_get0_pubkey(SSL_CTX_get0_certificate(ssl)))) == 0)
        rc = err_set(e, ERR_INVALID,
                     "the certificates %s and %s are of one kind, %s: the second serves nobody", c->cert_file,
                     c->second_cert_file, kind);
    return rc;
}

/* Everything that is the same for our own contexts and those another library made. */
static int apply(SSL_CTX *ssl, const struct tls_config *c, struct tls_rules **out, struct err *e)
{
    unsigned char roots_digest[SHA256_SIZE] = {0};
    struct tls_rules *rules = NULL;
    int rc = check_config(c, e);
    if (rc == 0)
        rc = make_rules(ssl, c, &rules, e);
    if (rc == 0)
        rc = set_algorithms(ssl, &rules->algs, e);
    if (rc != 0)
        return rc;
    set_behaviour(ssl);
    rc = set_verification(ssl, c, rules, roots_digest, e);
    if (rc == 0)
        rc = set_scope(ssl, c, rules, roots_digest, e);
    if (rc == 0)
        rc = set_alpn(ssl, c->alpn, rules, e);
    if (rc == 0 && c->cert_file != NULL)
        rc = use_own_certs(ssl, c, rules, e);
    if (rc == 0)
        *out = rules;
    return rc;
}

int tls_ssl_ctx_apply(SSL_CTX *ssl_ctx, const struct tls_config *config, struct err *e)
{
    struct tls_rules *rules;
    if (config->role != TLS_CLIENT)
        return err_set(e, ERR_INVALID, "only a client configuration goes onto another library's context");
    ERR_clear_error();
    return apply(ssl_ctx, config, &rules, e);
}

int tls_ctx_new(const struct tls_config *config, struct tls_ctx **out, struct err *e)
{
    ERR_clear_error();
    CLEANUP(tls_ctx_cleanup) struct tls_ctx *ctx = calloc(1, sizeof *ctx);
    if (ctx == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a TLS context");
    atomic_init(&ctx->refs, 1);
    if (tls_remember_init(&ctx->remember) != 0) {
        free(take_ptr(ctx));
        return err_set(e, ERR_NOMEM, "no memory for a TLS context");
    }
    ctx->io_method = tls_io_method();
    int rc = tls_crypto_query(config->crypto, &ctx->query, e);
    if (rc != 0)
        return rc;
    const SSL_METHOD *method = config->role == TLS_SERVER ? TLS_server_method() : TLS_client_method();
    ctx->ssl = SSL_CTX_new_ex(NULL, ctx->query, method);
    if (ctx->io_method == NULL || ctx->ssl == NULL)
        return openssl_error(e, "cannot make a TLS context");
    struct tls_rules *rules = NULL;
    rc = apply(ctx->ssl, config, &rules, e);
    if (rc != 0)
        return rc;
    if (config->role == TLS_SERVER) {
        tls_channel_attach(ctx->ssl);
        rc = tls_suites_new(&ctx->suites, e);
        if (rc == 0)
            rc = tls_sessions_attach(rules->sessions, ctx->ssl, e);
    } else if (config->remember) {
        tls_remember_attach(ctx->ssl);
    } else {
        SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
    }
    if (rc != 0)
        return rc;
    ctx->rules = rules;
    X509 *own = SSL_CTX_get0_certificate(ctx->ssl);
    if (own != NULL)
        snprintf(ctx->signature, sizeof ctx->signature, "%s", tls_key_signature_name(X509_get0_pubkey(own)));
    *out = take_ptr(ctx);
    return 0;
}

struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx)
{
    if (ctx != NULL)
        atomic_fetch_add(&ctx->refs, 1);
    return ctx;
}

void tls_ctx_free(struct tls_ctx *ctx)
{
    if (ctx == NULL || atomic_fetch_sub(&ctx->refs, 1) != 1)
        return;
    SSL_CTX_free(ctx->ssl);
    tls_suites_free(ctx->suites);
    tls_remember_fini(&ctx->remember);
    BIO_meth_free(ctx->io_method);
    free(ctx);
}

SSL_CTX *tls_ctx_ssl(struct tls_ctx *ctx)
{
    return ctx->ssl;
}
