#include <fcntl.h>
#include <unistd.h>

#include "check.h"

#define TAG "\"abc\""
#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define DATA "0123456789"

struct fixture {
    struct http_request req;
    struct http_response res;
    struct arena arena;
    struct http_file file;
};

static void begin(struct fixture *f, enum http_method m, const char *name, const char *value)
{
    *f = (struct fixture){.req = {.method = m}};
    if (name != NULL)
        request_header(&f->req, name, value);
    arena_init(&f->arena, 65536);
    http_response_init(&f->res);
    char path[] = "/tmp/http-file-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, DATA, sizeof DATA - 1), sizeof DATA - 1);
    f->file = (struct http_file){.fd = fd,
                                 .size = sizeof DATA - 1,
                                 .etag = TAG,
                                 .modified_ms = 784111777999,
                                 .content_type = "application/octet-stream",
                                 .filename = "fw.bin"};
}

static void end(struct fixture *f)
{
    http_response_fini(&f->res);
    assert_int_equal(fcntl(f->file.fd, F_GETFD), -1); /* closed in the end, whatever was answered */
    arena_fini(&f->arena);
}

/* What the peer would get as the body. */
static void body_of(const struct http_response *r, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < r->part_count; i++) {
        const struct http_part *p = &r->parts[i];
        assert_true(p->length > 0 && n + p->length < size);
        if (p->kind == HTTP_PART_BYTES) {
            assert_int_equal(p->bytes.n, p->length);
            memcpy(out + n, p->bytes.p, p->length);
        } else {
            assert_int_equal(pread(r->file, out + n, p->length, (off_t)p->offset), p->length);
        }
        n += p->length;
    }
    out[n] = '\0';
    assert_int_equal(n, http_body_length(r));
}

static void test_whole(void **state)
{
    (void)state;
    for (int m = HTTP_GET; m <= HTTP_HEAD; m++) {
        struct fixture f;
        begin(&f, (enum http_method)m, m == HTTP_HEAD ? "Range" : "X", "bytes=0-1");
        http_reply_file(&f.req, &f.res, &f.arena, &f.file);
        char body[64];
        body_of(&f.res, body, sizeof body);
        assert_int_equal(f.res.status, 200);
        assert_string_equal(body, DATA);
        assert_string_equal(response_header(&f.res, "ETag"), TAG);
        assert_string_equal(response_header(&f.res, "Last-Modified"), MODIFIED);
        assert_string_equal(response_header(&f.res, "Accept-Ranges"), "bytes");
        assert_string_equal(response_header(&f.res, "Content-Type"), "application/octet-stream");
        assert_string_equal(response_header(&f.res, "Content-Disposition"),
                            "attachment; filename=\"fw.bin\"");
        assert_string_equal(response_header(&f.res, "X-Content-Type-Options"), "nosniff");
        assert_null(response_header(&f.res, "Content-Range"));
        end(&f);
    }
}

static void test_names_are_quoted(void **state)
{
    (void)state;
    static const struct {
        const char *name, *want;
    } names[] = {
        {"a b", "attachment; filename=\"a b\""},
        {"a\"b\\c", "attachment; filename=\"a\\\"b\\\\c\""},
        {"a\r\nX: y/\xC3\xA4", "attachment; filename=\"a__X: y___\""},
        {NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        struct fixture f;
        begin(&f, HTTP_GET, NULL, NULL);
        f.file.filename = names[i].name;
        http_reply_file(&f.req, &f.res, &f.arena, &f.file);
        const char *got = response_header(&f.res, "Content-Disposition");
        if (names[i].want == NULL)
            assert_null(got);
        else
            assert_string_equal(got, names[i].want);
        end(&f);
    }
}

static void test_one_range(void **state)
{
    (void)state;
    static const struct {
        const char *range, *where, *body;
    } rows[] = {
        {"bytes=2-4", "bytes 2-4/10", "234"},
        {"bytes=7-", "bytes 7-9/10", "789"},
        {"bytes=-1", "bytes 9-9/10", "9"},
        {"bytes=0-99", "bytes 0-9/10", DATA},
        {"bytes=0-1,1-3,4-4", "bytes 0-4/10", "01234"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        begin(&f, HTTP_GET, "Range", rows[i].range);
        http_reply_file(&f.req, &f.res, &f.arena, &f.file);
        char body[64];
        body_of(&f.res, body, sizeof body);
        assert_int_equal(f.res.status, 206);
        assert_string_equal(body, rows[i].body);
        assert_string_equal(response_header(&f.res, "Content-Range"), rows[i].where);
        assert_string_equal(response_header(&f.res, "ETag"), TAG);
        end(&f);
    }
}

static void test_several_ranges(void **state)
{
    (void)state;
    char last[64] = "";
    for (int round = 0; round < 2; round++) {
        struct fixture f;
        begin(&f, HTTP_GET, "Range", "bytes=8-,0-1,3-4");
        http_reply_file(&f.req, &f.res, &f.arena, &f.file);
        assert_int_equal(f.res.status, 206);
        assert_null(response_header(&f.res, "Content-Range"));
        const char *type = response_header(&f.res, "Content-Type");
        static const char lead[] = "multipart/byteranges; boundary=";
        assert_memory_equal(type, lead, sizeof lead - 1);
        const char *b = type + sizeof lead - 1;
        assert_int_equal(strlen(b), 32);
        assert_string_not_equal(b, last);
        snprintf(last, sizeof last, "%s", b);
        char body[2048], want[2048];
        body_of(&f.res, body, sizeof body);
#define PART "--%s\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes "
        snprintf(want, sizeof want,
                 PART "0-1/10\r\n\r\n01\r\n" PART "3-4/10\r\n\r\n34\r\n" PART
                      "8-9/10\r\n\r\n89\r\n--%s--\r\n",
                 b, b, b, b);
        assert_string_equal(body, want);
        end(&f);
    }
}

static void test_the_most_ranges_fit(void **state)
{
    (void)state;
    char value[2048] = "bytes=";
    size_t n = strlen(value);
    for (int i = 0; i < HTTP_RANGES_MAX; i++)
        n += (size_t)snprintf(value + n, sizeof value - n, "%d-%d,", 2 * i, 2 * i);
    struct fixture f;
    begin(&f, HTTP_GET, "Range", value);
    f.file.size = 1000;
    http_reply_file(&f.req, &f.res, &f.arena, &f.file);
    assert_int_equal(f.res.status, 206);
    assert_int_equal(f.res.part_count, 2 * HTTP_RANGES_MAX + 1);
    end(&f);
}

static void test_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *range;
        int status;
    } rows[] = {
        {"If-None-Match", TAG, NULL, 304},
        {"If-Modified-Since", MODIFIED, NULL, 304},
        {"If-Match", "\"x\"", NULL, 412},
        {"If-Match", TAG, "bytes=0-1", 206},
        {"If-Range", TAG, "bytes=0-1", 206},
        {"If-Range", "\"x\"", "bytes=0-1", 200},
        {"If-Range", MODIFIED, "bytes=0-1", 206},
        {"If-None-Match", TAG, "bytes=0-1", 304},
        {"X", "y", "bytes=10-", 416},
        {"If-Range", "\"x\"", "bytes=10-", 200},
        {"X", "y", "bytes=z", 200},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        begin(&f, HTTP_GET, rows[i].name, rows[i].value);
        if (rows[i].range != NULL)
            request_header(&f.req, "Range", rows[i].range);
        http_reply_file(&f.req, &f.res, &f.arena, &f.file);
        assert_int_equal(f.res.status, rows[i].status);
        bool partial = rows[i].status == 206;
        if (rows[i].status == 416)
            assert_string_equal(response_header(&f.res, "Content-Range"), "bytes */10");
        else
            assert_int_equal(response_header(&f.res, "Content-Range") != NULL, partial);
        if (rows[i].status == 304) {
            assert_string_equal(response_header(&f.res, "ETag"), TAG);
            assert_int_equal(http_body_length(&f.res), 0);
        }
        if (rows[i].status >= 400)
            assert_string_equal(response_header(&f.res, "Content-Type"), "application/problem+json");
        end(&f);
    }
}

static void test_empty_file(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, HTTP_GET, NULL, NULL);
    f.file.size = 0;
    http_reply_file(&f.req, &f.res, &f.arena, &f.file);
    assert_int_equal(f.res.status, 200);
    assert_int_equal(f.res.part_count, 0);
    end(&f);
}

static void test_no_memory(void **state)
{
    (void)state;
    static const char *const ranges[] = {"none", "bytes=0-1", "bytes=0-1,5-6", "bytes=20-"};
    for (size_t i = 0; i < COUNT(ranges); i++) {
        struct fixture f;
        begin(&f, HTTP_GET, "Range", ranges[i]);
        arena_init(&f.arena, 64);
        http_reply_file(&f.req, &f.res, &f.arena, &f.file);
        assert_int_equal(f.res.status, 500);
        assert_true(http_body_length(&f.res) > 0);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_names_are_quoted),
        cmocka_unit_test(test_one_range),
        cmocka_unit_test(test_several_ranges),
        cmocka_unit_test(test_the_most_ranges_fit),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_empty_file),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
