#include "pqfleet/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ARGS_MAX 16

static struct err e;

/* The arguments, after the program's name, up to the first NULL. */
static int parse(const char *const *args, struct options *o)
{
    char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t)"pqfleet"};
    int argc = 1;
    while (args[argc - 1] != NULL) {
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
        argc++;
    }
    return options_parse(argc, argv, o, &e);
}

#define PARSE(o, ...) parse((const char *const[]){__VA_ARGS__, NULL}, o)

static void usual(void **state)
{
    (void)state;
    struct options o;
    assert_int_equal(PARSE(&o, "--gateway-token", "t"), 0);
    assert_true(o.protocol == PROTOCOL_DDI && !o.unix_socket && o.devices == 100 && o.first == 1);
    assert_string_equal(o.host, "127.0.0.1");
    assert_string_equal(o.port, "8080");
    assert_string_equal(o.authority, "127.0.0.1:8080");
    assert_string_equal(o.tenant, "DEFAULT");
    assert_true(o.rates.fail > 0.0499 && o.rates.fail < 0.0501 && o.rates.deny < 1e-9);
}

static void all(void **state)
{
    (void)state;
    struct options o;
    assert_int_equal(PARSE(&o, "--protocol=native", "--issuer=CN=pqota device CA 1a", "-n20", "--first=5",
                           "--fail=0.5", "--fall-back=0.5", "--vanish=0", "--hang=0", "--download=head",
                           "--server=unix:/run/pqota.sock", "--stay", "--seed=18446744073709551615"),
                     0);
    assert_true(o.protocol == PROTOCOL_NATIVE && o.unix_socket && o.devices == 20 && o.first == 5);
    assert_true(o.download == DOWNLOAD_HEAD && o.stay && !o.progress && o.seed == UINT64_MAX);
    assert_string_equal(o.socket, "/run/pqota.sock");
    assert_string_equal(o.authority, "localhost");
    assert_string_equal(o.issuer, "CN=pqota device CA 1a");
}

static void servers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *port, *authority;
    } rows[] = {
        {"http://updates.example.com", "updates.example.com", "80", "updates.example.com"},
        {"http://127.0.0.1:8080/", "127.0.0.1", "8080", "127.0.0.1:8080"},
        {"http://[::1]:8080", "::1", "8080", "[::1]:8080"},
        {"http://[::1]", "::1", "80", "[::1]"},
    };
    struct options o;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(options_parse_server(rows[i].text, &o, &e), 0);
        assert_string_equal(o.host, rows[i].host);
        assert_string_equal(o.port, rows[i].port);
        assert_string_equal(o.authority, rows[i].authority);
    }
    static const char *const bad[] = {
        "",          "localhost",   "https://a",     "http://",    "http://a/b",
        "http://:1", "http://a:0",  "http://a:b",    "http://a:",  "http://a:65536",
        "unix:",     "http://[::1", "http://[::1]x", "http://a b", "http://a\r\nX:"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (options_parse_server(bad[i], &o, &e) != ERR_INVALID)
            fail_msg("not refused: %s", bad[i]);
    char path[128] = "unix:/";
    memset(path + 6, 'a', sizeof path - 7);
    assert_int_equal(options_parse_server(path, &o, &e), ERR_INVALID); /* longer than an address */
}

static void refused(void **state)
{
    (void)state;
    static const char *const rows[][4] = {
        {"--gateway-token", "t", "--fail=1.1"},
        {"--gateway-token", "t", "--fail=0.6", "--hang=0.5"},
        {"--gateway-token", "t", "--issuer=CN=x"},
        {"--gateway-token", "t", "extra"},
        {"--gateway-token", "t", "--download=some"},
        {"--gateway-token", "t", "--protocol=mqtt"},
        {"--gateway-token", "t", "--protocol=native"},
        {"--gateway-token", "t", "--devices=0"},
        {"--gateway-token", "t", "--first=9999999", "--devices=2"},
        {"--gateway-token", "t", "--tenant=a/b"},
        {"--gateway-token", "t", "--id-prefix=a b"},
        {"--gateway-token", "t", "--attribute=version=3"},
        {"--gateway-token", "t", "--attribute=a\"b=3"},
        {"--gateway-token", "t", "--attribute=a"},
        {"--gateway-token", "t", "--unknown"},
        {"--gateway-token", "a\r\nX: y"},
        {"--gateway-token", ""},
        {"--interval=1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct options o = {.devices = 77};
        const char *args[5] = {rows[i][0], rows[i][1], rows[i][2], rows[i][3], NULL};
        if (parse(args, &o) != ERR_INVALID || o.devices != 77)
            fail_msg("not refused: row %zu, %s", i, args[2] != NULL ? args[2] : args[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(usual), cmocka_unit_test(all),
                                       cmocka_unit_test(servers), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
