/* What devices send as feedback: what is taken of it, whatever bytes there are in its texts. */
#include "ota/feedback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct err e;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static int read_bytes(const char *text, size_t n, struct feedback *out)
{
    auto_json yyjson_doc *doc = NULL;
    e = (struct err){0};
    assert_int_equal(json_parse_lenient((struct str){.p = text, .n = n}, &doc, &e), 0);
    return ota_feedback_read(yyjson_doc_get_root(doc), &arena, out, &e);
}

static int read_text(const char *text, struct feedback *out)
{
    return read_bytes(text, strlen(text), out);
}

#define BODY(more) "{\"status\": {\"execution\": \"closed\", \"result\": {\"finished\": \"none\"}" more "}}"

static void all_of_it(void **state)
{
    (void)state;
    struct feedback f;
    assert_int_equal(
        read_text("{\"id\": 7, \"time\": \"x\", \"status\": {\"execution\": \"proceeding\", \"result\": "
                  "{\"finished\": \"failure\", \"progress\": {\"cnt\": 1, \"of\": 3}}, \"code\": 5, "
                  "\"details\": [\"a\", \"b\"]}}",
                  &f),
        0);
    assert_int_equal(f.execution, FEEDBACK_PROCEEDING);
    assert_true(f.failure);
    assert_int_equal(f.progress, 33);
    assert_string_equal(f.message, "a");
    assert_string_equal(f.said, "a\nb\nDevice reported status code: 5");
    assert_false(f.too_many);
}

static void what_is_left_out(void **state)
{
    (void)state;
    struct feedback f;
    assert_int_equal(read_text(BODY(""), &f), 0);
    assert_int_equal(f.execution, FEEDBACK_CLOSED);
    assert_false(f.failure);
    assert_int_equal(f.progress, ACTION_PROGRESS_NONE);
    assert_string_equal(f.said, "");
    assert_string_equal(f.message, "");
    assert_int_equal(read_text(BODY(", \"details\": null, \"code\": null"), &f), 0);
    assert_string_equal(f.said, "");
    assert_int_equal(read_text(BODY(", \"details\": [null, \"\", \" \", true, -1.5]"), &f), 0);
    assert_string_equal(f.said, "true\n-1.5");
}

static void any_bytes(void **state)
{
    (void)state;
    struct feedback f;
    static const char body[] = BODY(", \"details\": [\"a\nb\r\n\x01\x7f\xff\xc3\xa4\xf0\x9f\xe2\x82\"]");
    assert_int_equal(read_bytes(body, sizeof body - 1, &f), 0);
    assert_string_equal(f.said, "a b    ?\xc3\xa4????");
    assert_true(str_is_text(str_of(f.said)));
}

/* A character of several bytes is not cut in two. */
static void long_messages(void **state)
{
    (void)state;
    struct feedback f;
    char body[8192], text[4096] = "";
    for (size_t i = 0; i < 511; i++)
        strcat(text, "x");
    strcat(text, "\xc3\xa4yyy");
    snprintf(body, sizeof body, BODY(", \"details\": [\"%s\"]"), text);
    assert_int_equal(read_text(body, &f), 0);
    assert_int_equal(strlen(f.said), 511);
}

static void many_messages(void **state)
{
    (void)state;
    struct feedback f;
    char body[4096] =
        "{\"status\": {\"execution\": \"closed\", \"result\": {\"finished\": \"success\"}, \"details\": [";
    for (int i = 0; i < FEEDBACK_MESSAGES_MAX; i++)
        strcat(body, "\"m\",");
    size_t n = strlen(body);
    snprintf(body + n - 1, sizeof body - n, "]}}");
    assert_int_equal(read_text(body, &f), 0);
    assert_false(f.too_many);
    assert_int_equal(strlen(f.said), 2 * FEEDBACK_MESSAGES_MAX - 1);
    snprintf(body + n, sizeof body - n, "\"one more\"]}}");
    body[n - 1] = ',';
    assert_int_equal(read_text(body, &f), 0);
    assert_true(f.too_many);
    assert_int_equal(strlen(f.said), 2 * FEEDBACK_MESSAGES_MAX - 1);
}

static void progress(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int percent;
    } rows[] = {
        {"{\"cnt\": 0, \"of\": 1}", 0},
        {"{\"cnt\": 1, \"of\": 1}", 100},
        {"{\"cnt\": 2, \"of\": 1}", ACTION_PROGRESS_NONE},
        {"{\"cnt\": 0, \"of\": 0}", ACTION_PROGRESS_NONE},
        {"{\"cnt\": -1, \"of\": 1}", ACTION_PROGRESS_NONE},
        {"{\"cnt\": \"1\", \"of\": 1}", ACTION_PROGRESS_NONE},
        {"{\"cnt\": 18446744073709551615, \"of\": 18446744073709551615}", ACTION_PROGRESS_NONE},
        {"[1]", ACTION_PROGRESS_NONE},
        {"null", ACTION_PROGRESS_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct feedback f;
        char body[512];
        snprintf(body, sizeof body,
                 "{\"status\": {\"execution\": \"proceeding\", \"result\": {\"finished\": \"none\","
                 " \"progress\": %s}}}",
                 rows[i].text);
        assert_int_equal(read_text(body, &f), 0);
        assert_int_equal(f.progress, rows[i].percent);
    }
}

static void what_is_none(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"status\": 1}",
        "{\"status\": {\"execution\": \"CLOSED\", \"result\": {\"finished\": \"none\"}}}",
        "{\"status\": {\"execution\": \"\", \"result\": {\"finished\": \"none\"}}}",
        "{\"status\": {\"execution\": \"closed\", \"result\": {\"finished\": \"\"}}}",
        "{\"status\": {\"execution\": \"closed\", \"result\": [\"none\"]}}",
        BODY(", \"details\": {}"),
        BODY(", \"details\": [[]]"),
        BODY(", \"code\": 99999999999"),
        BODY(", \"code\": 1.5"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct feedback f = {.progress = 77};
        assert_int_equal(read_text(bad[i], &f), ERR_INVALID);
        assert_int_equal(f.progress, 77);
        assert_true(e.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it),     cmocka_unit_test(what_is_left_out), cmocka_unit_test(any_bytes),
        cmocka_unit_test(long_messages), cmocka_unit_test(many_messages),    cmocka_unit_test(progress),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
