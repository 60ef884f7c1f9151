#include "ota/issuers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void names_lead_to_keys(void **state)
{
    (void)state;
    struct issuers *i = NULL;
    struct err e;
    char keys[ISSUERS_MAX][SHA256_HEX_SIZE];
    assert_int_equal(issuers_new(&i, &e), 0);
    assert_int_equal(issuers_find(i, STR("CN=x"), keys), 0);
    const struct issuer_row rows[] = {{"CN=x", KEY_A}, {"CN=y", KEY_A}, {"CN=x", KEY_B}};
    assert_int_equal(issuers_check(rows, 3, &e), 0);
    issuers_set(i, rows, 3);
    assert_int_equal(issuers_find(i, STR("CN=x"), keys), 2); /* while roots change */
    assert_string_equal(keys[0], KEY_A);
    assert_string_equal(keys[1], KEY_B);
    assert_int_equal(issuers_find(i, STR("CN=y"), keys), 1);
    assert_int_equal(issuers_find(i, STR("CN=X"), keys), 0);
    assert_int_equal(issuers_find(i, STR("CN=x "), keys), 0);
    assert_int_equal(issuers_find(i, STR(""), keys), 0);
    issuers_set(i, rows + 1, 1); /* replaces */
    assert_int_equal(issuers_find(i, STR("CN=x"), keys), 0);
    issuers_free(i);
    issuers_free(NULL);
}

static void bounds(void **state)
{
    (void)state;
    struct issuers *i = NULL;
    struct err e;
    char keys[ISSUERS_MAX][SHA256_HEX_SIZE], name[ISSUERS_NAME_MAX + 1] = "";
    struct issuer_row rows[ISSUERS_MAX + 1];
    for (size_t k = 0; k <= ISSUERS_MAX; k++)
        rows[k] = (struct issuer_row){"CN=x", KEY_A};
    assert_int_equal(issuers_new(&i, &e), 0);
    assert_int_equal(issuers_check(rows, ISSUERS_MAX, &e), 0);
    issuers_set(i, rows, ISSUERS_MAX);
    assert_int_equal(issuers_find(i, STR("CN=x"), keys), ISSUERS_MAX);
    assert_int_equal(issuers_check(rows, ISSUERS_MAX + 1, &e), ERR_TOO_LARGE);
    memset(name, 'x', ISSUERS_NAME_MAX);
    rows[0].name = name;
    assert_int_equal(issuers_check(rows, 1, &e), ERR_TOO_LARGE);
    issuers_free(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_lead_to_keys), cmocka_unit_test(bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
