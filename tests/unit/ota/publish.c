/* Publishing, publishing again, deleting. */
#include "release_fixture.h"

#include <unistd.h>

#include "ota/catalogue.h"
#include "ota/retention.h"
#include "store/blobs.h"

static void test_one_file(void **state)
{
    struct fixture *f = *state;
    struct release r;
    bool made = false;
    assert_ok(try_publish(f, "gw", "1.0", "b,a", HASH_A, &r, &made), f->e);
    assert_true(made);
    assert_int_equal(r.state, RELEASE_PUBLISHED);
    assert_int_equal(r.model_count, 2);
    assert_string_equal(r.models[0], "a");
    assert_string_equal(r.models[1], "b");
    assert_int_equal(r.sequence, 1);
    assert_int_equal(r.artifact_count, 1);
    assert_string_equal(r.artifacts[0].sha256, HASH_A);
    assert_string_equal(r.artifacts[0].filename, "image.bin");
    assert_int_equal(r.artifacts[0].size, 1000);
    assert_int_equal(ask(f, "SELECT count(*) FROM event WHERE kind = 'release.published' AND who = 'anna'"),
                     1);
    assert_string_equal(ask_text(f, "SELECT subject FROM event WHERE kind = 'release.published'"), "gw/1.0");
}

static void test_sequence_per_model(void **state)
{
    struct fixture *f = *state;
    publish(f, "gw", "9", "a");
    publish(f, "gw", "2", "a,b");
    publish(f, "other", "2", "b");
    struct release r;
    assert_ok(ota_catalogue_latest(f->reader, &f->arena, NULL, "a", &r, &f->e), f->e);
    assert_string_equal(r.version, "2"); /* the number decides, not the version's text */
    assert_int_equal(r.sequence, 2);
    assert_ok(ota_catalogue_latest(f->reader, &f->arena, NULL, "b", &r, &f->e), f->e);
    assert_string_equal(r.name, "other");
    assert_int_equal(r.sequence, 2);
    assert_int_equal(ota_catalogue_latest(f->reader, &f->arena, NULL, "c", &r, &f->e), ERR_NOT_FOUND);
}

static void test_again(void **state)
{
    struct fixture *f = *state;
    struct release r, again;
    bool made;
    assert_ok(try_publish(f, "gw", "1.0", "a,b", HASH_A, &r, &made), f->e);
    made = true;
    assert_ok(try_publish(f, "gw", "1.0", "b,a", HASH_A, &again, &made), f->e);
    assert_false(made);
    assert_int_equal(again.pk, r.pk);
    made = true;
    assert_ok(try_publish(f, "gw", "1.0", NULL, HASH_A, &again, &made), f->e);
    assert_false(made);
    assert_int_equal(try_publish(f, "gw", "1.0", "a,b", HASH_B, &again, &made), ERR_CONFLICT);
    assert_non_null(strstr(f->e.text, "other bytes"));
    assert_int_equal(try_publish(f, "gw", "1.0", "a", HASH_A, &again, &made), ERR_CONFLICT);
    assert_int_equal(ask(f, "SELECT count(*) FROM release"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM event"), 1);
    assert_int_equal(ask(f, "SELECT sum(last) FROM model_sequence"), 2);
    assert_int_equal(ask(f, "SELECT count(*) FROM artifact"), 1);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name, *version, *models;
        const char *says;
    } rows[] = {
        {"-x", "1", "a", "name"},
        {"x", "1/2", "a", "version"},
        {"x", "", "a", "version"},
        {"x", "1", "a,,b", "model"},
        {"x", "1", "a,a", "twice"},
        {"x", "1", "a b", "model"},
        {"x", "1", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "at most 16"},
    };
    struct release r;
    bool made;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(try_publish(f, rows[i].name, rows[i].version, rows[i].models, HASH_A, &r, &made),
                         ERR_INVALID);
        assert_non_null(strstr(f->e.text, rows[i].says));
    }
    assert_int_equal(ask(f, "SELECT count(*) FROM release"), 0);
}

static struct publish spooled(struct fixture *f, struct spool **spool, const char *data, const char **path)
{
    static char sha256[SHA256_HEX_SIZE];
    uint64_t size;
    assert_ok(spool_new(f->store, spool, &f->e), f->e);
    assert_ok(spool_write(*spool, data, strlen(data), &f->e), f->e);
    assert_ok(spool_finish(*spool, path, &size, sha256, &f->e), f->e);
    return (struct publish){.name = STR("gw"),
                            .version = STR("1"),
                            .filename = STR("f"),
                            .sha256 = sha256,
                            .size = (int64_t)size};
}

static void test_keeps_the_bytes(void **state)
{
    struct fixture *f = *state;
    struct spool *spool;
    const char *path;
    struct publish p = spooled(f, &spool, "firmware", &path);
    assert_ok(ota_publish_keep(&f->ota, &f->arena, &p, path, &f->e), f->e);
    spool_free(spool);
    struct artifact file = {.filename = "f", .sha256 = p.sha256, .size = 8};
    int fd = -1;
    char text[16] = {0};
    assert_ok(ota_catalogue_open(&f->ota, &file, &fd, &f->e), f->e);
    assert_int_equal(read(fd, text, sizeof text), 8);
    assert_string_equal(text, "firmware");
    close(fd);
    file.size = 9;
    assert_int_equal(ota_catalogue_open(&f->ota, &file, &fd, &f->e), ERR_CORRUPT);
    file.sha256 = HASH_A;
    assert_int_equal(ota_catalogue_open(&f->ota, &file, &fd, &f->e), ERR_CORRUPT);
    /* Nothing refers to it: the sweep may have it. */
    assert_int_equal(ota_blob_keep(f->reader, p.sha256, &f->e), 0);
}

static void test_empty_is_refused(void **state)
{
    struct fixture *f = *state;
    struct spool *spool;
    const char *path;
    struct publish p = spooled(f, &spool, "", &path);
    assert_int_equal(ota_publish_keep(&f->ota, &f->arena, &p, path, &f->e), ERR_INVALID);
    spool_free(spool);
}

static void test_delete(void **state)
{
    struct fixture *f = *state;
    struct release a, b, r;
    bool made;
    assert_ok(try_publish(f, "gw", "1", "m", HASH_A, &a, &made), f->e);
    assert_ok(try_publish(f, "gw", "2", "m", HASH_A, &b, &made), f->e);
    assert_int_equal(ota_blob_keep(f->reader, HASH_A, &f->e), 1);
    assert_ok(try_unpublish(f, b.pk), f->e);
    assert_int_equal(ota_blob_keep(f->reader, HASH_A, &f->e), 1); /* gw 1 has it too */
    assert_ok(ota_catalogue_latest(f->reader, &f->arena, NULL, "m", &r, &f->e), f->e);
    assert_int_equal(r.pk, a.pk);
    assert_int_equal(ota_catalogue_show(f->reader, &f->arena, b.pk, NULL, &r, &f->e), ERR_NOT_FOUND);
    assert_int_equal(try_unpublish(f, b.pk), ERR_NOT_FOUND);
    assert_int_equal(try_publish(f, "gw", "2", "m", HASH_A, &r, &made), ERR_CONFLICT);
    assert_non_null(strstr(f->e.text, "deleted"));
    assert_ok(try_unpublish(f, a.pk), f->e);
    assert_int_equal(ota_blob_keep(f->reader, HASH_A, &f->e), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM artifact"), 0);
    struct release c = publish(f, "gw", "3", "m");
    assert_int_equal(c.sequence, 3); /* a number is never given twice */
}

static void test_delete_while_used(void **state)
{
    struct fixture *f = *state;
    add_device(f, "d1", "m");
    struct release r = publish(f, "gw", "1", "m");
    int64_t d = deploy(f, r.pk, TARGET_ALL, "");
    assert_int_equal(try_unpublish(f, r.pk), ERR_CONFLICT);
    int64_t action = assert_offered(f, "d1", NULL, r.pk);
    assert_ok(try_report(f, "d1", action, ACTION_INSTALLING, NULL), f->e);
    cancel(f, d);
    assert_int_equal(try_unpublish(f, r.pk), ERR_CONFLICT); /* it is being installed still */
    assert_non_null(strstr(f->e.text, "1 device"));
    assert_ok(try_report(f, "d1", action, ACTION_FAILED, NULL), f->e);
    assert_ok(try_unpublish(f, r.pk), f->e);
}

static void test_who_sees_what(void **state)
{
    struct fixture *f = *state;
    struct release mine = publish(f, "gw", "1", "m"), other = publish(f, "cam", "1", "n"), r;
    assert_ok(ota_catalogue_show(f->reader, &f->arena, mine.pk, "m", &r, &f->e), f->e);
    assert_int_equal(ota_catalogue_show(f->reader, &f->arena, other.pk, "m", &r, &f->e), ERR_NOT_FOUND);
    assert_ok(ota_catalogue_show(f->reader, &f->arena, other.pk, NULL, &r, &f->e), f->e);
    const struct release_filter of_m = {.model = "m"}, all = {0}, named = {.name = "cam"};
    struct release *list;
    size_t count;
    bool more;
    assert_ok(ota_catalogue_list(f->reader, &f->arena, &of_m, 0, 10, &list, &count, &more, &f->e), f->e);
    assert_int_equal(count, 1);
    assert_int_equal(list[0].pk, mine.pk);
    assert_false(more);
    assert_ok(ota_catalogue_list(f->reader, &f->arena, &named, 0, 10, &list, &count, &more, &f->e), f->e);
    assert_int_equal(count, 1);
    assert_ok(ota_catalogue_list(f->reader, &f->arena, &all, 0, 1, &list, &count, &more, &f->e), f->e);
    assert_int_equal(count, 1);
    assert_int_equal(list[0].pk, other.pk);
    assert_true(more);
    assert_ok(ota_catalogue_list(f->reader, &f->arena, &all, list[0].pk, 1, &list, &count, &more, &f->e),
              f->e);
    assert_int_equal(count, 1);
    assert_int_equal(list[0].pk, mine.pk);
    assert_false(more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_file, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_sequence_per_model, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_again, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_refused, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_keeps_the_bytes, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_empty_is_refused, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_delete, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_delete_while_used, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_who_sees_what, release_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("ota/publish", tests, NULL, NULL);
}
