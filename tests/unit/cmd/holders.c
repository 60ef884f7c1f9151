/* Holders: pairs that are made, loaded and saved, all or none, and what they sign together. */
#include "check.h"

#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "cmd/holders.h"

struct fixture {
    struct arena arena;
    char dir[64];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    arena_init(&f->arena, 16u << 20);
    snprintf(f->dir, sizeof f->dir, "/tmp/pqota-holders-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(chdir(f->dir), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    static const char *const made[] = {"a.key", "b.key", "c.key"};
    for (size_t i = 0; i < 3; i++)
        (void)unlink(made[i]);
    int rc = chdir("/") | rmdir(f->dir);
    arena_fini(&f->arena);
    free(f);
    return rc;
}

static void pairs(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    auto_holders struct holders h = {.count = 0};
    assert_int_equal(holders_make(&h, HOLDERS_OFFLINE, "a.key", &f->arena, &e), 0);
    assert_int_equal(holders_make(&h, HOLDERS_ONLINE, "b.key", &f->arena, &e), 0);
    assert_int_equal(holders_make(&h, HOLDERS_MANIFEST, "c.key", &f->arena, &e), 0);
    static const char *const schemes[] = {"ml-dsa-87/1", "ed25519", "ml-dsa-65/1", "ed25519", "ml-dsa-44/1"};
    assert_int_equal(h.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(h.key[i].scheme->name, schemes[i]);
    struct make_role r = holders_role("targets", &h, 2);
    assert_string_equal(r.name, "targets");
    assert_int_equal(r.key_count, 5);
    assert_int_equal(r.threshold, 2);
}

static void saved_all_or_none(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    auto_holders struct holders h = {.count = 0};
    assert_int_equal(holders_make(&h, HOLDERS_MANIFEST, "a.key", &f->arena, &e), 0);
    assert_int_equal(holders_make(&h, HOLDERS_MANIFEST, "b.key", &f->arena, &e), 0);
    assert_int_equal(file_write_atomic("b.key", "mine", 4, 0600, &e), 0);
    assert_int_equal(holders_save(&h, NULL, &e), ERR_CONFLICT);
    assert_false(file_exists("a.key"));
    auto_buf struct buf text;
    buf_init(&text, 64);
    assert_int_equal(file_read("b.key", 64, &text, &e), 0);
    assert_string_equal(text.p, "mine");
    assert_int_equal(unlink("b.key"), 0);
    assert_int_equal(holders_save(&h, NULL, &e), 0);
    assert_true(file_exists("a.key") && file_exists("b.key"));
    /* Loaded again, they are not saved again. */
    auto_holders struct holders again = {.count = 0};
    struct passphrase none;
    passphrase_init(&none, NULL);
    assert_int_equal(holders_load(&again, "a.key", &none, &f->arena, &e), 0);
    assert_string_equal(again.key[0].keyid, h.key[0].keyid);
    assert_null(again.file[0]);
    assert_int_equal(holders_save(&again, NULL, &e), 0);
    assert_int_equal(holders_load(&again, "a.key", &none, &f->arena, &e), ERR_CONFLICT);
    assert_int_equal(again.count, 1);
    assert_int_equal(again.own_count, 1);
    unlink("a.key");
    unlink("b.key");
}

static void too_many(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    auto_holders struct holders h = {.count = 0};
    for (int i = 0; i < HOLDERS_MAX; i++)
        assert_int_equal(holders_make(&h, HOLDERS_MANIFEST, "a.key", &f->arena, &e), 0);
    assert_int_equal(holders_make(&h, HOLDERS_MANIFEST, "a.key", &f->arena, &e), ERR_TOO_LARGE);
    assert_int_equal(h.own_count, HOLDERS_MAX);
}

static void sealed(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    auto_holders struct holders h = {.count = 0}, other = {.count = 0};
    auto_json_mut yyjson_mut_doc *body = NULL;
    assert_int_equal(holders_make(&h, HOLDERS_ONLINE, "a.key", &f->arena, &e), 0);
    assert_int_equal(holders_make(&other, HOLDERS_ONLINE, "b.key", &f->arena, &e), 0);
    assert_int_equal(make_body(TUF_TARGETS, 1, 1800000000, &body, &e), 0);
    const struct holders *const both[] = {&h, &other, NULL};
    struct str signed_by_both, by_nobody;
    assert_int_equal(holders_seal(body, both, &f->arena, &signed_by_both, &e), 0);
    assert_int_equal(holders_seal(body, NULL, &f->arena, &by_nobody, &e), 0);
    auto_json yyjson_doc *a = NULL, *b = NULL;
    assert_int_equal(json_parse_object(signed_by_both, &a, &e), 0);
    assert_int_equal(json_parse_object(by_nobody, &b, &e), 0);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(yyjson_doc_get_root(a), "signatures")), 4);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(yyjson_doc_get_root(b), "signatures")), 0);
    assert_true(yyjson_equals(yyjson_obj_get(yyjson_doc_get_root(a), "signed"),
                              yyjson_obj_get(yyjson_doc_get_root(b), "signed")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),
        cmocka_unit_test(saved_all_or_none),
        cmocka_unit_test(too_many),
        cmocka_unit_test(sealed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
