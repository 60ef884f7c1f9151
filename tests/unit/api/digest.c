/* Announced hashes: the forms that count, and those that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/digest.h"

/* SHA-256 of nothing. */
#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define BASE64 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static int check(const char *query, const char *header, const char *value)
{
    auto_arena struct arena a;
    arena_init(&a, 1 << 16);
    struct err e;
    struct http_request r = {.query = str_of(query)};
    if (header != NULL)
        r.headers[r.header_count++] = (struct http_header){.name = str_of(header), .value = str_of(value)};
    return digest_check(&r, &a, HEX, &e);
}

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *header, *value;
        int want;
    } rows[] = {
        {NULL, NULL, 0},
        {"Repr-Digest", "sha-256=:" BASE64 ":", 0},
        {"repr-digest", "sha-512=:AAAA:, sha-256=:" BASE64 ":", 0},
        {"Content-Digest", " sha-256=:" BASE64 ": ", 0},
        {"Repr-Digest", "sha-512=:AAAA:", 0}, /* we cannot tell */
        {"Repr-Digest", "sha-256=:57DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", ERR_MISMATCH},
        {"Content-Digest", "sha-256=:57DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", ERR_MISMATCH},
        {"Repr-Digest",
         "sha-256=:" BASE64 ":, sha-256=:57DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", ERR_MISMATCH},
        {"Repr-Digest", "sha-256=" BASE64, ERR_INVALID},
        {"Repr-Digest", "sha-256=:", ERR_INVALID},
        {"Repr-Digest", "sha-256=::", ERR_INVALID},
        {"Repr-Digest", "sha-256", ERR_INVALID},
        {"Repr-Digest",
         "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=:", ERR_INVALID}, /* stray bits */
        {"Repr-Digest",
         "sha-256=:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=:", ERR_INVALID}, /* of the URL kind */
        {"Repr-Digest", "sha-256=:=7DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", ERR_INVALID},
        {"X-Checksum-Sha256", HEX, 0},
        {"X-Checksum-Sha256", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", 0},
        {"X-Checksum-Sha256", "f3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         ERR_MISMATCH},
        {"X-Checksum-Sha256", "e3b0", ERR_INVALID},
        {"X-Checksum-Sha256", "", ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int rc = check(NULL, rows[i].header, rows[i].value);
        if (rc != rows[i].want)
            fail_msg("%s: %s gave %d", rows[i].header, rows[i].value, rc);
    }
}

static void test_query(void **state)
{
    (void)state;
    assert_int_equal(check("sha256=" HEX, NULL, NULL), 0);
    assert_int_equal(check("a=b&sha256=" HEX "&c", NULL, NULL), 0);
    assert_int_equal(check("sha256=", NULL, NULL), 0); /* says nothing */
    assert_int_equal(check("sha256=00", NULL, NULL), ERR_INVALID);
    assert_int_equal(check("sha256=" HEX "&sha256=" HEX, NULL, NULL), ERR_INVALID);
    /* All that is announced must hold. */
    assert_int_equal(check("sha256=" HEX, "X-Checksum-Sha256", "00"), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_query),
    };
    return cmocka_run_group_tests_name("api/digest", tests, NULL, NULL);
}
