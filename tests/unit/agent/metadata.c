/* Where metadata lie: whatever a role is called, its file is in the folder and its own. */
#include "bench.h"

#include "agent/metadata.h"

static struct bench b;
static struct metadata m;

static void open_it(void)
{
    struct err e = {0};
    bench_init(&b);
    if (metadata_open(&m, &b.files, true, &e) != 0)
        fail_msg("%s", e.text);
}

static void kept_as_it_was(void **s)
{
    (void)s;
    open_it();
    struct pqota_metadata md = metadata_callbacks(&m);
    char got[64];
    size_t n = 99;
    assert_int_equal(md.load(md.ctx, "image", "root", got, sizeof got, &n), PQOTA_OK);
    assert_int_equal(n, 0);
    assert_int_equal(md.save(md.ctx, "image", "root", "{\"a\":\n1}\0x", 10), PQOTA_OK);
    assert_int_equal(md.save(md.ctx, "director", "root", "other", 5), PQOTA_OK);
    assert_int_equal(md.load(md.ctx, "image", "root", got, sizeof got, &n), PQOTA_OK);
    assert_int_equal(n, 10);
    assert_memory_equal(got, "{\"a\":\n1}\0x", 10);
    assert_int_equal(md.save(md.ctx, "image", "root", "new", 3), PQOTA_OK);
    assert_int_equal(md.load(md.ctx, "image", "root", got, sizeof got, &n), PQOTA_OK);
    assert_int_equal(n, 3);
    assert_int_equal(md.load(md.ctx, "image", "root", got, 2, &n), PQOTA_E_FULL);
    assert_int_equal(md.drop(md.ctx, "image", "root"), PQOTA_OK);
    assert_int_equal(md.drop(md.ctx, "image", "root"), PQOTA_OK);
    assert_int_equal(md.load(md.ctx, "image", "root", got, sizeof got, &n), PQOTA_OK);
    assert_int_equal(n, 0);
    assert_int_equal(md.load(md.ctx, "director", "root", got, sizeof got, &n), PQOTA_OK);
    assert_int_equal(n, 5);
    bench_fini(&b);
}

static void names_stay_in_the_folder(void **s)
{
    char longest[257], longer[257];
    memset(longest, '/', 256);
    memset(longer, '/', 256);
    longest[256] = longer[256] = '\0';
    longer[255] = '.';
    const char *const roles[] = {"root",     "timestamp", "model-gw", "model-GW", "../root", "..",
                                 ".",        "/x",        "a/b",      "a%2Fb",    "a.json",  "?#",
                                 "\xc3\xa9", "%h",        " ",        "model_gw", longest,   longer};
    enum { COUNT = sizeof roles / sizeof *roles };
    static char paths[COUNT][PATH_MAX];
    (void)s;
    open_it();
    struct pqota_metadata md = metadata_callbacks(&m);
    struct err e = {0};
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(metadata_path(&m, "image", roles[i], paths[i], &e), 0);
        size_t dir = strlen(m.image);
        assert_memory_equal(paths[i], m.image, dir);
        assert_int_equal(paths[i][dir], '/');
        assert_null(strchr(paths[i] + dir + 1, '/'));
        assert_true(paths[i][dir + 1] != '.');
        assert_int_equal(md.save(md.ctx, "image", roles[i], &i, sizeof i), PQOTA_OK);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(paths[i], paths[k]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        size_t got, n;
        assert_int_equal(md.load(md.ctx, "image", roles[i], &got, sizeof got, &n), PQOTA_OK);
        assert_int_equal(n, sizeof got);
        assert_int_equal(got, i);
    }
    assert_int_equal(metadata_path(&m, "image", "", paths[0], &e), ERR_INVALID);
    bench_fini(&b);
}

static void what_a_power_cut_left_goes(void **s)
{
    (void)s;
    open_it();
    struct err e = {0};
    bench_write(&b, "state-dir/trust/image/root.json.123.tmp", "half");
    bench_write(&b, "state-dir/trust/director/root.json", "whole");
    assert_int_equal(metadata_open(&m, &b.files, true, &e), 0);
    assert_string_equal(bench_read(&b, "state-dir/trust/image/root.json.123.tmp"), "");
    assert_string_equal(bench_read(&b, "state-dir/trust/director/root.json"), "whole");
    bench_fini(&b);
}

static void a_folder_that_cannot_be_written(void **s)
{
    (void)s;
    open_it();
    struct pqota_metadata md = metadata_callbacks(&m);
    bench_sh(&b, "rmdir '%s' && touch '%s'", m.image, m.image);
    size_t n;
    char got[4];
    assert_int_equal(md.save(md.ctx, "image", "root", "x", 1), PQOTA_E_AGAIN);
    assert_int_equal(md.load(md.ctx, "image", "root", got, sizeof got, &n), PQOTA_E_AGAIN);
    assert_int_equal(md.drop(md.ctx, "image", "root"), PQOTA_E_AGAIN);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_as_it_was),
        cmocka_unit_test(names_stay_in_the_folder),
        cmocka_unit_test(what_a_power_cut_left_goes),
        cmocka_unit_test(a_folder_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
