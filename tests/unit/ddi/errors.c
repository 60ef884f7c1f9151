/* What scripts written for hawkBit look at when something did not work. */
#include "ddi/errors.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/log.h"

static void is(struct arena *a, int status, const struct err *e, int want, const char *code,
               const char *message)
{
    struct http_response r;
    http_response_init(&r);
    http_set(&r, "ETag", "\"x\"");
    http_reply_error(&r, a, status, e, ddi_error_body);
    assert_int_equal(r.status, want);
    assert_int_equal(r.part_count, 1);
    auto_json yyjson_doc *doc = NULL;
    struct err why = {0};
    assert_int_equal(json_parse_object(r.parts[0].bytes, &doc, &why), 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_int_equal(yyjson_obj_size(root), 3);
    assert_true(yyjson_is_str(yyjson_obj_get(root, "exceptionClass")));
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "errorCode")), code);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "message")), message);
    for (size_t i = 0; i < r.header_count; i++)
        assert_false(str_is(r.headers[i].name, "ETag")); /* an error is no version of the thing */
    http_response_fini(&r);
}

static void each_status_has_its_code(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    log_setup(LOG_ERROR, LOG_LOGFMT, open("/dev/null", O_WRONLY | O_CLOEXEC));
    static const struct {
        int code, status;
        const char *error;
    } rows[] = {
        {ERR_INVALID, 400, "hawkbit.server.error.repo.constraintViolation"},
        {ERR_UNAUTHENTICATED, 401, "hawkbit.server.error.unauthorized"},
        {ERR_DENIED, 403, "hawkbit.server.error.insufficientPermission"},
        {ERR_NOT_FOUND, 404, "hawkbit.server.error.repo.entityNotFound"},
        {ERR_CONFLICT, 409, "hawkbit.server.error.repo.entityAlreadyExists"},
        {ERR_GONE, 410, "hawkbit.server.error.repo.genericError"},
        {ERR_TOO_LARGE, 413, "hawkbit.server.error.quota.fileSizeExceeded"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err e = {.code = rows[i].code, .text = "there is no target \"x\""};
        is(&a, 0, &e, rows[i].status, rows[i].error, e.text);
    }
    struct err quota = {.code = ERR_CONFLICT, .text = "too many"};
    is(&a, 429, &quota, 429, "hawkbit.server.error.quota.tooManyEntries", "too many");
    is(&a, 405, &quota, 405, "hawkbit.server.error.action.notCancelable", "too many");
    struct err method = {.code = 0, .text = "served with other methods"};
    is(&a, 405, &method, 405, "hawkbit.server.error.repo.genericError", "served with other methods");
}

/* Neither the server's own trouble nor bytes that are no text get out. */
static void what_is_not_told(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    struct err e = {.code = ERR_IO, .text = "/secret/path: no such file"};
    is(&a, 0, &e, 500, "hawkbit.server.error.repo.genericError",
       "Something went wrong on the server; its log says what.");
    e = (struct err){.code = ERR_INVALID, .text = "no text: \xff"};
    is(&a, 0, &e, 400, "hawkbit.server.error.repo.constraintViolation", "Bad Request");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status_has_its_code),
        cmocka_unit_test(what_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
