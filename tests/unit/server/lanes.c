/* From where a change comes, as events keep it. */
#include "server/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void an_address_has_no_port(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"192.0.2.1:5123", "192.0.2.1"},
        {"[2001:db8::1]:5123", "2001:db8::1"},
        {"unix", "unix"},
        /* as a proxy said it */
        {"192.0.2.1", "192.0.2.1"},
        {"2001:db8::1", "2001:db8::1"},
        {"::", "::"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run run = {.result = 0};
        snprintf(run.who.address, sizeof run.who.address, "%s", rows[i][0]);
        struct str got = run_address(&run);
        if (!str_is(got, rows[i][1]))
            fail_msg("%s: %.*s", rows[i][0], (int)got.n, got.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_address_has_no_port)};
    return cmocka_run_group_tests_name("server/lanes", tests, NULL, NULL);
}
