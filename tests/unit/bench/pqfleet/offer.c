#include "pqfleet/offer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct err e;

static void paths(void **state)
{
    (void)state;
    static const struct {
        const char *href, *path;
    } rows[] = {
        {"/api/firmware/1/file", "/api/firmware/1/file"},
        {"http://localhost:8080/a?c=1", "/a?c=1"},
        {"https://[::1]:8443/a/b", "/a/b"},
        {"/", "/"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str path = {NULL, 0};
        assert_int_equal(offer_path(str_of(rows[i].href), &path, &e), 0);
        assert_true(str_is(path, rows[i].path));
    }
}

static void no_paths(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",     "a/b",        "http://localhost", "ftp://localhost/a", "//host/a", "http:///a",
        "/a b", "/a\r\nX: y", "/a\x7f",           "/\xc3\xa4",         "https://", "http://a//b"};
    struct str path = STR("untouched");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(offer_path(str_of(rows[i]), &path, &e), ERR_INVALID);
    char longer[OFFER_PATH_MAX + 1];
    memset(longer, '/', 1);
    memset(longer + 1, 'a', sizeof longer - 1);
    assert_int_equal(offer_path((struct str){longer, OFFER_PATH_MAX - 1}, &path, &e), 0);
    path = STR("untouched");
    assert_int_equal(offer_path((struct str){longer, OFFER_PATH_MAX}, &path, &e), ERR_INVALID);
    assert_true(str_is(path, "untouched"));
}

static void files(void **state)
{
    (void)state;
    auto_json yyjson_doc *doc = NULL;
    struct offer o = {0};
    assert_int_equal(json_parse(STR("[11, -1, 1.5, \"11\"]"), &doc, &e), 0);
    yyjson_val *sizes = yyjson_doc_get_root(doc), *good = yyjson_arr_get(sizes, 0);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(offer_add(&o, STR("/f"), yyjson_arr_get(sizes, i), STR(SHA256), &e), ERR_INVALID);
    assert_int_equal(offer_add(&o, STR("/f"), NULL, STR(SHA256), &e), ERR_INVALID);
    assert_int_equal(offer_add(&o, STR("/f"), good, STR("e3b0"), &e), ERR_INVALID);
    assert_int_equal(offer_add(&o, (struct str){NULL, 0}, good, STR(SHA256), &e), ERR_INVALID);
    assert_int_equal(o.file_count, 0);
    for (size_t i = 0; i < OFFER_ARTIFACTS_MAX; i++)
        assert_int_equal(offer_add(&o, STR("http://h/f"), good, STR(SHA256), &e), 0);
    assert_int_equal(offer_add(&o, STR("http://h/f"), good, STR(SHA256), &e), ERR_TOO_LARGE);
    assert_int_equal(o.file_count, OFFER_ARTIFACTS_MAX);
    assert_int_equal(o.files[0].size, 11);
    assert_int_equal(o.files[0].sha256[0], 0xe3);
    assert_true(str_is(o.files[0].path, "/f"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(paths), cmocka_unit_test(no_paths),
                                       cmocka_unit_test(files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
