/* Settings: defaults, mistakes and what they are called. */
#include "bench.h"

static struct bench b;

static int read_text(const char *text, struct agent_config *c, struct err *e)
{
    char path[BENCH_PATH];
    bench_write(&b, "agent.conf", text);
    agent_config_init(c);
    return agent_config_read(c, bench_path(&b, "agent.conf", path), 1, e);
}

static void defaults(void **s)
{
    struct agent_config c;
    struct err e = {0};
    (void)s;
    agent_config_init(&c);
    assert_string_equal(c.state_dir, "/var/lib/pqota-agent");
    assert_string_equal(c.policy, "balanced");
    assert_int_equal(c.poll_seconds, 300);
    assert_int_equal(c.reboot_code, 10);
    assert_int_equal(agent_config_read(&c, "/nonexistent/agent.conf", 0, &e), 0);
    assert_int_equal(agent_config_read(&c, "/nonexistent/agent.conf", 1, &e), ERR_NOT_FOUND);
}

static void reads(void **s)
{
    struct agent_config c;
    struct err e = {0};
    (void)s;
    bench_init(&b);
    char text[1500];
    snprintf(
        text, sizeof text,
        "; a comment\n  [agent]\nserver = https://ota.example:8443\n\t poll_seconds = 60\r\n\n[installer]\n"
        "type=slots\nslots_dir = /srv/slots\nhealth_command = /bin/sh -c 'exit 0'\n"
        "restart_command = /bin/true %0150d\n[trust]\ninsecure_unsigned = yes\n",
        7);
    if (read_text(text, &c, &e) != 0)
        fail_msg("%s", e.text);
    assert_string_equal(c.server, "https://ota.example:8443");
    assert_int_equal(c.poll_seconds, 60);
    assert_string_equal(c.health_command, "/bin/sh -c 'exit 0'");
    assert_int_equal(strlen(c.restart_command), 10 + 150);
    if (agent_config_check(&c, &e) != 0)
        fail_msg("%s", e.text);
    bench_fini(&b);
}

#define TEN "0123456789"

static void mistakes(void **s)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"[agent]\nserverr = x\n", "line 2: there is no setting [agent] serverr"},
        {"[agnt]\nserver = x\n", "there is no setting [agnt] server"},
        {"server = x\n", "there is no setting [] server"},
        {"[agent]\npoll_seconds = 5\n", "from 10 to 86400, not \"5\""},
        {"[agent]\npoll_seconds = 1h\n", "whole number"},
        {"[agent]\npoll_seconds = -1\n", "whole number"},
        {"[agent]\nstate_dir = var\n", "must be a path from the root"},
        {"[agent]\nproxy = a\nproxy = b\n", "line 3: [agent] proxy is there twice"},
        {"[agent]\njust words\n", "line 2"},
        {"[agent]\nca = /" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
         "\n",
         "line 2: the line is longer than 198 bytes"},
        {"[agent]\nproxy = a\n  more\n", "line 3 is no [section]"},
        {"[installer]\ncommand = install.sh\n", "begins with a program's path"},
        {"[installer]\ncommand = /bin/sh 'x\n", "without its second"},
        {"[installer]\nreboot_code = 0\n", "from 1 to 125"},
        {"[trust]\ninsecure_unsigned = true\n", "must be yes or no, not \"true\""},
        {"[trust]\nimage_root = root.json\n", "must be a path from the root"},
        {"[agent]\nrequest_seconds = 0\n", "from 1 to 3600"},
        {"[tunnel]\nconnections = 65\n", "from 1 to 64"},
        {"[tunnel]\nsocket = t.sock\n", "must be a path from the root"},
    };
    static const struct {
        const char *text, *says;
    } whole[] = {
        {"[installer]\ntype = magic\n", "must be command, slots, rauc or swupdate"},
        {"[installer]\ntype = command\n", "needs command ="},
        {"[installer]\ntype = command\ncommand = /bin/true\n", "needs version_file or version_command"},
        {"[installer]\ntype = slots\n", "needs slots_dir"},
        {"[installer]\ntype = rauc\n", "needs version_file or version_command"},
        {"[agent]\npolicy = classical\n[installer]\ntype = slots\nslots_dir = /s\n", "policy must be"},
        {"[agent]\npolicy = insecure_classical\n[installer]\ntype = slots\nslots_dir = /s\n",
         "policy must be"},
        {"[agent]\nserver = http://x\n[installer]\ntype = slots\nslots_dir = /s\n", "https://HOST"},
        {"[agent]\nserver = https://x/path\n[installer]\ntype = slots\nslots_dir = /s\n", "https://HOST"},
        {"[agent]\nbroker = mqtt://x\n[installer]\ntype = slots\nslots_dir = /s\n",
         "[agent] broker: a broker is HOST"},
        {"[agent]\nproxy = https://p:1\n[installer]\ntype = slots\nslots_dir = /s\n", "proxy"},
    };
    (void)s;
    bench_init(&b);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct agent_config c;
        struct err e = {0};
        if (read_text(rows[i].text, &c, &e) == 0 || strstr(e.text, rows[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", e.text, rows[i].says);
        assert_string_equal(c.server, ""); /* untouched */
    }
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        struct agent_config c;
        struct err e = {0};
        if (read_text(whole[i].text, &c, &e) != 0)
            fail_msg("%s", e.text);
        if (agent_config_check(&c, &e) == 0 || strstr(e.text, whole[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", e.text, whole[i].says);
    }
    bench_fini(&b);
}

#define SLOTS "[installer]\ntype = slots\nslots_dir = /s\n"

/* The tunnel installs nothing, so it asks for no installer. */
static void tunnel_settings(void **s)
{
    static const struct {
        const char *text, *says; /* NULL: good */
    } rows[] = {
        {"", NULL},
        {"[tunnel]\nlisten = [::1]:8480\nranges = no\n", NULL},
        {"[tunnel]\nlisten =\nsocket = /run/t.sock\n", NULL},
        {"[tunnel]\nlisten =\n", "neither listen nor socket"},
        {"[tunnel]\nlisten = 0.0.0.0:8480\n", "must be 127.0.0.1:PORT"},
        {"[tunnel]\nlisten = 192.0.2.1:8480\n", "must be 127.0.0.1:PORT"},
        {"[tunnel]\nranges = all\n", "vouched or no, not \"all\""},
        {"[trust]\ninsecure_unsigned = no\n", "image_root and director_root are not set"},
    };
    (void)s;
    bench_init(&b);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        struct agent_config c;
        struct err e = {0};
        snprintf(text, sizeof text, "%s%s", rows[i].text,
                 strstr(rows[i].text, "[trust]") != NULL ? "" : "[trust]\ninsecure_unsigned = yes\n");
        if (read_text(text, &c, &e) != 0)
            fail_msg("%s", e.text);
        int rc = agent_config_check_tunnel(&c, &e);
        if ((rc == 0) != (rows[i].says == NULL) || (rc != 0 && strstr(e.text, rows[i].says) == NULL))
            fail_msg("%s: \"%s\"", rows[i].text, e.text);
    }
    bench_fini(&b);
}

/* Neither roots nor a word that they are not wanted: the agent does not start. */
static void trust_settings(void **s)
{
    static const struct {
        const char *text, *says; /* NULL: it is good */
    } rows[] = {
        {SLOTS "[trust]\ninsecure_unsigned = yes\n", NULL},
        {SLOTS "[trust]\nimage_root = /i\ndirector_root = /d\n", NULL},
        {SLOTS,
         "image_root and director_root are not set: copy image.root.json and director.root.json, which pqota "
         "trust init wrote under trust/device"},
        {SLOTS "[trust]\nimage_root = /i\n", "director_root is not set"},
        {SLOTS "[trust]\ndirector_root = /d\n", "image_root is not set"},
        {SLOTS "[trust]\nimage_root = /i\ndirector_root = /d\n"
               "insecure_unsigned = yes\n",
         "take out one of the two"},
        {"[agent]\nmodel = a/b\n" SLOTS "[trust]\ninsecure_unsigned = "
         "yes\n",
         "no name of a model"},
    };
    (void)s;
    bench_init(&b);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct agent_config c;
        struct err e = {0};
        if (read_text(rows[i].text, &c, &e) != 0)
            fail_msg("%s", e.text);
        int rc = agent_config_check(&c, &e);
        if (rows[i].says == NULL ? rc != 0 : rc == 0 || strstr(e.text, rows[i].says) == NULL)
            fail_msg("%s\"%s\" does not say \"%s\"", rows[i].text, e.text, rows[i].says);
    }
    bench_fini(&b);
}

static void urls(void **s)
{
    static const char *const good[] = {"https://a", "https://a:8443/", "https://[::1]:8443",
                                       "https://10.0.0.1"};
    static const char *const bad[] = {"",
                                      "https://",
                                      "https:///",
                                      "http://a",
                                      "HTTPS//a",
                                      "https://a/b",
                                      "https://u@a",
                                      "https://a b",
                                      "https://a?x",
                                      "https://a#x",
                                      "ftp://a",
                                      "a"};
    char out[AGENT_VALUE_SIZE];
    (void)s;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(agent_server_url(good[i], out, NULL), 0);
        assert_true(out[strlen(out) - 1] != '/');
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (agent_server_url(bad[i], out, NULL) == 0)
            fail_msg("accepted: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),        cmocka_unit_test(reads),          cmocka_unit_test(mistakes),
        cmocka_unit_test(tunnel_settings), cmocka_unit_test(trust_settings), cmocka_unit_test(urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
