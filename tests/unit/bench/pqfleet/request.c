#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "pqfleet/fleet.h"

static struct err e;

struct bench {
    struct options options;
    struct fleet *fleet;
    struct buf out;
};

static void begin(struct bench *b)
{
    *b = (struct bench){.options = {.devices = 3, .first = 7, .id_prefix = "fleet-", .seed = 1}};
    snprintf(b->options.authority, sizeof b->options.authority, "127.0.0.1:8080");
    b->fleet = calloc(1, sizeof *b->fleet);
    assert_non_null(b->fleet);
    b->fleet->options = b->fleet->sim.options = &b->options;
    b->fleet->units = calloc(3, sizeof *b->fleet->units);
    assert_non_null(b->fleet->units);
    for (uint32_t i = 0; i < 3; i++)
        device_init(&b->fleet->units[i].device, &b->fleet->sim, 7 + i);
    buf_init(&b->out, FLEET_REQUEST_MAX);
    buf_init(&b->fleet->tokens, 0);
}

static void end(struct bench *b)
{
    buf_fini(&b->out);
    buf_fini(&b->fleet->tokens);
    free(b->fleet->units);
    free(b->fleet);
}

static const char *request(struct bench *b, size_t unit, const struct ask *a)
{
    assert_int_equal(request_write(b->fleet, &b->fleet->units[unit], a, &b->out, &e), 0);
    return b->out.p;
}

static void bytes(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    b.options.gateway_token = "secret";
    struct ask get = {.method = "GET", .path = "/a?b=c"};
    assert_string_equal(request(&b, 0, &get),
                        "GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: pqfleet/" PQOTA_VERSION
                        "\r\nAuthorization: GatewayToken secret\r\n\r\n");
    struct ask post = {.method = "POST", .path = "/a", .body = "{\"a\":1}", .body_n = 7};
    assert_string_equal(request(&b, 0, &post),
                        "POST /a HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: pqfleet/" PQOTA_VERSION
                        "\r\nAuthorization: GatewayToken secret\r\nContent-Type: application/json\r\n"
                        "Content-Length: 7\r\n\r\n{\"a\":1}");
    end(&b);
}

/* printf fleet-0000007 | sha1sum */
static void as_a_proxy(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    b.options.issuer = "CN=pqota device CA 1a2b3c";
    struct ask get = {.method = "GET", .path = "/a"};
    const char *text = request(&b, 0, &get);
    if (strstr(text, "\r\nX_Pqota_Client: verify=SUCCESS; serial=f1ee2667aec7aa396ec8f24099845c0f; "
                     "sha1=2667aec7aa396ec8f24099845c0ff49d3973a499; "
                     "issuer=CN=pqota device CA 1a2b3c\r\n") == NULL)
        fail_msg("%s", text);
    end(&b);
}

static int read_tokens(struct bench *b, const char *text)
{
    char path[] = "/tmp/pqfleet-tokens-XXXXXX";
    auto_close int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, text, strlen(text), path, &e), 0);
    b->options.tokens_file = path;
    buf_fini(&b->fleet->tokens);
    buf_init(&b->fleet->tokens, 0);
    for (size_t i = 0; i < 3; i++)
        b->fleet->units[i].token = NULL;
    int rc = request_read_tokens(b->fleet, &e);
    unlink(path);
    b->options.tokens_file = NULL;
    return rc;
}

static void tokens(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    struct ask get = {.method = "GET", .path = "/a"};
    assert_int_equal(read_tokens(&b, "fleet-0000009 t9\nother-1 x\n\nfleet-0000007 t7\nfleet-0000010 t10\n"
                                     "fleet-0000008 t8"),
                     0);
    static const char *const want[] = {"TargetToken t7\r\n", "TargetToken t8\r\n", "TargetToken t9\r\n"};
    for (size_t i = 0; i < 3; i++)
        assert_non_null(strstr(request(&b, i, &get), want[i]));
    assert_int_equal(read_tokens(&b, "fleet-0000009 t9\nfleet-0000007 t7\n"), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "fleet-0000008"));
    static const char *const bad[] = {"fleet-0000007\n", "fleet-0000007 \n", "fleet-0000007 a b\n",
                                      "fleet-0000007 a\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(read_tokens(&b, bad[i]), ERR_INVALID);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes), cmocka_unit_test(as_a_proxy),
                                       cmocka_unit_test(tokens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
