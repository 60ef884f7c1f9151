#include "identity_fixture.h"

#include <stdio.h>
#include <string.h>

struct call {
    struct token_request request;
    char text[TOKEN_TEXT_SIZE];
    struct token token;
};

static int run_new(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct call *c = arg;
    return ota_token_new(&f->ota, db, &f->arena, &f->admin, &c->request, c->text, &c->token, e);
}

static int run_revoke(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_token_revoke(&f->ota, db, &f->arena, &f->admin, *(int64_t *)arg, e);
}

static void is_kept_as_its_hash(void **state)
{
    struct fixture *f = *state;
    struct call a = {.request = {.model = "gw1", .note = "rack 3", .uses = 10, .seconds = 60}}, b = a;
    char hash[SHA256_HEX_SIZE], sql[256];
    assert_ok(fixture_write(f, run_new, &a), f->e);
    assert_ok(fixture_write(f, run_new, &b), f->e);
    assert_int_equal(strlen(a.text), 44);
    assert_memory_equal(a.text, "pqt_", 4);
    assert_string_not_equal(a.text, b.text);
    assert_int_equal(a.token.expires_at, f->now_ms + 60000);
    assert_ok(ota_token_hash(str_of(a.text), hash, &f->e), f->e);
    snprintf(sql, sizeof sql, "SELECT pk FROM token WHERE hash = '%s' AND created_by = 'anna'", hash);
    assert_int_equal(fixture_ask(f, sql), a.token.id);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM event WHERE detail LIKE '%%%s%%'", a.text + 4);
    assert_int_equal(fixture_ask(f, sql), 0);
    /* FIPS 180-4's "abc". */
    assert_ok(ota_token_hash(STR("abc"), hash, &f->e), f->e);
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void lists_newest_first(void **state)
{
    struct fixture *f = *state;
    struct call c = {.request = {.model = "gw1", .uses = 1, .seconds = 60}};
    struct token *list = NULL;
    size_t count = 0;
    for (int i = 0; i < 5; i++)
        assert_ok(fixture_write(f, run_new, &c), f->e);
    assert_ok(ota_token_list(f->reader, &f->arena, 0, 3, &list, &count, &f->e), f->e);
    assert_int_equal(count, 3);
    assert_int_equal(list[0].id, c.token.id);
    assert_null(list[0].hash);
    assert_ok(ota_token_list(f->reader, &f->arena, list[2].id, 3, &list, &count, &f->e), f->e);
    assert_int_equal(count, 2);
    assert_ok(fixture_write(f, run_revoke, &list[0].id), f->e);
    f->now_ms += 5;
    assert_ok(fixture_write(f, run_revoke, &list[0].id), f->e); /* twice is fine, and once noted */
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM event WHERE kind = 'token.revoked'"), 1);
    int64_t none = 999;
    assert_int_equal(fixture_write(f, run_revoke, &none), ERR_NOT_FOUND);
}

static void refuses_what_makes_no_sense(void **state)
{
    struct fixture *f = *state;
    const struct token_request bad[] = {
        {.model = "", .uses = 1, .seconds = 60},
        {.model = "a b", .uses = 1, .seconds = 60},
        {.model = "gw1", .uses = 0, .seconds = 60},
        {.model = "gw1", .uses = TOKEN_USES_MAX + 1, .seconds = 60},
        {.model = "gw1", .uses = 1, .seconds = 0},
        {.model = "gw1", .uses = 1, .seconds = TOKEN_SECONDS_MAX + 1},
        {.model = "gw1", .device = "a/b", .uses = 1, .seconds = 60},
        {.model = "gw1", .device = "gw-1", .uses = 2, .seconds = 60},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct call c = {.request = bad[i]};
        assert_int_equal(fixture_write(f, run_new, &c), ERR_INVALID);
    }
    struct enrolment en;
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1", &en), f->e);
    struct call c = {.request = {.model = "gw2", .device = "gw-1", .uses = 1, .seconds = 60}};
    assert_int_equal(fixture_write(f, run_new, &c), ERR_CONFLICT);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM token"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_kept_as_its_hash),
        TEST(lists_newest_first),
        TEST(refuses_what_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
