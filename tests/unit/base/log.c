#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "check.h"

/* What is logged between begin and end, with the time cut out of the first line. */
static int log_fd = -1;

static void begin(enum log_level least, enum log_format format)
{
    char path[] = "/tmp/log-test-XXXXXX";
    log_fd = mkstemp(path);
    assert_true(log_fd >= 0);
    unlink(path);
    log_setup(least, format, log_fd);
}

static void end(char *out, size_t size)
{
    ssize_t n = pread(log_fd, out, size - 1, 0);
    assert_true(n >= 0);
    out[n] = '\0';
    close(log_fd);
    log_setup(LOG_INFO, LOG_LOGFMT, STDERR_FILENO);
}

static void test_logfmt(void **state)
{
    (void)state;
    char out[8192];
    begin(LOG_INFO, LOG_LOGFMT);
    log_info("net", "closed", LOG_STR("peer", "127.0.0.1:1"), LOG_I64("n", -7), LOG_STR("empty", ""),
             LOG_STR("odd", "a b=\"c\"\\"), LOG_S("none", str_of(NULL)));
    end(out, sizeof out);
    assert_memory_equal(out, "time=20", 7);
    assert_string_equal(strchr(out, ' '), " level=info area=net msg=closed peer=127.0.0.1:1 n=-7 empty=\"\" "
                                          "odd=\"a b=\\\"c\\\"\\\\\" none=\"\"\n");
}

static void test_levels(void **state)
{
    (void)state;
    char out[8192];
    begin(LOG_WARN, LOG_LOGFMT);
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_WARN));
    log_debug("a", "one");
    log_info("a", "two");
    log_warn("a", "three");
    log_error("a", "four");
    end(out, sizeof out);
    assert_null(strstr(out, "one"));
    assert_null(strstr(out, "two"));
    assert_non_null(strstr(out, "level=warn area=a msg=three\n"));
    assert_non_null(strstr(out, "level=error area=a msg=four\n"));
}

/* Nothing that a peer sends makes a second line, ends a field, or reaches a terminal as a command. */
static void test_no_forging(void **state)
{
    (void)state;
    static const char evil[] = "x\nlevel=error\r\x1b[2J\x07\x7f\x80\xff\0end\" k=v";
    for (int f = LOG_LOGFMT; f <= LOG_JSON; f++) {
        char out[8192];
        begin(LOG_INFO, (enum log_format)f);
        log_info("a", evil, LOG_S("v", ((struct str){evil, sizeof evil - 1})));
        end(out, sizeof out);
        size_t n = strlen(out);
        assert_int_equal(out[n - 1], '\n');
        for (size_t i = 0; i + 1 < n; i++)
            assert_true(out[i] >= 0x20 && out[i] < 0x7F);
        assert_non_null(
            strstr(out, "\\u000alevel=error\\u000d\\u001b[2J\\u0007\\u007f\\u0080\\u00ff\\u0000end\\\""));
    }
}

static void test_json(void **state)
{
    (void)state;
    char out[8192];
    begin(LOG_DEBUG, LOG_JSON);
    log_debug("a", "m \"x\"", LOG_I64("n", INT64_MIN), LOG_STR("s", "a\\b\tc"), LOG_I64("last", 3));
    end(out, sizeof out);
    auto_json yyjson_doc *doc = NULL;
    assert_int_equal(json_parse_object(str_of(out), &doc, NULL), 0);
    yyjson_val *o = yyjson_doc_get_root(doc);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(o, "msg")), "m \"x\"");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(o, "level")), "debug");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(o, "s")), "a\\b\tc");
    assert_true(yyjson_get_sint(yyjson_obj_get(o, "n")) == INT64_MIN);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(o, "last")), 3);
}

/* However much is to be said, a line is bounded, ends, and in JSON stays JSON. */
static void test_long_lines(void **state)
{
    (void)state;
    char *big = malloc(10001);
    assert_non_null(big);
    for (int odd = 0; odd < 2; odd++) {
        memset(big, odd ? '\x01' : 'a', 10000);
        big[10000] = '\0';
        for (int f = LOG_LOGFMT; f <= LOG_JSON; f++)
            for (int in_message = 0; in_message < 2; in_message++) {
                char out[20000];
                begin(LOG_INFO, (enum log_format)f);
                log_info("a", in_message ? big : "m", LOG_STR("x", big), LOG_STR("y", big), LOG_STR("z", big),
                         LOG_STR("u", big), LOG_I64("n", 1));
                end(out, sizeof out);
                size_t n = strlen(out);
                assert_true(n > 1000 && n <= 4096);
                assert_ptr_equal(strchr(out, '\n'), out + n - 1);
                auto_json yyjson_doc *doc = NULL;
                if (f == LOG_JSON && json_parse_object(str_of(out), &doc, NULL) != 0)
                    fail_msg("odd %d, message %d: %s", odd, in_message, out + n - 40);
            }
    }
    free(big);
}

static void test_bad_descriptor(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_LOGFMT, -1);
    log_info("a", "into nothing");
    log_setup(LOG_INFO, LOG_LOGFMT, STDERR_FILENO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logfmt),     cmocka_unit_test(test_levels),
        cmocka_unit_test(test_no_forging), cmocka_unit_test(test_json),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_bad_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
