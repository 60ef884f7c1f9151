#include "ota/settings.h"

#include <string.h>

#include "identity_fixture.h"
#include "keys/seal.h"

#define KEY "0123456789abcdef0123"

static struct sealer *sealer;

static struct sealer *new_sealer(struct fixture *f, const char *name)
{
    struct sealer *s = NULL;
    const char *path = arena_printf(&f->arena, "%s/%s", f->dir, name);
    assert_ok(sealer_open(path, true, &s, &f->e), f->e);
    return s;
}

static int run_load(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return settings_load(f->ota.settings, db, e);
}

static const struct ddi_settings file = {.enabled = true,
                                         .target_token = true,
                                         .poll_seconds = 300,
                                         .overdue_seconds = 300,
                                         .registrations_per_minute = 10,
                                         .model = "generic",
                                         .unsigned_models = "old, older",
                                         .version_attribute = "version"};

static int setup(void **state)
{
    assert_int_equal(fixture_setup(state), 0);
    struct fixture *f = *state;
    sealer = new_sealer(f, "secret.key");
    f->ota.sealer = sealer;
    settings_set_file(f->ota.settings, &file);
    assert_ok(fixture_write(f, run_load, NULL), f->e);
    return 0;
}

static int teardown(void **state)
{
    sealer_free(sealer);
    return fixture_teardown(state);
}

struct put {
    const char *key, *text;
    bool fails; /* after it was put */
};

static int run_put(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const struct put *p = arg;
    int rc = p->text != NULL ? ota_setting_put(&f->ota, db, &f->arena, &f->admin, p->key, str_of(p->text), e)
                             : ota_setting_reset(&f->ota, db, &f->arena, &f->admin, p->key, e);
    return rc == 0 && p->fails ? err_set(e, ERR_BUSY, "on purpose") : rc;
}

static int put(struct fixture *f, const char *key, const char *text)
{
    struct put p = {.key = key, .text = text};
    return fixture_write(f, run_put, &p);
}

static struct ddi_settings now(struct fixture *f)
{
    struct ddi_settings s;
    struct ddi_settings brief;
    settings_get(f->ota.settings, &s);
    settings_get_brief(f->ota.settings, &brief);
    assert_true(s.enabled == brief.enabled && s.target_token == brief.target_token &&
                s.gateway_token == brief.gateway_token && s.header == brief.header &&
                s.poll_seconds == brief.poll_seconds && s.plain_port == brief.plain_port);
    assert_string_equal(s.gateway_hash, brief.gateway_hash);
    assert_string_equal(brief.header_authority, "");
    return s;
}

static void a_row_wins_over_the_file(void **state)
{
    struct fixture *f = *state;
    assert_true(now(f).target_token);
    assert_false(now(f).gateway_token);
    assert_int_equal(put(f, SETTING_TARGET_TOKEN, "false"), 0);
    assert_int_equal(put(f, SETTING_POLLING, "00:01:05"), 0);
    assert_int_equal(put(f, SETTING_AUTHORITY, "a,b;c"), 0);
    assert_false(now(f).target_token);
    assert_int_equal(now(f).poll_seconds, 65);
    assert_string_equal(now(f).header_authority, "a,b;c");
    /* Another file: what was set stays, the rest follows it. */
    struct ddi_settings other = file;
    other.poll_seconds = 10;
    other.gateway_token = true;
    settings_set_file(f->ota.settings, &other);
    assert_int_equal(now(f).poll_seconds, 65);
    assert_true(now(f).gateway_token);
    assert_int_equal(put(f, SETTING_POLLING, NULL), 0);
    assert_int_equal(now(f).poll_seconds, 10);
    /* The next start. */
    assert_ok(fixture_write(f, run_load, NULL), f->e);
    assert_false(now(f).target_token);
    assert_string_equal(fixture_ask_text(f, "SELECT kind || ' ' || who || ' ' || subject FROM event"
                                            " ORDER BY pk DESC LIMIT 1"),
                        "setting.reset anna setting/" SETTING_POLLING);
}

/* As the body {} of a request says it. */
static int run_put_nothing(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_setting_put(&f->ota, db, &f->arena, &f->admin, arg, (struct str){.p = NULL, .n = 0}, e);
}

static void only_what_means_something_is_taken(void **state)
{
    struct fixture *f = *state;
    static const struct put bad[] = {
        {SETTING_TARGET_TOKEN, "yes", false},  {SETTING_TARGET_TOKEN, "", false},
        {SETTING_POLLING, "5 minutes", false}, {SETTING_POLLING, "00:00:00", false},
        {SETTING_POLLING, "24:00:00", false},  {SETTING_POLLING, "00:60:00", false},
        {SETTING_POLLING, "0:00:300", false},  {SETTING_AUTHORITY, "\x01", false},
        {SETTING_GATEWAY_KEY, "short", false}, {SETTING_GATEWAY_KEY, "with blanks in between", false},
        {SETTING_ANONYMOUS, "true", false},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (put(f, bad[i].key, bad[i].text) != ERR_INVALID)
            fail_msg("%s was taken for %s", bad[i].text, bad[i].key);
    assert_int_equal(put(f, SETTING_AUTHORITY, "a"), 0);
    assert_int_equal(fixture_write(f, run_put_nothing, (void *)(uintptr_t)SETTING_AUTHORITY), ERR_INVALID);
    assert_string_equal(now(f).header_authority, "a");
    assert_int_equal(put(f, SETTING_ANONYMOUS, "false"), 0);
    assert_int_equal(put(f, "nothing", "true"), ERR_NOT_FOUND);
    assert_int_equal(put(f, "pollingtime", "00:00:30"), ERR_NOT_FOUND);
    assert_non_null(strstr(f->e.text, SETTING_POLLING));
    char *long_text = arena_alloc(&f->arena, SETTINGS_TEXT_SIZE + 1);
    memset(long_text, 'x', SETTINGS_TEXT_SIZE);
    assert_int_equal(put(f, SETTING_AUTHORITY, long_text), ERR_INVALID);
    long_text[SETTINGS_TEXT_SIZE - 1] = '\0';
    assert_int_equal(put(f, SETTING_AUTHORITY, long_text), 0);
    assert_int_equal(strlen(now(f).header_authority), SETTINGS_TEXT_SIZE - 1);
}

static int show(struct fixture *f, enum who role, struct setting_value *v)
{
    const struct identity who = {.who = role, .id = "otto"};
    return ota_setting_show(&f->ota, f->reader, &f->arena, &who, SETTING_GATEWAY_KEY, v, &f->e);
}

static void the_gateway_key_is_sealed(void **state)
{
    struct fixture *f = *state;
    struct setting_value v;
    assert_ok(show(f, WHO_ADMIN, &v), f->e);
    assert_null(v.text);
    assert_int_equal(put(f, SETTING_GATEWAY_KEY, KEY), 0);
    assert_int_equal(strlen(now(f).gateway_hash), 64);
    assert_ok(show(f, WHO_OPERATOR, &v), f->e);
    assert_string_equal(v.text, KEY);
    assert_string_equal(v.changed_by, "anna");
    assert_int_equal(show(f, WHO_VIEWER, &v), ERR_DENIED);
    struct setting_value *all;
    size_t n;
    assert_ok(ota_setting_list(&f->ota, f->reader, &f->arena, &all, &n, &f->e), f->e);
    for (size_t i = 0; i < n; i++)
        assert_true(all[i].text == NULL || strcmp(all[i].text, KEY) != 0);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM setting WHERE value LIKE '%" KEY "%'"), 0);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM event WHERE detail <> ''"), 0);
    /* With another key it cannot be shown, and counts. */
    char hash[SHA256_HEX_SIZE];
    memcpy(hash, now(f).gateway_hash, sizeof hash);
    struct sealer *other = new_sealer(f, "other.key");
    f->ota.sealer = other;
    assert_int_equal(show(f, WHO_ADMIN, &v), ERR_CONFLICT);
    assert_ok(fixture_write(f, run_load, NULL), f->e);
    assert_string_equal(now(f).gateway_hash, hash);
    assert_int_equal(put(f, SETTING_GATEWAY_KEY, NULL), 0);
    assert_string_equal(now(f).gateway_hash, "");
    sealer_free(other);
}

static int run_sql(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    return db_exec(db, arg, e);
}

static void a_row_that_is_none_counts_as_none(void **state)
{
    struct fixture *f = *state;
    static char sql[] = "INSERT INTO setting VALUES ('" SETTING_POLLING "', 'x', 1, 'x'),"
                        " ('" SETTING_GATEWAY_KEY "', 'short', 1, 'x'), ('a newer one', 'x', 1, 'x')";
    assert_ok(fixture_write(f, run_sql, sql), f->e);
    assert_ok(fixture_write(f, run_load, NULL), f->e);
    assert_int_equal(now(f).poll_seconds, 300);
    assert_string_equal(now(f).gateway_hash, "");
    struct setting_value v;
    assert_int_equal(show(f, WHO_ADMIN, &v), ERR_CONFLICT);
}

static void what_was_not_committed_is_read_again(void **state)
{
    struct fixture *f = *state;
    struct put p = {.key = SETTING_TARGET_TOKEN, .text = "false", .fails = true};
    assert_false(settings_stale(f->ota.settings));
    assert_int_equal(fixture_write(f, run_put, &p), ERR_BUSY);
    settings_mark_stale(f->ota.settings); /* as the server does */
    assert_true(settings_stale(f->ota.settings));
    assert_ok(fixture_write(f, run_load, NULL), f->e);
    assert_true(now(f).target_token);
    assert_false(settings_stale(f->ota.settings));
}

static void times_and_models(void **state)
{
    struct fixture *f = *state;
    char text[SETTINGS_TIME_SIZE];
    assert_string_equal(settings_time_text(0, text), "00:00:00");
    assert_string_equal(settings_time_text(86399, text), "23:59:59");
    assert_string_equal(settings_time_text(864000, text), "23:59:59");
    assert_string_equal(settings_time_text(-1, text), "00:00:00");
    const struct ddi_settings s = now(f);
    assert_true(settings_unsigned_model(&s, STR("older")));
    assert_false(settings_unsigned_model(&s, STR("olde")));
    assert_false(settings_unsigned_model(&s, STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_row_wins_over_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_means_something_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(the_gateway_key_is_sealed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_that_is_none_counts_as_none, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_not_committed_is_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(times_and_models, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
