/* What the tunnel carries, and what it does not. */
#include "bench.h"

#include "agent/tunnel_request.h"

#define LISTEN "127.0.0.1:8480"
#define B "/DEFAULT/controller/v1/gw-1"

static struct arena arena;
static struct tunnel_ask ask;
static int status;
static const char *allow;

static int begin(void **s)
{
    (void)s;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int end(void **s)
{
    (void)s;
    arena_fini(&arena);
    return 0;
}

static int read_it(enum http_method method, const char *path, const char *host, const char *origin,
                   bool local)
{
    static struct http_request req;
    struct err e = {0};
    http_request_init(&req);
    req.method = method;
    req.path = str_of(path);
    if (host != NULL)
        req.headers[req.header_count++] = (struct http_header){STR("Host"), str_of(host)};
    if (origin != NULL)
        req.headers[req.header_count++] = (struct http_header){STR("origin"), str_of(origin)};
    status = 0;
    int rc = tunnel_read_ask(&req, "gw-1", LISTEN, local, &arena, &ask, &status, &allow, &e);
    assert_true(rc == 0 || e.text[0] != '\0');
    return rc;
}

static void carried(enum http_method method, const char *path, enum tunnel_what what)
{
    if (read_it(method, path, "localhost:8480", NULL, false) != 0)
        fail_msg("%s is not carried", path);
    assert_int_equal(ask.what, what);
}

static void refused(enum http_method method, const char *path, int wanted)
{
    if (read_it(method, path, "localhost:8480", NULL, false) == 0)
        fail_msg("%s is carried", path);
    if (status != wanted)
        fail_msg("%s: %d, not %d", path, status, wanted);
}

static void the_protocol_is_carried(void **s)
{
    (void)s;
    carried(HTTP_GET, B, TUNNEL_SMALL);
    carried(HTTP_HEAD, "/default/controller/v1/gw-1", TUNNEL_SMALL);
    carried(HTTP_PUT, B "/configData", TUNNEL_SMALL);
    carried(HTTP_GET, B "/deploymentBase/17", TUNNEL_DEPLOYMENT);
    assert_true(str_is(ask.action, "17"));
    carried(HTTP_POST, B "/deploymentBase/17/feedback", TUNNEL_FEEDBACK);
    assert_true(str_is(ask.action, "17"));
    carried(HTTP_GET, B "/installedBase/16", TUNNEL_DEPLOYMENT);
    carried(HTTP_PUT, B "/installedBase", TUNNEL_SMALL);
    carried(HTTP_GET, B "/cancelAction/17", TUNNEL_SMALL);
    carried(HTTP_POST, B "/cancelAction/17/feedback", TUNNEL_SMALL);
    carried(HTTP_GET, B "/confirmationBase", TUNNEL_SMALL);
    carried(HTTP_GET, B "/confirmationBase/17", TUNNEL_DEPLOYMENT);
    carried(HTTP_POST, B "/confirmationBase/17/feedback", TUNNEL_SMALL);
    carried(HTTP_POST, B "/confirmationBase/activateAutoConfirm", TUNNEL_SMALL);
    carried(HTTP_POST, B "/confirmationBase/deactivateAutoConfirm", TUNNEL_SMALL);
    carried(HTTP_GET, B "/softwaremodules/3/artifacts", TUNNEL_SMALL);
    carried(HTTP_GET, B "/softwaremodules/3/artifacts/f%2B1.swu", TUNNEL_FILE);
    assert_true(str_is(ask.module, "3") && str_is(ask.filename, "f+1.swu"));
    carried(HTTP_HEAD, B "/softwaremodules/3/artifacts/f.swu", TUNNEL_FILE);
    carried(HTTP_GET, B "/softwaremodules/3/artifacts/f.swu.MD5SUM", TUNNEL_TEXT);
}

static void nothing_else_is(void **s)
{
    (void)s;
    refused(HTTP_GET, "/", 404);
    refused(HTTP_GET, "/api/update", 404);
    refused(HTTP_GET, "/rest/v1/targets", 404);
    refused(HTTP_GET, B "/", 404);
    refused(HTTP_GET, B "/x", 404);
    refused(HTTP_GET, "/DEFAULT/controller/v2/gw-1", 404);
    refused(HTTP_GET, "/../controller/v1/gw-1", 404);
    refused(HTTP_GET, B "/deploymentBase/..", 404);
    refused(HTTP_GET, B "/softwaremodules/3/artifacts/%2e%2e", 404);
    refused(HTTP_GET, B "/softwaremodules/3/artifacts/a%2Fb", 400);
    refused(HTTP_GET, B "/softwaremodules/3/artifacts/a%zz", 400);
    refused(HTTP_GET, "/DEFAULT/controller/v1/gw-2", 403);
    refused(HTTP_GET, "/DEFAULT/controller/v1/GW-1", 403);
    refused(HTTP_GET, "/DEFAULT/controller/v1/gw-2/softwaremodules/3/artifacts/f.swu", 403);
    refused(HTTP_POST, B, 405);
    assert_string_equal(allow, "GET, HEAD");
    refused(HTTP_DELETE, B "/deploymentBase/17", 405);
    refused(HTTP_OTHER, B "/configData", 405);
    assert_string_equal(allow, "PUT");
}

static void only_this_machine_is_answered(void **s)
{
    static const struct {
        const char *host;
        int status; /* 0: carried */
    } rows[] = {
        {"localhost", 0},       {"LocalHost:1", 0},    {"127.0.0.1", 0},           {"127.0.0.1:8480", 0},
        {"[::1]:8480", 0},      {"evil.example", 421}, {"evil.example:8480", 421}, {"localhost.evil", 421},
        {"127.evil:8480", 421}, {"a b", 400},          {"localhost/x", 400},       {"local\"host", 400},
    };
    (void)s;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int rc = read_it(HTTP_GET, B, rows[i].host, NULL, false);
        if ((rc == 0) != (rows[i].status == 0) || (rc != 0 && status != rows[i].status))
            fail_msg("%s: %d", rows[i].host, rc == 0 ? 0 : status);
    }
    assert_int_not_equal(read_it(HTTP_GET, B, "localhost", "null", false), 0);
    assert_int_equal(status, 403);
}

static void links_begin_as_the_client_came(void **s)
{
    (void)s;
    assert_int_equal(read_it(HTTP_GET, B, "localhost:8480", NULL, false), 0);
    assert_string_equal(ask.base_url, "http://localhost:8480");
    assert_int_equal(read_it(HTTP_GET, B, NULL, NULL, false), 0);
    assert_string_equal(ask.base_url, "http://" LISTEN);
    assert_int_equal(read_it(HTTP_GET, B, "updates", NULL, true), 0);
    assert_string_equal(ask.base_url, "http://updates");
    assert_int_equal(read_it(HTTP_GET, B, NULL, NULL, true), 0);
    assert_string_equal(ask.base_url, "http://localhost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_protocol_is_carried),
        cmocka_unit_test(nothing_else_is),
        cmocka_unit_test(only_this_machine_is_answered),
        cmocka_unit_test(links_begin_as_the_client_came),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
