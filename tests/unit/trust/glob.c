#include "repo.h"
#include "trust/internal.h"

static void test_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool fits;
    } cases[] = {
        {"*", "a", true},
        {"*", "", true},
        {"*", "a/b", false},
        {"*/*", "a/b", true},
        {"*/*", "a", false},
        {"*/*", "a/b/c", false},
        {"", "", true},
        {"", "a", false},
        {"a", "a", true},
        {"a", "A", false},
        {"a", "ab", false},
        {"ab", "a", false},
        {"/a", "a", false},
        {"a/", "a", false},
        {"*.tgz", "foo.tgz", true},
        {"*.tgz", ".tgz", true},
        {"*.tgz", "targets/foo.tgz", false},
        {"targets/*.tgz", "targets/foo.tgz", true},
        {"targets/*.tgz", "targets/foo.txt", false},
        {"foo-version-?.tgz", "foo-version-2.tgz", true},
        {"foo-version-?.tgz", "foo-version-a.tgz", true},
        {"foo-version-?.tgz", "foo-version-alpha.tgz", false},
        {"foo-version-?.tgz", "foo-version-.tgz", false},
        {"?", "/", false},
        {"a?b", "a/b", false},
        {"a*b", "a/b", false},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "abc", true},
        {"a*b*c", "acb", false},
        {"**", "anything", true},
        {"*a*a*a*", "aa", false},
        {"*a*a*a*", "aaa", true},
        {"[ab]c", "ac", true},
        {"[ab]c", "cc", false},
        {"[!ab]c", "cc", true},
        {"[!ab]c", "ac", false},
        {"[a-c]", "b", true},
        {"[a-c]", "d", false},
        {"[a-]", "-", true},
        {"[]]", "]", true},
        {"[!]]", "]", false},
        {"[", "[", true},
        {"[a", "[a", true},
        {"[a", "a", false},
        {"x[/]y", "x/y", false},
        {"*[0-9].bin", "v10.bin", true},
        {"*[0-9].bin", "v1x.bin", false},
        {"?", "\xC3\xA4", true}, /* a character, not a byte */
        {"??", "\xC3\xA4", false},
        {"[\xC3\xA4\xE2\x82\xAC]", "\xE2\x82\xAC", true},
        {"[\xC3\xA4]", "\xC3\xB6", false},
        {"?", "\xF0\x9F\x98\x80", true},
        {"\xC3?", "\xC3", false},
        {"model/*/*/*", "model/os/1.0/image.bin", true},
        {"model/*/*/*", "model2/os/1.0/image.bin", false},
        {"model/*/*/*", "model/os/1.0/x/image.bin", false},
        {"model/*/*/*", "model//1.0/image.bin", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (trust_glob(str_of(cases[i].pattern), str_of(cases[i].path)) != cases[i].fits)
            fail_msg("%s and %s: not %d", cases[i].pattern, cases[i].path, cases[i].fits);
}

/* Many stars: each step goes back to the last one alone, so this ends at once. */
static void test_stars_are_no_bomb(void **state)
{
    (void)state;
    char pattern[TUF_PATTERN_MAX + 1], path[TUF_TARGET_NAME_MAX + 1];
    for (size_t i = 0; i + 1 < sizeof pattern; i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    memcpy(pattern + sizeof pattern - 3, "*b", 3);
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_false(trust_glob(str_of(pattern), str_of(path)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_stars_are_no_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
