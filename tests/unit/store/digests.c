/* Three hashes of one text, and of what was spooled with them. */
#include "store/digests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* FIPS 180-4 and RFC 1321: of nothing, and of "abc". */
static void known_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sha256, *sha1, *md5;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "da39a3ee5e6b4b0d3255bfef95601890afd80709", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         "a9993e364706816aba3e25717850c26c9cd0d89d", "900150983cd24fb0d6963f7d28e17f72"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct digests *d = NULL;
        struct digest_texts t;
        struct err e = {0};
        assert_int_equal(digests_new(&d, &e), 0);
        for (const char *p = rows[i].text; *p != '\0'; p++) /* in pieces */
            assert_int_equal(digests_add(d, p, 1, &e), 0);
        assert_int_equal(digests_end(d, &t, &e), 0);
        assert_string_equal(t.sha256, rows[i].sha256);
        assert_string_equal(t.sha1, rows[i].sha1);
        assert_string_equal(t.md5, rows[i].md5);
        digests_free(d);
    }
    digests_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
