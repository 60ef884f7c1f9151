#include "tls/errtext.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "tls/tls_impl.h"

#define NAMES_MAX 160
#define NAMED_AT_MOST 12 /* offers of a peer that an error text lists */

const char *tls_reason(char out[TLS_REASON_MAX])
{
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char *reason = ERR_reason_error_string(code);
    if (code == 0)
        snprintf(out, TLS_REASON_MAX, "OpenSSL gives no reason");
    else if (ERR_SYSTEM_ERROR(code))
        snprintf(out, TLS_REASON_MAX, "%s", strerror(ERR_GET_REASON(code)));
    else if (reason != NULL)
        snprintf(out, TLS_REASON_MAX, "%s", reason);
    else
        ERR_error_string_n(code, out, TLS_REASON_MAX);
    return out;
}

/* What OpenSSL's reason means here. "%s" is the peer: "client" or "server". */
static const struct meaning {
    int reason;
    int code;
    const char *text;
} meanings[] = {
    {SSL_R_HTTP_REQUEST, ERR_INVALID, "the %s speaks plain HTTP on a TLS port"},
    {SSL_R_HTTPS_PROXY_REQUEST, ERR_INVALID, "the %s took this for a web proxy (CONNECT) on a TLS port"},
    {SSL_R_WRONG_VERSION_NUMBER, ERR_INVALID, "what the %s sent is not TLS"},
    {SSL_R_BAD_RECORD_TYPE, ERR_INVALID, "what the %s sent is not TLS"},
    {SSL_R_UNEXPECTED_MESSAGE, ERR_INVALID, "the %s sent a TLS message that does not belong here"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, ERR_INVALID, "what the %s sent is not TLS (a record over the limit)"},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, ERR_TOO_LARGE, "the %s sent a handshake message over the limit"},
    {SSL_R_LENGTH_MISMATCH, ERR_INVALID, "the %s sent a malformed TLS message"},
    {SSL_R_LENGTH_TOO_SHORT, ERR_INVALID, "the %s sent a malformed TLS message"},
    {SSL_R_BAD_EXTENSION, ERR_INVALID, "the %s sent a malformed TLS message"},
    {SSL_R_UNSUPPORTED_PROTOCOL, ERR_UNSUPPORTED, "the %s speaks no TLS 1.3"},
    {SSL_R_WRONG_SSL_VERSION, ERR_UNSUPPORTED, "the %s speaks no TLS 1.3"},
    {SSL_R_NO_SHARED_CIPHER, ERR_UNSUPPORTED, "the %s offers no cipher that is allowed here"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, ERR_UNAUTHENTICATED,
     "the %s showed no certificate, and one is demanded here (or it has none of an algorithm allowed here)"},
    {SSL_R_WRONG_SIGNATURE_TYPE, ERR_UNSUPPORTED, "the %s signs with an algorithm that is not allowed here"},
    {SSL_R_BAD_SIGNATURE, ERR_UNAUTHENTICATED,
     "the %s's signature is wrong: it does not hold its certificate's key"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, ERR_INVALID, "a record from the %s was damaged or forged"},
    {SSL_R_NO_APPLICATION_PROTOCOL, ERR_UNSUPPORTED, "the %s asks for no application protocol spoken here"},
    {SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, ERR_UNSUPPORTED, "the %s's TLS is too old"},
    /* Alerts: the peer tells why it refused us (RFC 8446 section 6.2). */
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, ERR_UNSUPPORTED,
     "the %s refuses: it accepts none of the key exchanges or signatures offered here"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, ERR_UNSUPPORTED, "the %s refuses TLS 1.3"},
    {SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, ERR_UNSUPPORTED, "the %s refuses: too weak for it"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, ERR_UNAUTHENTICATED,
     "the %s demands a certificate, and none (of an algorithm it accepts) was shown to it"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, ERR_UNAUTHENTICATED,
     "the %s refuses our certificate: it does not trust the CA that issued it"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, ERR_UNAUTHENTICATED,
     "the %s refuses our certificate: expired by its clock"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, ERR_UNAUTHENTICATED, "the %s refuses our certificate: revoked"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, ERR_UNAUTHENTICATED,
     "the %s refuses our certificate (not yet valid by its clock, or damaged)"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, ERR_UNAUTHENTICATED,
     "the %s refuses our certificate: not meant for this (extended key usage)"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, ERR_UNAUTHENTICATED, "the %s refuses our certificate"},
    {SSL_R_TLSV1_ALERT_DECRYPT_ERROR, ERR_UNAUTHENTICATED, "the %s found our signature wrong"},
    {SSL_R_TLSV1_ALERT_ACCESS_DENIED, ERR_DENIED, "the %s denies access"},
    {SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL, ERR_UNSUPPORTED,
     "the %s speaks none of the application protocols asked for"},
    {SSL_R_TLSV1_ALERT_INTERNAL_ERROR, ERR_BUSY,
     "the %s is too busy for this connection, or met an error of its own (internal_error): try again later"},
};

static const char *peer_word(const struct tls_conn *conn)
{
    return conn->ctx->rules->role == TLS_SERVER ? "client" : "server";
}

static void add_name(char out[NAMES_MAX], const char *name, unsigned code)
{
    size_t n = strlen(out);
    const char *comma = n > 0 ? ", " : "";
    if (name != NULL)
        snprintf(out + n, NAMES_MAX - n, "%s%s", comma, name);
    else
        snprintf(out + n, NAMES_MAX - n, "%s0x%04x", comma, code);
}

static const char *offered_groups(SSL *ssl, char out[NAMES_MAX])
{
    uint16_t *ids = NULL;
    long n = SSL_get0_iana_groups(ssl, &ids);
    out[0] = '\0';
    for (long i = 0; i < n && i < NAMED_AT_MOST; i++)
        add_name(out, SSL_group_to_name(ssl, TLSEXT_nid_unknown | ids[i]), ids[i]);
    return out[0] != '\0' ? out : "none";
}

static const char *offered_signatures(SSL *ssl, char out[NAMES_MAX])
{
    int n = SSL_get_sigalgs(ssl, -1, NULL, NULL, NULL, NULL, NULL);
    out[0] = '\0';
    for (int i = 0; i < n && i < NAMED_AT_MOST; i++) {
        unsigned char low = 0, high = 0;
        (void)SSL_get_sigalgs(ssl, i, NULL, NULL, NULL, &low, &high);
        unsigned code = (unsigned)high << 8 | low;
        add_name(out, tls_sigalg_name(code), code);
    }
    return out[0] != '\0' ? out : "none";
}

static bool is_group_problem(int reason)
{
    return reason == SSL_R_NO_SUITABLE_KEY_SHARE || reason == SSL_R_NO_SUITABLE_GROUPS ||
           reason == SSL_R_NO_SHARED_GROUPS;
}

static bool is_signature_problem(int reason)
{
    return reason == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM || reason == SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS;
}

static void say_reason(struct tls_conn *conn, struct err *e)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    const char *peer = peer_word(conn);
    char names[NAMES_MAX];
    if (is_group_problem(reason)) {
        bool classical = conn->ctx->rules->algs.policy->tls12_ciphers != NULL;
        err_set(e, ERR_UNSUPPORTED,
                "the %s offers no %skey exchange that is allowed here (offered: %s; allowed: %s)", peer,
                classical ? "" : "post-quantum ", offered_groups(conn->ssl, names),
                conn->ctx->rules->algs.groups);
        return;
    }
    if (is_signature_problem(reason)) {
        err_set(e, ERR_UNSUPPORTED,
                "the %s accepts no signature of this side's certificate (accepted: %s; ours: %s)", peer,
                offered_signatures(conn->ssl, names), conn->ctx->signature);
        return;
    }
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].reason != reason)
            continue;
        char text[ERR_TEXT_MAX];
        const char *at = strstr(meanings[i].text, "%s");
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - meanings[i].text), meanings[i].text, peer, at + 2);
        err_set(e, meanings[i].code, "%s", text);
        return;
    }
    char out[TLS_REASON_MAX];
    err_set(e, ERR_CRYPTO, "TLS failed with the %s: %s", peer, tls_reason(out));
}

static const char *doing(const struct tls_conn *conn)
{
    return conn->state == TLS_OPEN
               ? "without saying goodbye (no close_notify): what was received may be cut short"
               : "in the middle of the handshake";
}

enum tls_step tls_fail(struct tls_conn *conn, int ssl_error, struct err *e)
{
    unsigned long code = ERR_peek_error();
    if (conn->refusal != NULL)
        err_set(e, ERR_UNAUTHENTICATED, "%s", conn->refusal);
    else if (code == 0 && (conn->io.eof || ssl_error == SSL_ERROR_ZERO_RETURN ||
                           (conn->io.error == 0 && ssl_error == SSL_ERROR_SYSCALL)))
        err_set(e, ERR_IO, "the %s closed the connection %s", peer_word(conn), doing(conn));
    else if (conn->io.error != 0)
        err_errno(e, conn->io.error, "the connection to the %s was lost", peer_word(conn));
    else
        say_reason(conn, e);
    ERR_clear_error();
    conn->state = TLS_BROKEN;
    return TLS_FAILED;
}
