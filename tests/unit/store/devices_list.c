/* Devices by a filter, page after page, beside everything else that a list is asked for. */
#include "fixture.h"

#include "model/filter.h"
#include "store/devices.h"

#define FEW 60
#define NOW INT64_C(1790000000000)

static int run_sql(struct db *db, void *arg, struct err *e)
{
    return db_exec(db, arg, e);
}

static void change(struct fixture *f, char *sql)
{
    assert_ok(store_write_now(f->store, run_sql, sql, &f->e), f->e);
}

/* dev-0001 to dev-0060: every second a box, every third with the tag, every fifth revoked, ten at each site,
   seen one minute after the other. */
static void fill(struct fixture *f)
{
    fixture_open(f);
    change(f, "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 60)"
              " INSERT INTO device (pk, id, model, version, created_at, last_seen_at, revoked_at)"
              " SELECT n, printf('dev-%04d', n), iif(n % 2, 'cam', 'box'), iif(n % 4, '1.0', '2.0'), 1000,"
              "  1790000000000 - n * 60000, iif(n % 5, NULL, 2000) FROM number;"
              "INSERT INTO device_tag (tag, id, device) SELECT 'third', id, pk FROM device WHERE pk % 3 = 0;"
              "INSERT INTO device_attribute (device, key, value)"
              " SELECT pk, 'site', 'site ' || ((pk - 1) / 10) FROM device;");
}

/* All pages of a list, as numbers of devices; *pages is how many it took. */
static size_t walk(struct fixture *f, const char *text, struct device_filter asked, int found[FEW],
                   size_t *pages)
{
    auto_arena struct arena a;
    struct db *db = NULL;
    size_t n = 0;
    bool more = true;
    arena_init(&a, 1 << 20);
    assert_ok(filter_parse(str_of(text), &a, &asked.filter, &f->e), f->e);
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    asked.now_ms = NOW;
    for (*pages = 0; more; ++*pages) {
        struct device *list = NULL;
        const char *looked = NULL;
        size_t count = 0;
        assert_ok(store_device_list(db, &a, &asked, &list, &count, &looked, &f->e), f->e);
        assert_null(looked); /* so few are all looked at */
        assert_in_range(count, 0, asked.limit);
        for (size_t i = 0; i < count; i++) {
            assert_in_range(n, 0, FEW - 1);
            found[n++] = atoi(list[i].id + 4);
            assert_string_equal(list[i].model, list[i].pk % 2 ? "cam" : "box");
        }
        more = count == asked.limit;
        asked.after = count > 0 ? list[count - 1].id : asked.after;
    }
    store_reader_free(db);
    return n;
}

static bool wanted(int row, int n)
{
    switch (row) {
    case 0:
        return true;
    case 1:
        return n % 2 == 0 && n >= 11 && n <= 20;
    case 2:
        return n % 3 == 0 && n % 2 == 0 && n >= 11 && n <= 20;
    case 3:
        return n % 5 == 0 && n % 4 == 0;
    case 4:
        return n >= 10 && n <= 19 && n % 3 != 0;
    case 5:
        return n <= 29;
    case 6:
        return n == 2 || n == 33;
    default:
        return n == 33;
    }
}

static void filters_and_pages(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        struct device_filter asked;
    } rows[] = {
        {"", {.revoked = -1}},
        {"model==box;attribute.site=='site 1'", {.revoked = -1}},
        {"attribute.site=='site 1'", {.revoked = -1, .tag = "third", .model = "box"}},
        {"version!=1.0", {.revoked = 1, .model = "box", .version = "2.0"}},
        {"tag!=third", {.revoked = -1, .prefix = "dev-001"}},
        {"last_seen>-30m", {.revoked = -1}},
        {"id=in=(dev-0033,nobody,dev-0002)", {.revoked = 0}},
        {"id=in=(dev-0033,nobody,dev-0002)", {.revoked = 0, .tag = "third"}},
    };
    fill(f);
    for (int row = 0; row < (int)(sizeof rows / sizeof rows[0]); row++) {
        int right[FEW];
        size_t count = 0, most = 0;
        for (int n = 1; n <= FEW; n++)
            if (wanted(row, n))
                right[count++] = n;
        for (size_t limit = 1; limit <= FEW + 1; limit += 3) {
            struct device_filter asked = rows[row].asked;
            int found[FEW];
            size_t pages;
            asked.limit = limit;
            assert_int_equal(walk(f, rows[row].text, asked, found, &pages), count);
            assert_memory_equal(found, right, count * sizeof *right);
            most = pages > most ? pages : most;
        }
        assert_int_equal(most, count + 1); /* one by one, and a page with nothing on it */
    }
}

/* What a value holds is looked for, and nothing else. */
static void values_are_values(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {
        "attribute.note==\"it's \\\"\\\" ?7 ?1 % _ \\\\ --\"",
        "attribute.note==\"it's *--\"",
        "name==\"') OR 1=1 --\"",
        "name!=\"\"",
    };
    fill(f);
    change(f, "INSERT INTO device_attribute (device, key, value)"
              " VALUES (7, 'note', 'it''s \"\" ?7 ?1 % _ \\ --');"
              "UPDATE device SET name = ''') OR 1=1 --' WHERE pk = 7;");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int found[FEW];
        size_t pages;
        struct device_filter asked = {.revoked = -1, .limit = 10};
        assert_int_equal(walk(f, texts[i], asked, found, &pages), 1);
        assert_int_equal(found[0], 7);
    }
}

/* ---- where looking ends ---- */

/* One page with nothing on it, up to the last that was looked at; the next page has the one that matches. */
static void check_end(struct fixture *f, struct db *db, const char *text, const char *tag, int last)
{
    auto_arena struct arena a;
    struct device_filter asked = {.revoked = -1, .tag = tag, .limit = 10, .now_ms = NOW};
    struct device *list = NULL;
    const char *looked = NULL;
    size_t count = 1;
    arena_init(&a, 1 << 20);
    assert_ok(filter_parse(str_of(text), &a, &asked.filter, &f->e), f->e);
    assert_ok(store_device_list(db, &a, &asked, &list, &count, &looked, &f->e), f->e);
    assert_int_equal(count, last == 0 ? 1 : 0);
    if (last > 0) {
        assert_non_null(looked);
        assert_int_equal(atoi(looked + 4), last);
        asked.after = looked;
        assert_ok(store_device_list(db, &a, &asked, &list, &count, &looked, &f->e), f->e);
        assert_int_equal(count, 1);
    }
    assert_null(looked);
    assert_string_equal(list[0].id, "dev-45000");
}

static void looking_ends(void **state)
{
    struct fixture *f = *state;
    struct db *db = NULL;
    fixture_open(f);
    change(f, "WITH RECURSIVE number (n) AS (SELECT 10000 UNION ALL SELECT n + 1 FROM number WHERE n < 45000)"
              " INSERT INTO device (pk, id, model, created_at) SELECT n, 'dev-' || n, 'box', 1 FROM number;"
              "INSERT INTO device_tag (tag, id, device) SELECT 'late', id, pk FROM device WHERE pk >= 20000;"
              "UPDATE device SET version = '3' WHERE pk = 45000;");
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    check_end(f, db, "version==3", NULL, 10000 + DEVICE_SCAN_MAX);
    check_end(f, db, "version==3", "late", 20000 + DEVICE_SCAN_MAX);
    check_end(f, db, "id==dev-45000", NULL, 0); /* it says itself where to look */
    check_end(f, db, "id==dev-45000;version==3", "late", 0);
    store_reader_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(filters_and_pages, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(values_are_values, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(looking_ends, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
