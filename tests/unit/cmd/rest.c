#include "cmd/rest.h"

#include <curl/curl.h>

#include "check.h"

static const struct profile profile = {.path = "/p/profile",
                                       .dir = "/p",
                                       .server = "https://ota:8443",
                                       .certificate = "/nonexistent/op.pem",
                                       .key = "/p/op.key",
                                       .ca = "/p/server-ca.pem"};

static void paths(void **state)
{
    (void)state;
    auto_buf struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(buf_printf(&b, "/api/devices"), 0);
    assert_int_equal(rest_add_segment(&b, "gw:1 a/b?c#d%e\xc3\xbc"), 0);
    assert_string_equal(b.p, "/api/devices/gw%3A1%20a%2Fb%3Fc%23d%25e%C3%BC");
    assert_int_equal(rest_add_query(&b, "none", NULL), 0);
    assert_int_equal(rest_add_query(&b, "notes", "a&b=c+d"), 0);
    assert_int_equal(rest_add_query(&b, "model", "x"), 0);
    assert_string_equal(b.p, "/api/devices/gw%3A1%20a%2Fb%3Fc%23d%25e%C3%BC?notes=a%26b%3Dc%2Bd&model=x");
}

/* "device show .." must not become a question about another resource. */
static void no_steps_in_paths(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", ".."};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        auto_buf struct buf b;
        buf_init(&b, 4096);
        assert_int_equal(rest_add_segment(&b, bad[i]), ERR_INVALID);
    }
    auto_buf struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(rest_add_segment(&b, "..."), 0);
}

static void paths_are_bounded(void **state)
{
    (void)state;
    auto_buf struct buf b;
    buf_init(&b, 16);
    assert_int_equal(rest_add_query(&b, "notes", "something that is longer"), ERR_TOO_LARGE);
}

static void statuses(void **state)
{
    (void)state;
    static const struct {
        long status;
        int code;
        const char *body, *text;
    } rows[] = {
        {400, ERR_INVALID, "{\"title\":\"Bad Request\",\"detail\":\"limit must be 1 to 500\"}",
         "the server refused: limit must be 1 to 500 (400)"},
        {401, ERR_UNAUTHENTICATED, "{\"detail\":\"no certificate\"}",
         "the server refused: no certificate (401)"},
        {401, ERR_UNAUTHENTICATED, "", "the server refused (401); is this credential revoked"},
        {403, ERR_DENIED, "{\"title\":\"Forbidden\"}",
         "the server refused: Forbidden (403); an operator with"},
        {404, ERR_NOT_FOUND, "", "the server refused (404)"},
        {409, ERR_CONFLICT, "{\"detail\":\"version exists\"}", "the server refused: version exists (409)"},
        {410, ERR_GONE, "<html>", "the server refused (410)"},
        {413, ERR_TOO_LARGE, "{}", "the server refused (413)"},
        {422, ERR_MISMATCH, "{\"detail\":7}", "the server refused (422)"},
        {500, ERR_INTERNAL, "{\"detail\":\"boom\"}",
         "the server failed: boom (500); the server's log says more"},
        {503, ERR_BUSY, "{\"detail\":\"busy\"}", "the server failed: busy (503); try again in a moment"},
        {507, ERR_FULL, "{\"detail\":\"full\"}", "the server failed: full (507); make room"},
        {302, ERR_UNSUPPORTED, "", "the server sends elsewhere (302)"},
        {400, ERR_INVALID, "{\"detail\":\"a\\u001b[2Jb\"}", "the server refused: a\\x1b[2Jb (400)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err e = {0};
        assert_int_equal(rest_explain_status(rows[i].status, str_of(rows[i].body), &e), rows[i].code);
        if (strncmp(e.text, rows[i].text, strlen(rows[i].text)) != 0)
            fail_msg("row %zu: %s", i, e.text);
    }
}

static void long_details_are_cut(void **state)
{
    (void)state;
    char body[4096];
    memset(body, 'x', sizeof body);
    memcpy(body, "{\"detail\":\"", 11);
    memcpy(body + sizeof body - 3, "\"}", 3);
    struct err e = {0};
    assert_int_equal(rest_explain_status(409, str_of(body), &e), ERR_CONFLICT);
    assert_non_null(strstr(e.text, " (409)"));
}

static void connections(void **state)
{
    (void)state;
    static const struct {
        int curl_code;
        const char *detail, *tls;
        int code;
        const char *part;
    } rows[] = {
        {CURLE_COULDNT_CONNECT, "", NULL, ERR_IO, "is the server running"},
        {CURLE_COULDNT_RESOLVE_HOST, "", NULL, ERR_IO, "is not known"},
        {CURLE_OPERATION_TIMEDOUT, "", NULL, ERR_TIMEOUT, "did not answer in time"},
        {CURLE_PEER_FAILED_VERIFICATION, "certificate has expired", NULL, ERR_IO,
         "has expired; renew it on the server"},
        {CURLE_PEER_FAILED_VERIFICATION, "certificate is not yet valid", NULL, ERR_IO, "clock"},
        {CURLE_PEER_FAILED_VERIFICATION,
         "SSL: no alternative certificate subject name matches target host name 'x'", NULL, ERR_IO,
         "for another name"},
        {CURLE_PEER_FAILED_VERIFICATION, "unable to get local issuer certificate", NULL, ERR_IO,
         "no root in /p/server-ca.pem vouches for"},
        {CURLE_SSL_CONNECT_ERROR, "tls alert handshake failure", NULL, ERR_CRYPTO,
         "share no post-quantum TLS 1.3"},
        {CURLE_SSL_CONNECT_ERROR, "tlsv1 alert protocol version", NULL, ERR_CRYPTO,
         "share no post-quantum TLS 1.3"},
        {CURLE_SSL_CONNECT_ERROR, "bad record", NULL, ERR_CRYPTO, "no TLS with https://ota:8443: bad record"},
        {CURLE_RECV_ERROR, "tlsv1 alert unknown ca", NULL, ERR_UNAUTHENTICATED,
         "does not take the certificate"},
        {CURLE_RECV_ERROR, "Connection reset by peer", NULL, ERR_IO, "broke (Connection reset by peer)"},
        {CURLE_SSL_CERTPROBLEM, "", "cannot open /p/op.key", ERR_CRYPTO,
         "cannot be used: cannot open /p/op.key"},
        {CURLE_GOT_NOTHING, "", NULL, ERR_IO, "closed the connection without an answer"},
        {CURLE_PARTIAL_FILE, "", NULL, ERR_IO, "in the middle of the answer"},
        {CURLE_UNSUPPORTED_PROTOCOL, "", NULL, ERR_IO, "failed: Unsupported protocol"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err e = {0};
        assert_int_equal(rest_explain_curl(rows[i].curl_code, rows[i].detail, rows[i].tls, &profile, &e),
                         rows[i].code);
        if (strstr(e.text, rows[i].part) == NULL)
            fail_msg("row %zu: %s", i, e.text);
    }
}

/* A real refusal by the system: nothing listens on port 1 of this machine. */
static void nobody_answers(void **state)
{
    (void)state;
    struct profile p = profile;
    p.server = "https://127.0.0.1:1";
    struct rest *r = NULL;
    struct err e = {0};
    yyjson_doc *doc = NULL;
    assert_int_equal(rest_new(&p, &r, &e), 0);
    int rc = rest_call(r, "GET", "/api/status", NULL, &doc, &e);
    /* The credential does not exist either; whichever is found first, nothing was answered. */
    assert_int_not_equal(rc, 0);
    assert_null(doc);
    assert_true(rc == ERR_CRYPTO || rest_unanswered(r));
    rest_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(no_steps_in_paths),
        cmocka_unit_test(paths_are_bounded),
        cmocka_unit_test(statuses),
        cmocka_unit_test(long_details_are_cut),
        cmocka_unit_test(connections),
        cmocka_unit_test(nobody_answers),
    };
    return RUN(tests);
}
