/* The server's answers on their way to the local client. */
#include "bench.h"

#include "agent/tunnel_links.h"

#define BASE "http://127.0.0.1:8480"
#define HREF "https://ota:8443/DEFAULT/controller/v1/d/softwaremodules/7/artifacts/f.swu"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static struct arena arena;

static int begin(void **s)
{
    (void)s;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int end(void **s)
{
    (void)s;
    arena_fini(&arena);
    return 0;
}

static void becomes(const char *from, const char *wanted)
{
    struct str out;
    struct err e = {0};
    if (links_rewrite(str_of(from), BASE, &arena, &out, &e) != 0)
        fail_msg("%s: %s", from, e.text);
    assert_int_equal(out.n, strlen(wanted));
    assert_memory_equal(out.p, wanted, out.n);
}

static void links_lead_to_the_tunnel(void **s)
{
    (void)s;
    becomes("{}", "{}");
    becomes("[1,\"https://x/y\",null]", "[1,\"https://x/y\",null]");
    becomes("{\"a\":{\"href\":\"https://ota:8443/a?c=1\"}}", "{\"a\":{\"href\":\"" BASE "/a?c=1\"}}");
    becomes("{\"href\":\"/a\"}", "{\"href\":\"" BASE "/a\"}");
    becomes("[{\"href\":\"HTTP://other.example/x\"},{\"href\":\"http://[::1]:1/y\"}]",
            "[{\"href\":\"" BASE "/x\"},{\"href\":\"" BASE "/y\"}]");
}

static void each_download_has_both_links(void **s)
{
    (void)s;
    becomes("{\"_links\":{\"download\":{\"href\":\"https://s/f\"}}}",
            "{\"_links\":{\"download\":{\"href\":\"" BASE "/f\"},\"download-http\":{\"href\":\"" BASE
            "/f\"}}}");
    becomes("{\"_links\":{\"md5sum-http\":{\"href\":\"http://s/m\"}}}",
            "{\"_links\":{\"md5sum-http\":{\"href\":\"" BASE "/m\"},\"md5sum\":{\"href\":\"" BASE "/m\"}}}");
    becomes("{\"_links\":{\"download\":{\"href\":\"https://s/f\"},\"download-http\":{\"href\":\"http://"
            "s:80/f\"}}}",
            "{\"_links\":{\"download\":{\"href\":\"" BASE "/f\"},\"download-http\":{\"href\":\"" BASE
            "/f\"}}}");
}

static void what_is_no_answer_is_refused(void **s)
{
    (void)s;
    static const char *const texts[] = {"",
                                        "{",
                                        "{\"href\":1}",
                                        "{\"href\":null}",
                                        "{\"href\":\"\"}",
                                        "{\"href\":\"//host/x\"}",
                                        "{\"href\":\"https://host\"}",
                                        "{\"href\":\"https://\"}",
                                        "{\"href\":\"ftp://host/x\"}",
                                        "{\"href\":\"x\"}",
                                        "{\"a\":1,\"a\":2}",
                                        "{\"href\":\"/a\\u0000b\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct str out = STR("untouched");
        struct err e = {0};
        if (links_rewrite(str_of(texts[i]), BASE, &arena, &out, &e) == 0)
            fail_msg("%s became %.*s", texts[i], (int)out.n, out.p);
        assert_int_equal(e.code, ERR_INVALID);
        assert_true(str_is(out, "untouched"));
    }
}

static size_t files_of(const char *artifacts, struct links_file out[LINKS_FILES_MAX])
{
    char text[4096];
    snprintf(text, sizeof text, "{\"id\":\"1\",\"deployment\":{\"chunks\":[{\"artifacts\":[%s]}]}}",
             artifacts);
    return links_files(str_of(text), out);
}

#define FILE_OF(name, size, sha256, href)                                                                    \
    "{\"filename\":" name ",\"size\":" size ",\"hashes\":{\"sha256\":" sha256                                \
    "},\"_links\":{\"download\":{\"href\":\"" href "\"}}}"

static void files_are_read(void **s)
{
    (void)s;
    static struct links_file f[LINKS_FILES_MAX];
    assert_int_equal(files_of(FILE_OF("\"f.swu\"", "17", "\"" ZEROS "\"", HREF), f), 1);
    assert_string_equal(f[0].filename, "f.swu");
    assert_string_equal(f[0].module, "7");
    assert_string_equal(f[0].sha256, ZEROS);
    assert_int_equal(f[0].size, 17);
    assert_int_equal(
        files_of(
            FILE_OF("\"a\"", "1", "\"" ZEROS "\"", HREF) "," FILE_OF("\"b\"", "2", "\"" ZEROS "\"", HREF), f),
        2);
    static const char *const none[] = {
        FILE_OF("\"../f\"", "17", "\"" ZEROS "\"", HREF),
        FILE_OF("7", "17", "\"" ZEROS "\"", HREF),
        FILE_OF("\"f\"", "-1", "\"" ZEROS "\"", HREF),
        FILE_OF("\"f\"", "1.5", "\"" ZEROS "\"", HREF),
        FILE_OF("\"f\"", "17", "\"00\"", HREF),
        FILE_OF("\"f\"", "17", "null", HREF),
        FILE_OF("\"f\"", "17", "\"" ZEROS "\"", "/x"),
        "{}",
        FILE_OF("\"f\"", "17", "\"" ZEROS "\"", "/softwaremodules/"),
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (files_of(none[i], f) != 0)
            fail_msg("%s", none[i]);
    assert_int_equal(links_files(STR("{\"deployment\":{\"chunks\":{}}}"), f), 0);
    assert_int_equal(links_files(STR("[]"), f), 0);
}

static void success_is_told_from_the_rest(void **s)
{
    (void)s;
#define STATUS(execution, finished)                                                                          \
    "{\"status\":{\"execution\":\"" execution "\",\"result\":{\"finished\":\"" finished "\"}}}"
    assert_true(links_is_success(STR(STATUS("closed", "success"))));
    assert_true(links_is_success(STR(STATUS("closed", "none"))));
    assert_false(links_is_success(STR(STATUS("closed", "failure"))));
    assert_false(links_is_success(STR(STATUS("proceeding", "success"))));
    assert_false(links_is_success(STR("{}")));
    assert_false(links_is_success(STR("")));
    assert_false(links_is_success(STR("{\"status\":7}")));
    /* as SWUpdate writes it */
    assert_true(links_is_success(STR("{\"status\":{\"execution\":\"closed\",\"result\":{\"finished\":"
                                     "\"success\"},\"details\":[\"one\ntwo\"]}}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_lead_to_the_tunnel),      cmocka_unit_test(each_download_has_both_links),
        cmocka_unit_test(what_is_no_answer_is_refused),  cmocka_unit_test(files_are_read),
        cmocka_unit_test(success_is_told_from_the_rest),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
