/* Settings: the table against itself, every type's edges, and errors that name file, line and key. */
#include "config_fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Refused, with all these parts in its sentence; what was read before stays. */
static void refuse(struct config_fixture *fx, const char *text, const char *const *parts)
{
    struct server_config before = fx->config;
    if (config_read_text(fx, text) == 0)
        fail_msg("taken: %s", text);
    assert_memory_equal(&before, &fx->config, sizeof before);
    config_says(fx, parts);
}
#define REFUSE(fx, text, ...) refuse(fx, text, (const char *const[]){__VA_ARGS__, NULL})

static void every_row_stands_for_itself(void **state)
{
    struct config_fixture *fx = *state;
    static const size_t sizes[] = {
        [CONFIG_BOOL] = sizeof(bool),    [CONFIG_INT] = sizeof(int64_t), [CONFIG_SIZE] = sizeof(int64_t),
        [CONFIG_MODE] = sizeof(int64_t), [CONFIG_ENUM] = sizeof(int),    [CONFIG_CHOICE] = sizeof(char *),
        [CONFIG_TEXT] = sizeof(char *),  [CONFIG_URL] = sizeof(char *),  [CONFIG_LISTEN] = sizeof(char *),
        [CONFIG_NETS] = sizeof(char *),  [CONFIG_PATH] = sizeof(char *), [CONFIG_KEY] = sizeof(char *),
    };
    static unsigned char used[sizeof(struct server_config)];
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        assert_ptr_equal(config_find(row->section, row->key), row); /* no pair stands twice */
        bool known = false;
        for (size_t s = 0; s < config_section_count; s++)
            known |= strcmp(config_sections[s].name, row->section) == 0;
        assert_true(known);
        for (size_t b = 0; b < sizes[row->type]; b++)
            assert_int_equal(used[row->offset + b]++, 0); /* no field has two */
        if (config_value_set(row, str_of(row->initial), ".", &fx->base->arena, &fx->config, &fx->e) != 0)
            fail_msg("%s", fx->e.text);
        assert_true(strlen(row->help) > 10 && row->help[strlen(row->help) - 1] == '.');
    }
    /* Every field is set by some row: what is left over is padding, shorter than any field. */
    size_t gap = 0;
    for (size_t b = 0; b < sizeof used; b++) {
        gap = used[b] == 0 ? gap + 1 : 0;
        assert_in_range(gap, 0, 7);
    }
}

static void defaults_are_the_agreed_ones(void **state)
{
    struct config_fixture *fx = *state;
    const struct server_config *c = &fx->config;
    config_take(fx, "");
    assert_string_equal(c->data_dir, "data");
    assert_int_equal(c->log_level, LOG_INFO);
    assert_int_equal(c->log_format, LOG_LOGFMT);
    assert_int_equal(c->loops, 0);
    assert_int_equal(c->drain_seconds, 30);
    assert_string_equal(c->public_url, "");
    assert_true(c->tls);
    assert_string_equal(c->tls_listen, "[::]:8443, 0.0.0.0:8443");
    assert_string_equal(c->tls_policy, "balanced");
    assert_string_equal(c->tls_kem, "");
    assert_int_equal(c->tls_sessions, 100000);
    assert_int_equal(c->tls_session_seconds, 86400);
    assert_true(c->unix_socket);
    assert_string_equal(c->unix_path, "pqota.sock");
    assert_int_equal(c->unix_mode, 0660);
    assert_false(c->plain);
    assert_string_equal(c->plain_listen, "127.0.0.1:8080");
    assert_false(c->insecure_plain_anywhere);
    assert_false(c->classical);
    assert_string_equal(c->classical_listen, "[::]:8445, 0.0.0.0:8445");
    assert_string_equal(c->device_ca_key, "pki/device-ca.key");
    assert_int_equal(c->device_days, 365);
    assert_int_equal(c->renew_grace_days, 90);
    assert_int_equal(c->crl_hours, 24);
    assert_int_equal(c->poll_seconds, 300);
    assert_int_equal(c->status_max, 1000);
    assert_int_equal(c->connections, 16000);
    assert_int_equal(c->connections_per_address, 1000);
    assert_int_equal(c->handshake_seconds, 10);
    assert_int_equal(c->header_seconds, 10);
    assert_int_equal(c->body_seconds, 60);
    assert_int_equal(c->idle_seconds, 75);
    assert_int_equal(c->write_seconds, 60);
    assert_int_equal(c->body_bytes_per_second, 1000);
    assert_int_equal(c->head_bytes, 32768);
    assert_int_equal(c->target_bytes, 16384);
    assert_int_equal(c->upload_bytes, 4LL << 30);
    assert_int_equal(c->requests_per_connection, 100000);
    assert_int_equal(c->write_queue, 4096);
    assert_int_equal(c->query_queue, 1024);
    assert_int_equal(c->sign_queue, 256);
    assert_int_equal(c->file_queue, 1024);
    assert_int_equal(c->query_threads, 2);
    assert_int_equal(c->sign_threads, 2);
    assert_int_equal(c->file_threads, 4);
    assert_int_equal(c->query_seconds, 5);
    assert_int_equal(c->event_days, 90);
    assert_int_equal(c->action_days, 365);
    assert_int_equal(c->blob_hours, 24);
    assert_int_equal(c->backups, 3);
}

static void what_is_written_reads_back(void **state)
{
    struct config_fixture *fx = *state;
    static const char *const values[] = {"tls.policy",
                                         "cnsa2",
                                         "tls.listen",
                                         "[::1]:9",
                                         "limits.upload_bytes",
                                         "1T",
                                         "server.log_format",
                                         "json",
                                         "server.public_url",
                                         "https://a.example",
                                         NULL};
    for (int i = 0; i < 2; i++) {
        auto_buf struct buf text;
        buf_init(&text, CONFIG_FILE_MAX);
        if (config_write(i == 0 ? NULL : values, &text, &fx->e) != 0)
            fail_msg("%s", fx->e.text);
        for (size_t r = 0; r < config_row_count; r++) {
            char line[128];
            snprintf(line, sizeof line, "\n%s =", config_rows[r].key);
            assert_non_null(strstr(text.p, line));
        }
        struct str rest = buf_str(&text), line;
        while (str_split(&rest, '\n', &line)) {
            assert_in_range(line.n, 0, 140);
            assert_true(line.n == 0 || line.p[line.n - 1] != ' ');
        }
        config_take(fx, text.p);
    }
    assert_string_equal(fx->config.tls_policy, "cnsa2");
    assert_string_equal(fx->config.tls_listen, "[::1]:9");
    assert_int_equal(fx->config.upload_bytes, 1LL << 40);
    assert_int_equal(fx->config.log_format, LOG_JSON);
    assert_string_equal(fx->config.public_url, "https://a.example");
    assert_int_equal(fx->config.log_level, LOG_INFO);
}

static void what_cannot_be_written(void **state)
{
    struct config_fixture *fx = *state;
    static const char *const bad[][3] = {{"tls.polici", "balanced", NULL}, {"tls", "x", NULL},
                                         {"tls.policy", "best", NULL},     {"server.data_dir", "a ;b", NULL},
                                         {"server.data_dir", ";b", NULL},  {"server.data_dir", "a\nb", NULL},
                                         {"limits.connections", "0", NULL}};
    auto_buf struct buf text;
    buf_init(&text, CONFIG_FILE_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(config_write(bad[i], &text, &fx->e), ERR_INVALID);
        assert_int_equal(text.n, 0);
    }
    struct buf small;
    buf_init(&small, 100);
    assert_int_equal(config_write(NULL, &small, &fx->e), ERR_TOO_LARGE);
    assert_int_equal(small.n, 0);
    buf_fini(&small);
}

static void types_and_their_edges(void **state)
{
    struct config_fixture *fx = *state;
    static const char *const yes[] = {"yes", "true", "on", "YES", "On"}, *const no[] = {"no", "false", "off",
                                                                                        "OFF"};
    char text[128];
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        snprintf(text, sizeof text, "[plain]\nenabled=%s\n", yes[i]);
        config_take(fx, text);
        assert_true(fx->config.plain);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        snprintf(text, sizeof text, "[tls]\nenabled = %s\n", no[i]);
        config_take(fx, text);
        assert_false(fx->config.tls);
    }
    REFUSE(fx, "[tls]\nenabled = maybe\n", CONFIG_FILE ":2", "[tls] enabled = \"maybe\"", "yes or no");
    REFUSE(fx, "[tls]\nenabled =\n", CONFIG_FILE ":2", "\"\"");
    REFUSE(fx, "[tls]\nenabled = 1\n", "yes or no");

    config_take(fx,
                "[limits]\nconnections = 16\nhead_bytes = 1k\nupload_bytes = 1024G\n[unix]\nmode = 777\n");
    assert_int_equal(fx->config.connections, 16);
    assert_int_equal(fx->config.head_bytes, 1024);
    assert_int_equal(fx->config.upload_bytes, 1LL << 40);
    assert_int_equal(fx->config.unix_mode, 0777);
    config_take(fx, "[limits]\nconnections = 1000000\nhead_bytes = 1048576\n");
    static const char *const numbers[] = {"15",
                                          "1000001",
                                          "-1",
                                          "+1",
                                          "1.5",
                                          "0x10",
                                          "1 6",
                                          "ten",
                                          "",
                                          "1k",
                                          "99999999999999999999",
                                          "18446744073709551616"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(text, sizeof text, "\n[limits]\nconnections = %s\n", numbers[i]);
        REFUSE(fx, text, CONFIG_FILE ":3", "[limits] connections", "a whole number from 16 to 1000000");
    }
    static const char *const sizes[] = {"1023", "2M",          "K",         "1KK", "1KB",
                                        "-1K",  "9999999999T", "16777216T", ""};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(text, sizeof text, "[limits]\nhead_bytes = %s\n", sizes[i]);
        REFUSE(fx, text, CONFIG_FILE ":2", "[limits] head_bytes", "a size from 1K to 1M");
    }
    static const char *const modes[] = {"888", "rw", "1777", "0o660", ""};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        snprintf(text, sizeof text, "[unix]\nmode = %s\n", modes[i]);
        REFUSE(fx, text, "[unix] mode", "octal permissions from 0 to 0777");
    }
    REFUSE(fx, "[server]\nlog_level = trace\n", "debug, info, warn, error");
    REFUSE(fx, "[server]\nlog_format = xml\n", "logfmt, json");
    REFUSE(fx, "[tls]\npolicy = insecure_classical\n", "balanced, cnsa2, constrained");
    config_take(fx, "[server]\nlog_level = error\nlog_format = json\n");
    assert_int_equal(fx->config.log_level, LOG_ERROR);
    assert_int_equal(fx->config.log_format, LOG_JSON);
}

static void networks(void **state)
{
    struct config_fixture *fx = *state;
    char text[256];
    static const char *const good[] = {"",     "192.0.2.7",  "0.0.0.0/0", "10.0.0.0/8, 2001:db8::/64,::1",
                                       "::/0", "1.2.3.4/32", "::1/128"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, "[plain]\ninsecure_proxy_addresses = %s\n", good[i]);
        config_take(fx, text);
        assert_string_equal(fx->config.insecure_proxies, good[i]);
    }
    static const char *const bad[] = {"x",           "1.2.3",       "1.2.3.4/33", "::1/129",    "1.2.3.4/",
                                      "1.2.3.4/-1",  "1.2.3.4,",    ",1.2.3.4",   "[::1]",      "1.2.3.4:80",
                                      "1.2.3.4 ::1", "1.2.3.4/8/8", "/8",         "fe80::1%lo", "localhost"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "[plain]\ninsecure_proxy_addresses = %s\n", bad[i]);
        REFUSE(fx, text, CONFIG_FILE ":2", "insecure_proxy_addresses", "192.0.2.7, 2001:db8::/64");
    }
    struct str rest = STR(" 2001:db8::/33 ,192.0.2.7");
    struct config_network n;
    assert_int_equal(config_network_next(&rest, &n, &fx->e), 1);
    assert_int_equal(n.family, AF_INET6);
    assert_int_equal(n.bits, 33);
    assert_int_equal(n.bytes[0], 0x20);
    assert_int_equal(config_network_next(&rest, &n, &fx->e), 1);
    assert_int_equal(n.family, AF_INET);
    assert_int_equal(n.bits, 32);
    assert_int_equal(n.bytes[3], 7);
    assert_int_equal(config_network_next(&rest, &n, &fx->e), 0);
}

static void urls_and_addresses(void **state)
{
    struct config_fixture *fx = *state;
    char text[256];
    static const char *const good[] = {"https://a.example", "http://a:80", "https://[2001:db8::1]:8443", ""};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, "[server]\npublic_url = %s\n", good[i]);
        config_take(fx, text);
        assert_string_equal(fx->config.public_url, good[i]);
    }
    static const char *const bad[] = {"a.example", "https://",    "https://a/",  "https://a/x",
                                      "ftp://a",   "https://a?b", "https://a b", "https://u@a"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "[server]\npublic_url = %s\n", bad[i]);
        REFUSE(fx, text, CONFIG_FILE ":2", "public_url", "https://HOST");
    }
    static const char *const listens[] = {"",
                                          "8443",
                                          ":8443",
                                          "localhost:8443",
                                          "::1:8443",
                                          "[::1]",
                                          "[::1]:",
                                          "1.2.3.4",
                                          "1.2.3.4:65536",
                                          "1.2.3.4:-1",
                                          "[1.2.3.4]:1",
                                          "1.2.3.4:1,",
                                          ",1.2.3.4:1",
                                          "1.2.3.4:1 5.6.7.8:1",
                                          "[::1]:1x",
                                          "[fe80::1%eth0]:1"};
    for (size_t i = 0; i < sizeof listens / sizeof listens[0]; i++) {
        snprintf(text, sizeof text, "[tls]\nlisten = %s\n", listens[i]);
        REFUSE(fx, text, CONFIG_FILE ":2", "[tls] listen", "a list of addresses with ports");
    }
    struct str rest = STR(" [2001:db8::1]:443 ,192.0.2.7:0");
    struct sockaddr_storage s;
    assert_int_equal(config_listen_next(&rest, &s, &fx->e), 1);
    assert_int_equal(s.ss_family, AF_INET6);
    assert_int_equal(ntohs(((struct sockaddr_in6 *)&s)->sin6_port), 443);
    assert_int_equal(((struct sockaddr_in6 *)&s)->sin6_addr.s6_addr[0], 0x20);
    assert_int_equal(config_listen_next(&rest, &s, &fx->e), 1);
    assert_int_equal(s.ss_family, AF_INET);
    assert_int_equal(((struct sockaddr_in *)&s)->sin_port, 0);
    assert_int_equal(ntohl(((struct sockaddr_in *)&s)->sin_addr.s_addr), 0xC0000207);
    assert_int_equal(config_listen_next(&rest, &s, &fx->e), 0);
}

static void paths_are_the_files_folders(void **state)
{
    struct config_fixture *fx = *state;
    char path[128];
    assert_true(mkdir("sub", 0700) == 0);
    fx_write("sub/c.conf", STR("[server]\ndata_dir = var/d\n[tls]\ncertificate = /abs/c.pem\n"
                               "key = pkcs11:object=server\n[pki]\ndevice_ca_key = ab:c\n"));
    fx_write("sub/ab:c", STR("x"));
    assert_int_equal(config_read("sub/c.conf", &fx->base->arena, &fx->config, &fx->e), 0);
    assert_string_equal(fx->config.data_dir, "sub/var/d");
    assert_string_equal(fx->config.tls_certificate, "/abs/c.pem");
    assert_string_equal(fx->config.tls_key, "pkcs11:object=server");
    assert_string_equal(fx->config.device_ca_key, "sub/ab:c"); /* a file before a URI */
    assert_string_equal(fx->config.unix_path, "sub/pqota.sock");
    snprintf(path, sizeof path, "%s/sub/c.conf", fx->base->dir);
    assert_int_equal(config_read(path, &fx->base->arena, &fx->config, &fx->e), 0);
    snprintf(path, sizeof path, "%s/sub/var/d", fx->base->dir);
    assert_string_equal(fx->config.data_dir, path);
    REFUSE(fx, "[server]\ndata_dir =\n", "a path");
}

static void errors_name_their_place(void **state)
{
    struct config_fixture *fx = *state;
    REFUSE(fx, "[sever]\n", CONFIG_FILE ":1", "[sever]", "did you mean [server]?");
    REFUSE(fx, "# x\n\n[server]\n[tsl]\nlisten = x\n", CONFIG_FILE ":4", "did you mean [tls]?");
    REFUSE(fx, "[nothing_like_it]\n", CONFIG_FILE ":1", "there is no section [nothing_like_it]");
    assert_null(strstr(fx->e.text, "did you mean"));
    REFUSE(fx, "[tls]\nlisten = [::]:1\n\n\npolcy = cnsa2\n", CONFIG_FILE ":5", "\"polcy\"",
           "did you mean \"policy\"?");
    REFUSE(fx, "[tls]\ndata_dir = x\n", CONFIG_FILE ":2", "[server] has one");
    REFUSE(fx, "[tls]\nqqqqqq = x\n", CONFIG_FILE ":2", "has no setting \"qqqqqq\"");
    REFUSE(fx, "policy = cnsa2\n", CONFIG_FILE ":1", "before the first [section]");
    REFUSE(fx, "[tls]\npolicy = cnsa2\n[server]\n[tls]\npolicy = cnsa2\n", CONFIG_FILE ":5", "a second time");
    REFUSE(fx, "[tls]\npolicy\n", CONFIG_FILE ":2", "no \"key = value\"");
    REFUSE(fx, "[tls\npolicy = cnsa2\n", CONFIG_FILE ":1", "no [section]");
    REFUSE(fx, "[tls]\nrubbish\npolicy = best\n", CONFIG_FILE ":2"); /* the first of two */
    REFUSE(fx, "[tls]\npolicy = best\nrubbish\n", CONFIG_FILE ":2", "best");
    assert_int_equal(config_read("absent.conf", &fx->base->arena, &fx->config, &fx->e), ERR_NOT_FOUND);
    assert_non_null(strstr(fx->e.text, "absent.conf"));
    assert_int_equal(config_read(".", &fx->base->arena, &fx->config, &fx->e), ERR_INVALID);
    assert_int_equal(config_read("absent.conf", &fx->base->arena, &fx->config, NULL), ERR_NOT_FOUND);
    fx_write(CONFIG_FILE, STR("[tls]\npolicy = best\n"));
    assert_int_equal(config_read(CONFIG_FILE, &fx->base->arena, &fx->config, NULL), ERR_INVALID);
}

static void lines_as_people_write_them(void **state)
{
    struct config_fixture *fx = *state;
    config_take(fx,
                "\xef\xbb\xbf; comment\r\n  [tls]\r\n\tpolicy=cnsa2 ; a comment\r\n    listen = [::1]:1\r\n"
                "   # more\n[server]   \n   data_dir = with space\n");
    assert_string_equal(fx->config.tls_policy, "cnsa2");
    assert_string_equal(fx->config.tls_listen, "[::1]:1");
    assert_string_equal(fx->config.data_dir, "with space");
    config_take(fx, "[tls]\npolicy = cnsa2"); /* no newline at the end */
    assert_string_equal(fx->config.tls_policy, "cnsa2");

    char line[400];
    snprintf(line, sizeof line, "[server]\ndata_dir = %0300d\n", 1);
    REFUSE(fx, line, CONFIG_FILE ":2", "longer than");
    snprintf(line, sizeof line, "[server]\ndata_dir = %0180d\n", 1);
    config_take(fx, line);
    assert_int_equal(strlen(fx->config.data_dir), 180);

    fx_write(CONFIG_FILE, STR("[tls]\npolicy = cnsa2\0x\n"));
    assert_int_equal(config_read(CONFIG_FILE, &fx->base->arena, &fx->config, &fx->e), ERR_INVALID);
    assert_non_null(strstr(fx->e.text, CONFIG_FILE ":2"));
    REFUSE(fx, "[server]\ndata_dir = a\x1b[2Jb\n", CONFIG_FILE ":2");
    REFUSE(fx, "[server]\ndata_dir = \xff\n", CONFIG_FILE ":2");
    char *huge = malloc(CONFIG_FILE_MAX + 2);
    assert_non_null(huge);
    memset(huge, '\n', CONFIG_FILE_MAX + 1);
    huge[CONFIG_FILE_MAX + 1] = '\0';
    assert_int_equal(config_read_text(fx, huge), ERR_TOO_LARGE);
    free(huge);
}

static void damaged_files_do_no_harm(void **state)
{
    struct config_fixture *fx = *state;
    auto_buf struct buf text;
    buf_init(&text, CONFIG_FILE_MAX);
    assert_int_equal(config_write(NULL, &text, &fx->e), 0);
    unsigned taken = 0, refused = 0, seed = 12345;
    for (int round = 0; round < 500; round++) {
        auto_arena struct arena a;
        arena_init(&a, 1u << 20);
        auto_free char *copy = malloc(text.n);
        assert_non_null(copy);
        memcpy(copy, text.p, text.n);
        for (int i = 0; i < 4; i++) {
            seed = seed * 1103515245u + 12345u;
            copy[(seed >> 8) % text.n] = (char)(seed >> 24);
        }
        FILE *f = fopen("damaged", "w"); /* with no fsync, unlike fx_write: there are many rounds */
        size_t n = text.n - (seed >> 5) % 64;
        assert_non_null(f);
        assert_int_equal(fwrite(copy, 1, n, f), n);
        assert_int_equal(fclose(f), 0);
        struct server_config c;
        struct err e = {0};
        if (config_read("damaged", &a, &c, &e) == 0) {
            taken++;
        } else {
            refused++;
            assert_memory_equal(e.text, "damaged:", 8);
        }
    }
    assert_true(taken > 0 && refused > 0);
}

static void manual_is_in_step(void **state)
{
    struct config_fixture *fx = *state;
    const char *root = getenv("PQOTA_SOURCE");
    assert_non_null(root);
    char path[512];
    snprintf(path, sizeof path, "%s/docs/man/pqota.conf.5", root);
    auto_buf struct buf made, there;
    buf_init(&made, CONFIG_FILE_MAX);
    buf_init(&there, CONFIG_FILE_MAX);
    assert_int_equal(config_man(&made, &fx->e), 0);
    if (getenv("PQOTA_UPDATE") != NULL)
        fx_write(path, buf_str(&made));
    if (file_read(path, CONFIG_FILE_MAX, &there, &fx->e) != 0)
        fail_msg("%s", fx->e.text);
    if (!str_eq(buf_str(&made), buf_str(&there)))
        fail_msg("%s is not what the table says: run this test once with PQOTA_UPDATE=1", path);
    if (fx_run(fx->base, "mandoc -Tlint -W warning '%s'", path) != 0)
        fail_msg("%s", fx->base->out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_stands_for_itself),
        cmocka_unit_test(defaults_are_the_agreed_ones),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(what_cannot_be_written),
        cmocka_unit_test(types_and_their_edges),
        cmocka_unit_test(urls_and_addresses),
        cmocka_unit_test(networks),
        cmocka_unit_test(paths_are_the_files_folders),
        cmocka_unit_test(errors_name_their_place),
        cmocka_unit_test(lines_as_people_write_them),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(manual_is_in_step),
    };
    return cmocka_run_group_tests(tests, config_setup, config_teardown);
}
