/* Files of metadata in memory: read once, shared, bounded. */
#include "identity_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "ota/trust_files.h"

#define LARGE (1u << 20)

struct adding {
    struct metadata m;
    size_t count;
};

/* That many versions, of which each says its number; their hashes are told apart by it too. */
static int run_add(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct adding *x = arg;
    char *body = arena_alloc(&f->arena, (size_t)x->m.size + 1);
    char hash[SHA256_HEX_SIZE];
    int rc = 0;
    assert_non_null(body);
    for (size_t i = 1; rc == 0 && i <= x->count; i++) {
        memset(body, 'a' + (int)(i % 26), (size_t)x->m.size);
        snprintf(hash, sizeof hash, "%064zu", i);
        x->m.version = (int64_t)i;
        x->m.sha256 = hash;
        x->m.body = (struct str){.p = body, .n = (size_t)x->m.size};
        rc = store_metadata_add(db, &x->m, f->now_ms, e);
    }
    return rc;
}

static void add(struct fixture *f, size_t count, int64_t size)
{
    struct adding x = {.m = {.role = "targets", .size = size, .expires_at = f->now_ms + 1}, .count = count};
    assert_ok(fixture_write(f, run_add, &x), f->e);
}

static struct metadata row(struct fixture *f, size_t version)
{
    struct metadata m;
    assert_ok(store_metadata_get(f->reader, &f->arena, REPOSITORY_IMAGE, "targets", (int64_t)version, false,
                                 &m, &f->e),
              f->e);
    return m;
}

static struct trust_file *get(struct fixture *f, const struct metadata *m)
{
    struct trust_file *file = NULL;
    assert_ok(trust_file_get(trust_files_of(&f->ota), f->reader, m, &file, &f->e), f->e);
    return file;
}

static bool is_here(struct fixture *f, const struct metadata *m)
{
    struct trust_file *file = trust_file_find(trust_files_of(&f->ota), m->sha256);
    trust_file_unref(file);
    return file != NULL;
}

static int run_forget(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    (void)arg;
    return db_exec(db, "DELETE FROM metadata", e);
}

static void test_read_once_and_shared(void **state)
{
    struct fixture *f = *state;
    add(f, 2, 3);
    struct metadata one = row(f, 1), two = row(f, 2);
    assert_false(is_here(f, &one));
    struct trust_file *first = get(f, &one);
    assert_true(str_is(trust_file_body(first), "bbb"));
    assert_ok(fixture_write(f, run_forget, NULL), f->e);
    struct trust_file *again = get(f, &one); /* nobody asked the database */
    assert_ptr_equal(again, first);
    struct trust_file *none = NULL;
    assert_int_equal(trust_file_get(trust_files_of(&f->ota), f->reader, &two, &none, &f->e), ERR_NOT_FOUND);
    assert_null(none);
    trust_file_unref(first);
    assert_true(str_is(trust_file_body(again), "bbb"));
    trust_file_unref(again);
}

static void test_bounded_by_bytes(void **state)
{
    struct fixture *f = *state;
    enum { ROOM = TRUST_FILES_BYTES / LARGE };
    add(f, ROOM + 1, LARGE);
    struct metadata rows[ROOM + 2];
    for (size_t i = 1; i <= ROOM + 1; i++)
        rows[i] = row(f, i);
    struct trust_file *held = get(f, &rows[2]);
    trust_file_unref(get(f, &rows[1]));
    for (size_t i = 3; i <= ROOM; i++)
        trust_file_unref(get(f, &rows[i]));
    assert_int_equal(trust_files_of(&f->ota)->bytes, TRUST_FILES_BYTES);
    assert_true(is_here(f, &rows[1])); /* and so it was asked for later than the second */
    trust_file_unref(get(f, &rows[ROOM + 1]));
    assert_int_equal(trust_files_of(&f->ota)->bytes, TRUST_FILES_BYTES);
    assert_true(is_here(f, &rows[1]));
    assert_true(is_here(f, &rows[ROOM + 1]));
    assert_false(is_here(f, &rows[2]));
    struct str text = trust_file_body(held); /* whoever sends it has it */
    assert_int_equal(text.n, LARGE);
    assert_int_equal(text.p[LARGE - 1], 'c');
    trust_file_unref(held);
}

static void test_bounded_by_number(void **state)
{
    struct fixture *f = *state;
    add(f, TRUST_FILES_MAX + 1, 1);
    for (size_t i = 1; i <= TRUST_FILES_MAX + 1; i++) {
        struct metadata m = row(f, i);
        trust_file_unref(get(f, &m));
    }
    struct metadata first = row(f, 1), second = row(f, 2), last = row(f, TRUST_FILES_MAX + 1);
    assert_int_equal(trust_files_of(&f->ota)->count, TRUST_FILES_MAX);
    assert_false(is_here(f, &first));
    assert_true(is_here(f, &second));
    assert_true(is_here(f, &last));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_read_once_and_shared),
        TEST(test_bounded_by_bytes),
        TEST(test_bounded_by_number),
    };
    return cmocka_run_group_tests_name("ota/trust_files", tests, NULL, NULL);
}
