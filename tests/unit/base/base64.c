#include "base/base64.h"

#include "check.h"

static const struct {
    const char *bytes, *text;
} vectors[] = {
    /* RFC 4648 section 10 */
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char text[16], bytes[16];
        size_t n = 99, want = strlen(vectors[i].bytes);
        base64_encode(vectors[i].bytes, want, text);
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(strlen(text), base64_size(want));
        assert_int_equal(base64_decode(str_of(text), bytes, &n), 0);
        assert_int_equal(n, want);
        assert_memory_equal(bytes, vectors[i].bytes, n);
    }
}

static void test_every_byte(void **state)
{
    (void)state;
    unsigned char in[256], out[258];
    char text[345];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)i;
    for (size_t n = 250; n <= sizeof in; n++) {
        size_t got;
        base64_encode(in, n, text);
        assert_int_equal(base64_decode(str_of(text), out, &got), 0);
        assert_int_equal(got, n);
        assert_memory_equal(in, out, n);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"Z",        "Zg",   "Zg=",   "Zh==",   "Zm9=",   "Zm8=Zm8=",
                                        "Zg==Zg==", "====", "=g==",  "Z===",   "Zm9v\n", "Zm 9",
                                        "Zm-v",     "Zm_v", "Zm9v=", "Zm9\x80"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char out[16];
        size_t n = 99;
        if (base64_decode(str_of(wrong[i]), out, &n) != ERR_INVALID)
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_int_equal(n, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
