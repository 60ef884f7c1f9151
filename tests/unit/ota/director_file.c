/* The director's files: manifests around what the vendor signed; what is left of rows that are damaged. */
#include "director_fixture.h"

#include "pqota_manifest.h"
#include "store/signed.h"
#include "trust/manifest.h"

/* --- manifests ------------------------------------------------------------------------------------------ */

static int run_entry(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    int64_t release = 1;
    return store_signed_entry_set(db, release, "m", *(struct str *)arg, e);
}

static struct manifest_order read_order(struct str text)
{
    struct manifest_signed whole;
    struct manifest_order order;
    const struct manifest_bytes bytes = {(const unsigned char *)text.p, text.n};
    assert_true(manifest_open(bytes, &whole));
    assert_true(manifest_read_order(whole.payload, &order));
    assert_true(text.n <= PQOTA_MANIFEST_MAX);
    return order;
}

static void manifests(void **state)
{
    struct fixture *f = *state;
    struct director_work w;
    assert_ok(director_try_fetch(f, DIRECTOR_MANIFEST, "d1", &w), f->e);
    struct manifest_order empty = read_order(w.text);
    assert_null(empty.entry.p);
    assert_int_equal(empty.version, f->now_ms / 1000);
    assert_int_equal(empty.expires_s, f->now_ms / 1000 + LIFE_S);

    struct release one = director_publish(f, "1");
    director_install(f, &one, "0");
    assert_int_equal(director_try_fetch(f, DIRECTOR_MANIFEST, "d1", &w), ERR_NOT_FOUND);
    assert_non_null(strstr(f->e.text, "gw 1 was not signed for small devices"));
    struct manifest_entry entry = {
        .model = STR("m"), .name = STR("gw"), .version = STR("1"), .sequence = 1, .size = 1000};
    struct manifest_draft draft;
    static const char sig[PQOTA_MANIFEST_SIG];
    struct str cose[2];
    for (int i = 0; i < 2; i++) { /* the vendor may sign it again */
        entry.counter = i;
        assert_ok(manifest_draft_entry(&entry, &f->arena, &draft, &f->e), f->e);
        assert_ok(manifest_seal(&draft, (struct str){sig, sizeof sig}, &f->arena, &cose[i], &f->e), f->e);
        assert_ok(fixture_write(f, run_entry, &cose[i]), f->e);
        uint64_t before = director_count(f, DIRECTOR_MANIFEST);
        for (int k = 0; k < 3; k++) {
            assert_ok(director_try_fetch(f, DIRECTOR_MANIFEST, "d1", &w), f->e);
            struct manifest_order order = read_order(w.text);
            assert_int_equal(order.entry.n, cose[i].n);
            assert_memory_equal(order.entry.p, cose[i].p, cose[i].n);
            assert_int_equal(order.version, empty.version + 1 + (uint32_t)i);
        }
        assert_int_equal(director_count(f, DIRECTOR_MANIFEST) - before, 1);
    }
    assert_int_equal(director_count(f, DIRECTOR_TARGETS), 0);
}

static void a_manifest_needs_its_key(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct director_work w;
    director_make_keys(f, "wrong", director_pair, 2, path);
    director_use_keys(f, path, path);
    assert_int_equal(director_try_fetch(f, DIRECTOR_MANIFEST, "d1", &w), ERR_UNSUPPORTED);
    assert_non_null(strstr(f->e.text, "ml-dsa-44/1"));
}

static void damaged_rows(void **state)
{
    struct fixture *f = *state;
    struct director_work w;
    static char cut[] = "UPDATE director SET signatures = substr(signatures, 1, length(signatures) - 1)",
                longer[] = "UPDATE director SET signatures = CAST(signatures || x'00' AS BLOB)",
                body[] = "UPDATE director SET body = x'7b7d'";
    struct director_named first = director_fetch(f);
    director_sql(f, cut);
    struct director_named second = director_fetch(f); /* not by our keys as far as one can tell: made anew */
    assert_named(second, "", true);
    assert_true(second.version > first.version);
    director_sql(f, longer);
    assert_named(director_fetch(f), "", true);
    director_sql(f, body);
    assert_named(director_fetch(f), "", true);
    director_use_keys(f, NULL, NULL);
    director_sql(f, cut);
    /* Nobody's signatures: not handed out, and there is no key to make others with. */
    assert_int_equal(director_try_fetch(f, DIRECTOR_TARGETS, "d1", &w), ERR_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, director_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(manifests),
        TEST(a_manifest_needs_its_key),
        TEST(damaged_rows),
    };
    return cmocka_run_group_tests_name("ota/director_file", tests, NULL, NULL);
}
