#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ota/table.h"

#define MANY 5000

static void holds_what_was_put(void **state)
{
    (void)state;
    struct table t;
    struct err e;
    char key[32];
    assert_int_equal(table_init(&t, &e), 0);
    assert_null(table_get(&t, "x"));
    assert_false(table_remove(&t, "x"));
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        assert_int_equal(table_put(&t, key, i, i % 2 == 0 ? "even" : NULL, &e), 0);
    }
    assert_int_equal(table_put(&t, "key-7", 70, "seven", &e), 0); /* replaces */
    assert_int_equal(t.count, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        struct table_entry *it = table_get(&t, key);
        assert_non_null(it);
        assert_int_equal(it->value, i == 7 ? 70 : i);
        if (i == 7 || i % 2 == 0)
            assert_string_equal(it->text, i == 7 ? "seven" : "even");
        else
            assert_null(it->text);
    }
    for (int i = 0; i < MANY; i += 2) {
        snprintf(key, sizeof key, "key-%d", i);
        assert_true(table_remove(&t, key));
        assert_null(table_get(&t, key));
    }
    assert_int_equal(t.count, MANY / 2);
    table_fini(&t);
    assert_int_equal(t.count, 0);
}

static void sweeps_what_is_below(void **state)
{
    (void)state;
    struct table t;
    struct err e;
    char key[32];
    size_t at = 0, most = 0;
    assert_int_equal(table_init(&t, &e), 0);
    table_sweep(&t, &at, 1);
    for (int i = 0; i < 20 * MANY; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        assert_int_equal(table_put(&t, key, i, NULL, &e), 0);
        table_sweep(&t, &at, i - 100);
        most = t.count > most ? t.count : most;
        assert_non_null(table_get(&t, key));
    }
    assert_true(most < 1000); /* and not 100000 */
    for (int i = 20 * MANY - 101; i < 20 * MANY; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        assert_non_null(table_get(&t, key));
    }
    for (int i = 0; i < 1000; i++)
        table_sweep(&t, &at, INT64_MAX);
    assert_int_equal(t.count, 0);
    table_fini(&t);
}

static void pops_each_once(void **state)
{
    (void)state;
    struct table t;
    struct err e;
    char key[32];
    bool seen[MANY] = {0};
    size_t at = 12345;
    assert_int_equal(table_init(&t, &e), 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(table_put(&t, key, i, NULL, &e), 0);
    }
    for (int i = 0; i < MANY; i++) {
        struct table_entry *it = table_pop(&t, &at);
        assert_non_null(it);
        assert_false(seen[it->value]);
        seen[it->value] = true;
        free(it);
    }
    assert_null(table_pop(&t, &at));
    table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_was_put),
        cmocka_unit_test(sweeps_what_is_below),
        cmocka_unit_test(pops_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
