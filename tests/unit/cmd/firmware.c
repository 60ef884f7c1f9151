#include "cmd/firmware.h"

#include "check.h"

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        int64_t id; /* -1: refused */
        const char *name, *version;
    } rows[] = {
        {"12", NULL, 12, NULL, NULL},
        {"gw@1.0", NULL, 0, "gw", "1.0"},
        {"gw", "1.0", 0, "gw", "1.0"},
        {"12", "1.0", 0, "12", "1.0"}, /* a name may look like a number */
        {"2147483647", NULL, 2147483647, NULL, NULL},
        {"2147483648", NULL, -1, NULL, NULL},
        {"0", NULL, -1, NULL, NULL},
        {"gw", NULL, -1, NULL, NULL},
        {"gw@", NULL, -1, NULL, NULL},
        {"@1.0", NULL, -1, NULL, NULL},
        {"gw@1@0", NULL, -1, NULL, NULL},
        {"../x@1", NULL, -1, NULL, NULL},
        {"gw", "a/b", -1, NULL, NULL},
        {"", NULL, -1, NULL, NULL},
    };
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct firmware_name n = {.id = -7};
        struct err e = {0};
        int rc = firmware_parse_name(rows[i].first, rows[i].second, &a, &n, &e);
        assert_int_equal(rc == 0, rows[i].id != -1);
        assert_int_equal(n.id, rows[i].id != -1 ? rows[i].id : -7);
        if (rows[i].name != NULL) {
            assert_string_equal(n.name, rows[i].name);
            assert_string_equal(n.version, rows[i].version);
        }
    }
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names)};
    return RUN(tests);
}
