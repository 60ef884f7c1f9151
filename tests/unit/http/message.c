#include <fcntl.h>
#include <unistd.h>

#include "base/json.h"
#include "check.h"

static void test_header_get(void **state)
{
    (void)state;
    struct http_request r = {.method = HTTP_GET};
    assert_null(http_header_get(&r, "X").p);
    request_header(&r, "X-One", "1");
    request_header(&r, "x-one", "2");
    request_header(&r, "Empty", "");
    assert_true(str_is(http_header_get(&r, "X-ONE"), "1"));
    assert_non_null(http_header_get(&r, "empty").p);
    assert_null(http_header_get(&r, "X-On").p);
}

static void test_set_replaces(void **state)
{
    (void)state;
    struct http_response r;
    http_response_init(&r);
    http_set(&r, "A", "1");
    http_set(&r, "B", "2");
    http_set(&r, "a", "3");
    assert_int_equal(r.header_count, 2);
    assert_string_equal(response_header(&r, "A"), "3");
    http_unset(&r, "A");
    http_unset(&r, "C");
    assert_null(response_header(&r, "A"));
    assert_string_equal(response_header(&r, "B"), "2");
    http_response_fini(&r);
}

static void note_done(void *owner, int file)
{
    *(int *)owner = file;
}

/* A descriptor that is somebody else's goes back there, once. */
static void test_file_given_back(void **state)
{
    (void)state;
    struct http_response r;
    int given_back = -1;
    http_response_init(&r);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    r.file = fd;
    r.file_done = note_done;
    r.file_owner = &given_back;
    http_reply(&r, 200, "text/plain", STR("hello"));
    assert_int_equal(given_back, fd);
    assert_int_not_equal(fcntl(fd, F_GETFD), -1);
    given_back = -1;
    http_response_fini(&r);
    assert_int_equal(given_back, -1);
    close(fd);
}

/* A new body takes the old one's place, and its descriptor is closed. */
static void test_reply_replaces(void **state)
{
    (void)state;
    struct http_response r;
    http_response_init(&r);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    r.file = fd;
    r.parts[r.part_count++] = (struct http_part){.kind = HTTP_PART_FILE, .length = 7};
    assert_int_equal(http_body_length(&r), 7);
    http_reply(&r, 200, "text/plain", STR("hello"));
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(http_body_length(&r), 5);
    http_reply(&r, 201, "text/html", STR(""));
    assert_int_equal(r.status, 201);
    assert_int_equal(r.part_count, 0);
    assert_string_equal(response_header(&r, "Content-Type"), "text/html");
    http_reply_empty(&r, 204);
    assert_null(response_header(&r, "Content-Type"));
    http_response_fini(&r);
    http_response_fini(&r);
}

static void test_json(void **state)
{
    (void)state;
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_int(doc, root, "id", 7);
    for (size_t max = 0; max <= 8192; max += 4096) {
        auto_arena struct arena a;
        arena_init(&a, max);
        struct http_response r;
        http_response_init(&r);
        http_reply_json(&r, &a, 200, doc);
        assert_int_equal(r.status, max == 0 ? 500 : 200);
        assert_string_equal(response_header(&r, "Content-Type"),
                            max == 0 ? "application/problem+json" : "application/json");
        if (max > 0)
            assert_true(str_is(r.parts[0].bytes, "{\"id\":7}"));
        http_response_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_get),
        cmocka_unit_test(test_set_replaces),
        cmocka_unit_test(test_file_given_back),
        cmocka_unit_test(test_reply_replaces),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
