/* What a person is told when the server refuses or cannot be reached. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "cmd/rest.h"
#include "cmd/text.h"
#include "pki/pki.h"

#define DETAIL_MAX 300 /* bytes of the server's own words that are shown */

static int code_of_status(long status)
{
    switch (status) {
    case 401:
        return ERR_UNAUTHENTICATED;
    case 403:
        return ERR_DENIED;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_CONFLICT;
    case 410:
        return ERR_GONE;
    case 408:
        return ERR_TIMEOUT;
    case 413:
    case 414:
    case 431:
        return ERR_TOO_LARGE;
    case 422:
        return ERR_MISMATCH;
    case 429:
    case 503:
        return ERR_BUSY;
    case 507:
        return ERR_FULL;
    default:
        return status >= 500 ? ERR_INTERNAL : ERR_INVALID;
    }
}

/* What to do, where the server's own words do not say it. */
static const char *advice_of_status(long status)
{
    switch (status) {
    case 401:
        return "; is this credential revoked, or of another server? `pqota operator list` shows those that "
               "count";
    case 403:
        return "; an operator with a higher role may do this";
    case 429:
    case 503:
        return "; try again in a moment";
    case 507:
        return "; make room on the server's disk";
    default:
        return status >= 500 ? "; the server's log says more" : "";
    }
}

int rest_explain_status(long status, struct str body, struct err *e)
{
    auto_json yyjson_doc *doc = NULL;
    struct str words = {0};
    if (json_parse_object(body, &doc, NULL) == 0) {
        yyjson_val *root = yyjson_doc_get_root(doc);
        yyjson_val *v = yyjson_obj_get(root, "detail");
        if (!yyjson_is_str(v) || yyjson_get_len(v) == 0)
            v = yyjson_obj_get(root, "title");
        if (yyjson_is_str(v))
            words = (struct str){.p = yyjson_get_str(v), .n = yyjson_get_len(v)};
    }
    if (words.n > DETAIL_MAX)
        words.n = DETAIL_MAX;
    auto_arena struct arena a;
    arena_init(&a, 16384);
    const char *shown = words.n > 0 ? text_escape(words, &a) : NULL;
    if (status >= 300 && status < 400)
        return err_set(e, ERR_UNSUPPORTED,
                       "the server sends elsewhere (%ld); put the right address into the profile", status);
    /* Why it does not know somebody the server says better, if it says something. */
    const char *advice = status == 401 && shown != NULL ? "" : advice_of_status(status);
    return err_set(e, code_of_status(status), "the server %s%s%s (%ld)%s",
                   status >= 500 ? "failed" : "refused", shown != NULL ? ": " : "",
                   shown != NULL ? shown : "", status, advice);
}

/* Our own certificate is the likeliest cause of a handshake that the server ends: look at it. */
static const char *own_certificate_state(const struct profile *p, char out[160])
{
    auto_buf struct buf pem;
    buf_init(&pem, PKI_PEM_MAX);
    struct pki_cert cert;
    out[0] = '\0';
    if (file_read(p->certificate, PKI_PEM_MAX, &pem, NULL) != 0 ||
        pki_cert_read(buf_str(&pem), &cert, NULL) != 0)
        return out;
    char when[CLOCK_TEXT_MAX];
    int64_t now = clock_unix_ms(&clock_system) / 1000;
    if (cert.not_after < now)
        snprintf(out, 160, "; it expired on %.10s: have an admin make another with `pqota operator add`",
                 clock_format(cert.not_after * 1000, when));
    else if (cert.not_before > now)
        snprintf(out, 160, "; it is valid from %.10s on: is this machine's clock right?",
                 clock_format(cert.not_before * 1000, when));
    return out;
}

static bool has(const char *text, const char *part)
{
    return text != NULL && strstr(text, part) != NULL;
}

static int explain_peer(const char *detail, const struct profile *p, struct err *e)
{
    if (has(detail, "expired"))
        return err_set(e, ERR_IO,
                       "the certificate of %s has expired; renew it on the server (or set this clock right)",
                       p->server);
    if (has(detail, "not yet valid"))
        return err_set(e, ERR_IO, "the certificate of %s is not valid yet: is this machine's clock right?",
                       p->server);
    if (has(detail, "subject name") || has(detail, "does not match") || has(detail, "host name"))
        return err_set(e, ERR_IO,
                       "the certificate of %s is for another name; use a name that it has, or give the "
                       "server a certificate for this one",
                       p->server);
    return err_set(e, ERR_IO,
                   "%s shows a certificate that no root in %s vouches for; if the server's CA is new, "
                   "fetch its roots anew (%s)",
                   p->server, p->ca, detail);
}

static int explain_tls(const char *detail, const char *tls, const struct profile *p, struct err *e)
{
    char own[160];
    if (tls != NULL)
        return err_set(e, ERR_CRYPTO, "the credential in %s cannot be used: %s", p->path, tls);
    if (has(detail, "handshake failure") || has(detail, "no suitable key share") ||
        has(detail, "bad key share") || has(detail, "protocol version") || has(detail, "no shared group"))
        return err_set(
            e, ERR_CRYPTO,
            "%s and this machine share no post-quantum TLS 1.3 (%s); is it a pqota server, and does its "
            "policy fit this profile's?",
            p->server, detail);
    if (has(detail, "alert"))
        return err_set(e, ERR_UNAUTHENTICATED, "%s does not take the certificate %s (%s)%s", p->server,
                       p->certificate, detail, own_certificate_state(p, own));
    return err_set(e, ERR_CRYPTO, "no TLS with %s: %s", p->server, detail);
}

int rest_explain_curl(int curl_code, const char *detail, const char *tls, const struct profile *p,
                      struct err *e)
{
    if (detail == NULL || *detail == '\0')
        detail = curl_easy_strerror((CURLcode)curl_code);
    if (tls != NULL)
        return explain_tls(detail, tls, p, e);
    switch (curl_code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(e, ERR_IO, "the name in %s is not known; check the address in %s", p->server, p->path);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return err_set(e, ERR_IO, "the proxy's name is not known; check https_proxy in the environment");
    case CURLE_COULDNT_CONNECT:
        return err_set(e, ERR_IO,
                       "nothing answers at %s; is the server running (`pqota serve`), and is that its "
                       "address?",
                       p->server);
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(e, ERR_TIMEOUT,
                       "%s did not answer in time; is it overloaded, or does something in between "
                       "drop the packets?",
                       p->server);
    case CURLE_PEER_FAILED_VERIFICATION:
        return explain_peer(detail, p, e);
    case CURLE_GOT_NOTHING:
        return err_set(e, ERR_IO, "%s closed the connection without an answer; its log may say why",
                       p->server);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
        return explain_tls(detail, NULL, p, e);
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        /* In TLS 1.3 the server's verdict on our certificate arrives with the first read. */
        if (has(detail, "alert"))
            return explain_tls(detail, NULL, p, e);
        return err_set(e, ERR_IO, "the connection to %s broke (%s); its log may say why", p->server, detail);
    case CURLE_PARTIAL_FILE:
        return err_set(e, ERR_IO, "%s closed the connection in the middle of the answer", p->server);
    default:
        return err_set(e, ERR_IO, "the request to %s failed: %s", p->server, detail);
    }
}
