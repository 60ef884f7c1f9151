#include "cmd/profile.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "check.h"

struct fixture {
    char dir[64];
    struct arena arena;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/pqota-profile-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    arena_init(&f->arena, 1 << 20);
    *state = f;
    return 0;
}

static const char *const made[] = {
    "p", "op.key", "cfg/pqota/profile", "here/pqota/operator/profile", "home/.config/pqota/profile", "etc"};
static const char *const folders[] = {"cfg/pqota",    "cfg",  "here/pqota/operator",
                                      "here/pqota",   "here", "home/.config/pqota",
                                      "home/.config", "home"};

static int teardown(void **state)
{
    struct fixture *f = *state;
    char path[256];
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        if (file_join(path, sizeof path, f->dir, made[i]) == 0)
            (void)unlink(path);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (file_join(path, sizeof path, f->dir, folders[i]) == 0)
            (void)rmdir(path);
    assert_int_equal(rmdir(f->dir), 0);
    arena_fini(&f->arena);
    free(f);
    return 0;
}

static const char *put(struct fixture *f, const char *name, const char *text, mode_t mode)
{
    char *path = arena_printf(&f->arena, "%s/%s", f->dir, name);
    char *dir = arena_dup_str(&f->arena, str_of(path));
    assert_non_null(dir);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(file_mkdirs(dir, 0700, &f->err), 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), mode, &f->err), 0);
    return path;
}

#define GOOD                                                                                                 \
    "[profile]\nserver = https://ota.example:8443/\ncertificate = op.pem\nkey = op.key\nca = /etc/ca.pem\n"

static void reads(void **state)
{
    struct fixture *f = *state;
    struct profile p;
    const char *path = put(f, "p", "# a remark\n" GOOD "policy = cnsa2\n", 0600);
    assert_int_equal(profile_read(path, &f->arena, &p, &f->err), 0);
    assert_string_equal(p.server, "https://ota.example:8443");
    assert_string_equal(p.certificate, arena_printf(&f->arena, "%s/op.pem", f->dir));
    assert_string_equal(p.key, arena_printf(&f->arena, "%s/op.key", f->dir));
    assert_string_equal(p.ca, "/etc/ca.pem");
    assert_string_equal(p.policy, "cnsa2");
}

static void a_key_may_be_a_uri(void **state)
{
    struct fixture *f = *state;
    struct profile p;
    unsigned mode;
    const char *path =
        put(f, "p", "[profile]\nserver=https://[::1]\ncertificate=c\nca=c\nkey = pkcs11:token=a;object=b\n",
            0600);
    assert_int_equal(profile_read(path, &f->arena, &p, &f->err), 0);
    assert_string_equal(p.key, "pkcs11:token=a;object=b");
    assert_string_equal(p.server, "https://[::1]");
    assert_null(p.policy);
    assert_false(profile_key_exposed(&p, &mode));
}

static void refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "\"server = ...\" is missing"},
        {"[profile]\nserver = https://x\n", "\"certificate = ...\" is missing"},
        {"[profile]\nserver =\ncertificate = a\nkey = b\nca = c\n", "\"server = ...\" is missing"},
        {"[profile]\nserver = http://x\ncertificate = a\nkey = b\nca = c\n", "it must be https://"},
        {"[profile]\nserver = https://\ncertificate = a\nkey = b\nca = c\n", "it must be https://"},
        {"[profile]\nserver = https:///\ncertificate = a\nkey = b\nca = c\n", "server is"},
        {"[profile]\nserver = https://a@b\ncertificate = a\nkey = b\nca = c\n", "only a host and a port"},
        {"[profile]\nserver = https://a/api\ncertificate = a\nkey = b\nca = c\n", "only a host and a port"},
        {"[profile]\nserver = https://a b\ncertificate = a\nkey = b\nca = c\n", "only a host and a port"},
        {GOOD "insecure = yes\n", "line 6: \"insecure\" is not known"},
        {"server = https://x\n", "line 1: \"server\" stands outside [profile]"},
        {"[other]\nserver = https://x\n", "outside [profile]"},
        {"[profile]\nserver\n", "line 2: neither [section] nor key = value"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct profile p = {.server = "untouched"};
        const char *path = put(f, "p", rows[i].text, 0600);
        assert_int_equal(profile_read(path, &f->arena, &p, &f->err), ERR_INVALID);
        if (strstr(f->err.text, rows[i].why) == NULL)
            fail_msg("row %zu: %s", i, f->err.text);
        assert_non_null(strstr(f->err.text, path));
        assert_string_equal(p.server, "untouched");
    }
}

static void a_line_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    struct profile p;
    char text[9000];
    int n = snprintf(text, sizeof text, GOOD "policy = ");
    memset(text + n, 'a', sizeof text - (size_t)n - 1);
    text[sizeof text - 1] = '\0';
    const char *path = put(f, "p", text, 0600);
    int rc = profile_read(path, &f->arena, &p, &f->err);
    /* Whole, or refused: never cut. */
    if (rc == 0)
        assert_int_equal(strlen(p.policy), sizeof text - (size_t)n - 1);
    else
        assert_int_equal(rc, ERR_INVALID);
}

static void exposed_keys(void **state)
{
    struct fixture *f = *state;
    struct profile p = {.key = put(f, "op.key", "secret", 0644)};
    unsigned mode = 0;
    assert_true(profile_key_exposed(&p, &mode));
    assert_int_equal(mode, 0644);
    assert_int_equal(chmod(p.key, 0600), 0);
    assert_false(profile_key_exposed(&p, &mode));
}

static const char *env_profile, *env_config, *env_home;

static const char *fake_env(const char *name)
{
    if (strcmp(name, "PQOTA_PROFILE") == 0)
        return env_profile;
    if (strcmp(name, "XDG_CONFIG_HOME") == 0)
        return env_config;
    return strcmp(name, "HOME") == 0 ? env_home : NULL;
}

/* From the last place to the first: each one found goes before those found already. */
static void places_in_order(void **state)
{
    struct fixture *f = *state;
    const char *path = NULL;
    char here[128], home[128], config[128], system[128];
    snprintf(here, sizeof here, "%s/here", f->dir);
    snprintf(home, sizeof home, "%s/home", f->dir);
    snprintf(config, sizeof config, "%s/cfg", f->dir);
    snprintf(system, sizeof system, "%s/etc", f->dir);
    struct profile_places places = {.env = fake_env, .here = here, .system = system};
    env_profile = env_config = NULL;
    env_home = home;

    assert_int_equal(profile_find(&places, &f->arena, &path, &f->err), ERR_NOT_FOUND);
    assert_null(path);
    assert_non_null(strstr(f->err.text, arena_printf(&f->arena, "%s/pqota/operator/profile", here)));
    assert_non_null(strstr(f->err.text, arena_printf(&f->arena, "%s/.config/pqota/profile", home)));
    assert_non_null(strstr(f->err.text, system));
    assert_non_null(strstr(f->err.text, "pqota init"));

    const char *const found[] = {put(f, "etc", GOOD, 0600), put(f, "home/.config/pqota/profile", GOOD, 0600),
                                 put(f, "here/pqota/operator/profile", GOOD, 0600)};
    assert_int_equal(unlink(found[1]) | unlink(found[2]), 0);
    assert_int_equal(profile_find(&places, &f->arena, &path, &f->err), 0);
    assert_string_equal(path, found[0]);
    (void)put(f, "home/.config/pqota/profile", GOOD, 0600);
    assert_int_equal(profile_find(&places, &f->arena, &path, &f->err), 0);
    assert_string_equal(path, found[1]);
    env_config = config; /* takes the place of ~/.config */
    assert_int_equal(profile_find(&places, &f->arena, &path, &f->err), 0);
    assert_string_equal(path, found[0]);
    (void)put(f, "here/pqota/operator/profile", GOOD, 0600);
    assert_int_equal(profile_find(&places, &f->arena, &path, &f->err), 0);
    assert_string_equal(path, found[2]);
}

static void named_ones_must_exist(void **state)
{
    struct fixture *f = *state;
    const char *path = NULL;
    struct profile_places places = {.env = fake_env, .here = f->dir, .system = "/nonexistent/etc"};
    env_home = env_config = NULL;
    env_profile = "/nonexistent/one";
    assert_int_equal(profile_find(&places, &f->arena, &path, &f->err), ERR_NOT_FOUND);
    assert_non_null(strstr(f->err.text, "/nonexistent/one, which PQOTA_PROFILE names"));
    places.option = "/nonexistent/two"; /* goes before the environment */
    assert_int_equal(profile_find(&places, &f->arena, &path, &f->err), ERR_NOT_FOUND);
    assert_non_null(strstr(f->err.text, "/nonexistent/two, which --profile names"));
    places.option = put(f, "p", GOOD, 0600);
    assert_int_equal(profile_find(&places, &f->arena, &path, &f->err), 0);
    assert_string_equal(path, places.option);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_may_be_a_uri, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_too_long_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(exposed_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(places_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(named_ones_must_exist, setup, teardown),
    };
    return RUN(tests);
}
