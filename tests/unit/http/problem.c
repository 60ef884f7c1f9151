#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "check.h"

static const struct {
    int code, status;
    const char *type;
    bool told; /* the sentence reaches the peer */
} rows[] = {
    {ERR_INVALID, 400, "about:blank#invalid", true},
    {ERR_UNAUTHENTICATED, 401, "about:blank#unauthenticated", true},
    {ERR_DENIED, 403, "about:blank#denied", true},
    {ERR_NOT_FOUND, 404, "about:blank#not-found", true},
    {ERR_CONFLICT, 409, "about:blank#conflict", true},
    {ERR_GONE, 410, "about:blank#gone", true},
    {ERR_TOO_LARGE, 413, "about:blank#too-large", true},
    {ERR_UNSUPPORTED, 415, "about:blank#unsupported", true},
    {ERR_MISMATCH, 422, "about:blank#mismatch", true},
    {ERR_BUSY, 503, "about:blank#busy", false},
    {ERR_TIMEOUT, 503, "about:blank#timeout", false},
    {ERR_FULL, 507, "about:blank#disk-full", false},
    {ERR_IO, 500, "about:blank#io", false},
    {ERR_CRYPTO, 500, "about:blank#crypto", false},
    {ERR_CORRUPT, 500, "about:blank#corrupt", false},
    {ERR_NOMEM, 500, "about:blank#no-memory", false},
    {ERR_INTERNAL, 500, "about:blank#internal", false},
    {-99, 500, "about:blank#unknown", false},
};

#define SENTENCE "the file /secret/place \"x\" is not there"

static void member_is(yyjson_val *root, const char *key, const char *want)
{
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, key)), want);
}

static size_t log_text(int fd, char *out, size_t size)
{
    ssize_t n = pread(fd, out, size - 1, 0);
    assert_true(n >= 0);
    out[n] = '\0';
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return (size_t)n;
}

static void test_table(void **state)
{
    (void)state;
    FILE *log = tmpfile();
    assert_non_null(log);
    log_setup(LOG_INFO, LOG_LOGFMT, fileno(log));
    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_arena struct arena a;
        arena_init(&a, 65536);
        struct http_response r;
        http_response_init(&r);
        http_set(&r, "ETag", "\"x\"");
        http_set(&r, "Allow", "GET");
        struct err e;
        err_set(&e, rows[i].code, "%s", SENTENCE);
        http_reply_problem(&r, &a, &e);
        assert_int_equal(r.status, rows[i].status);
        assert_string_equal(response_header(&r, "Content-Type"), "application/problem+json");
        assert_null(response_header(&r, "ETag"));
        assert_string_equal(response_header(&r, "Allow"), "GET");
        if (rows[i].code == ERR_BUSY)
            assert_string_equal(response_header(&r, "Retry-After"), "1");
        else
            assert_null(response_header(&r, "Retry-After"));
        assert_int_equal(r.part_count, 1);
        auto_json yyjson_doc *doc = NULL;
        assert_int_equal(json_parse_object(r.parts[0].bytes, &doc, NULL), 0);
        yyjson_val *root = yyjson_doc_get_root(doc);
        member_is(root, "type", rows[i].type);
        member_is(root, "title", http_status_text(rows[i].status));
        assert_int_equal(yyjson_get_int(yyjson_obj_get(root, "status")), rows[i].status);
        const char *detail = yyjson_get_str(yyjson_obj_get(root, "detail"));
        assert_true(strlen(detail) > 10);
        assert_int_equal(strcmp(detail, SENTENCE) == 0, rows[i].told);
        char logged[4096];
        size_t n = log_text(fileno(log), logged, sizeof logged);
        if (rows[i].told)
            assert_int_equal(n, 0);
        else
            assert_non_null(strstr(logged, "/secret/place"));
        http_response_fini(&r);
    }
    log_setup(LOG_INFO, LOG_LOGFMT, STDERR_FILENO);
    fclose(log);
}

static void test_status_and_odd_details(void **state)
{
    (void)state;
    static const char *const details[] = {"short", NULL, "\xFF\xFE", "a\x01"};
    for (size_t i = 0; i < COUNT(details); i++) {
        auto_arena struct arena a;
        arena_init(&a, 65536);
        struct http_response r;
        http_response_init(&r);
        http_reply_problem_status(&r, &a, 405, details[i]);
        assert_int_equal(r.status, 405);
        auto_json yyjson_doc *doc = NULL;
        assert_int_equal(json_parse_object(r.parts[0].bytes, &doc, NULL), 0);
        member_is(yyjson_doc_get_root(doc), "detail", i == 0 ? "short" : "Method Not Allowed");
        http_response_fini(&r);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 16);
    struct http_response r;
    http_response_init(&r);
    http_reply_problem_status(&r, &a, 404, "gone");
    assert_int_equal(r.status, 500);
    auto_json yyjson_doc *doc = NULL;
    assert_int_equal(json_parse_object(r.parts[0].bytes, &doc, NULL), 0);
    assert_string_equal(response_header(&r, "Content-Type"), "application/problem+json");
    http_response_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_status_and_odd_details),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
