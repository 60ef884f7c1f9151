/* Roles and what they are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/operator.h"

static void every_role_has_its_name(void **state)
{
    (void)state;
    static const char *const names[] = {"viewer", "approver", "operator", "admin"};
    struct err e = {0};
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum who who;
        assert_int_equal(role_parse(str_of(names[i]), &who, &e), 0);
        assert_string_equal(role_name(who), names[i]);
        assert_string_equal(identity_role(&(struct identity){.who = who}), names[i]);
        assert_true((who & WHO_READERS) != 0);
        seen |= who;
    }
    assert_int_equal(seen, WHO_READERS);
    assert_int_equal(WHO_READERS & ~(unsigned)WHO_APPROVERS, WHO_VIEWER);
    assert_int_equal(WHO_APPROVERS & ~(unsigned)WHO_WRITERS, WHO_APPROVER);
}

static void nothing_else_is_a_role(void **state)
{
    (void)state;
    static const char *const names[] = {"", "root", "Viewer", "approver ", "device", "local"};
    struct err e = {0};
    enum who who = WHO_ANYONE;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(role_parse(str_of(names[i]), &who, &e), ERR_INVALID);
        assert_non_null(strstr(e.text, "viewer, approver, operator or admin"));
    }
    assert_int_equal(who, WHO_ANYONE);
    assert_string_equal(role_name(WHO_DEVICE), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_role_has_its_name),
        cmocka_unit_test(nothing_else_is_a_role),
    };
    return cmocka_run_group_tests_name("model/operator", tests, NULL, NULL);
}
