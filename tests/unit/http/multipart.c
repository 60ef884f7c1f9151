/* multipart/form-data in whole, cut anywhere and byte by byte: always the same comes out. */
#include "check.h"
#include "multipart_walk.h"

#include "base/cleanup.h"

/* Recorded from curl 8.14.1 of Debian 13: -F name=app-core -F file=@fw.bin */
static const char curl_two[] = "--------------------------VoJ8PvDsGrROa3QdBeFnVW\r\n"
                               "Content-Disposition: form-data; name=\"name\"\r\n\r\napp-core\r\n"
                               "--------------------------VoJ8PvDsGrROa3QdBeFnVW\r\n"
                               "Content-Disposition: form-data; name=\"file\"; filename=\"fw.bin\"\r\n"
                               "Content-Type: application/octet-stream\r\n\r\n"
                               "\0\x01\r\n--\r\n\xff end\r\n"
                               "--------------------------VoJ8PvDsGrROa3QdBeFnVW--\r\n";
/* -F 'file=@we"ird\na;me.txt' */
static const char curl_percent[] =
    "--------------------------eUiCQPkltjeB35rcjKq5c2\r\n"
    "Content-Disposition: form-data; name=\"file\"; filename=\"we%22ird\\na;me.txt\"\r\n"
    "Content-Type: text/plain\r\n\r\nx\r\n"
    "--------------------------eUiCQPkltjeB35rcjKq5c2--\r\n";
/* --form-escape -F 'file=@we"ird\na;me.txt' */
static const char curl_escape[] =
    "--------------------------7GbgBfusPx9d90OsCvgW7V\r\n"
    "Content-Disposition: form-data; name=\"file\"; filename=\"we\\\"ird\\\\na;me.txt\"\r\n"
    "Content-Type: text/plain\r\n\r\nx\r\n"
    "--------------------------7GbgBfusPx9d90OsCvgW7V--\r\n";
/* -F file=@ü.txt -F 'f2=@empty;filename=other.swu' -F x= */
static const char curl_empty[] =
    "--------------------------ffCHDP13A2hVOkBQqMEAaQ\r\n"
    "Content-Disposition: form-data; name=\"file\"; filename=\"\xc3\xbc.txt\"\r\n"
    "Content-Type: text/plain\r\n\r\nu\r\n"
    "--------------------------ffCHDP13A2hVOkBQqMEAaQ\r\n"
    "Content-Disposition: form-data; name=\"f2\"; filename=\"other.swu\"\r\n"
    "Content-Type: application/octet-stream\r\n\r\n\r\n"
    "--------------------------ffCHDP13A2hVOkBQqMEAaQ\r\n"
    "Content-Disposition: form-data; name=\"x\"\r\n\r\n\r\n"
    "--------------------------ffCHDP13A2hVOkBQqMEAaQ--\r\n";

#define CD "Content-Disposition: form-data; name=\"a\""
#define ONE(content) "--bnd\r\n" CD "\r\n\r\n" content "\r\n--bnd--\r\n"
#define HEAD(head) "--bnd\r\n" head "\r\n\r\nx\r\n--bnd--\r\n"
#define LINE(head) HEAD(CD "\r\n" head)
#define DISP(value) HEAD("Content-Disposition: " value)
#define B(text) {(text), sizeof(text) - 1}

static const struct {
    const char *boundary;
    struct str body, want; /* want: the whole, or what {bad: ...} contains if it begins with "!" */
} rows[] = {
    {"------------------------VoJ8PvDsGrROa3QdBeFnVW", B(curl_two),
     B("{name|-|-}app-core{end}{file|fw.bin|application/octet-stream}\0\x01\r\n--\r\n\xff end{end}{whole}")},
    {"------------------------eUiCQPkltjeB35rcjKq5c2", B(curl_percent),
     B("{file|we%22ird\\na;me.txt|text/plain}x{end}{whole}")},
    {"------------------------7GbgBfusPx9d90OsCvgW7V", B(curl_escape),
     B("{file|we\"ird\\na;me.txt|text/plain}x{end}{whole}")},
    {"------------------------ffCHDP13A2hVOkBQqMEAaQ", B(curl_empty),
     B("{file|\xc3\xbc.txt|text/plain}u{end}{f2|other.swu|application/"
       "octet-stream}{end}{x|-|-}{end}{whole}")},
    /* content */
    {"bnd", B(ONE("x")), B("{a|-|-}x{end}{whole}")},
    {"bnd", B(ONE("")), B("{a|-|-}{end}{whole}")},
    {"bnd", B("--bnd\r\n" CD "\r\n\r\n--bnd--"), B("{a|-|-}{end}{whole}")},
    {"bnd", B("--bnd\r\n" CD "\r\n\r\n--bnd\r\n" CD "\r\n\r\n--bnd--"), B("{a|-|-}{end}{a|-|-}{end}{whole}")},
    {"bnd", B(ONE("\r\n")), B("{a|-|-}\r\n{end}{whole}")},
    {"bnd", B(ONE("\r")), B("{a|-|-}\r{end}{whole}")},
    {"bnd", B(ONE("\n")), B("{a|-|-}\n{end}{whole}")},
    {"bnd", B(ONE("\r\r\r\n\r\n\n\r")), B("{a|-|-}\r\r\r\n\r\n\n\r{end}{whole}")},
    {"bnd", B(ONE("--bn")), B("{a|-|-}--bn{end}{whole}")},
    {"bnd", B(ONE("-")), B("{a|-|-}-{end}{whole}")},
    {"bnd", B(ONE("--")), B("{a|-|-}--{end}{whole}")},
    {"bnd", B(ONE("x--bnd--")), B("{a|-|-}x--bnd--{end}{whole}")},
    {"bnd", B(ONE("x\n--bnd--\n")), B("{a|-|-}x\n--bnd--\n{end}{whole}")},
    {"bnd", B(ONE("x\r--bnd")), B("{a|-|-}x\r--bnd{end}{whole}")},
    {"bnd", B(ONE("x\r\n-bnd")), B("{a|-|-}x\r\n-bnd{end}{whole}")},
    {"bnd", B(ONE("x\r\n --bnd")), B("{a|-|-}x\r\n --bnd{end}{whole}")},
    {"bnd", B(ONE("x\r\n--BND")), B("{a|-|-}x\r\n--BND{end}{whole}")},
    {"bnd", B(ONE("x\r\n--bn\r\n--bn")), B("{a|-|-}x\r\n--bn\r\n--bn{end}{whole}")},
    {"bnd", B(ONE("\r\n\r\n--bn\r\n\r\n--\r\n-\r\n")),
     B("{a|-|-}\r\n\r\n--bn\r\n\r\n--\r\n-\r\n{end}{whole}")},
    {"bnd", B(ONE("\r\r\n--b\r")), B("{a|-|-}\r\r\n--b\r{end}{whole}")},
    {"--", B("----\r\n" CD "\r\n\r\nx\r\n---\r\n------"), B("{a|-|-}x\r\n---{end}{whole}")},
    {"-", B("---\r\n" CD "\r\n\r\nx\r\n--\r\n-----"), B("{a|-|-}x\r\n--{end}{whole}")},
    /* around */
    {"bnd", B("--bnd\r\n" CD "\r\n\r\nx\r\n--bnd--"), B("{a|-|-}x{end}{whole}")},
    {"bnd", B("\r\n" ONE("x")), B("{a|-|-}x{end}{whole}")},
    {"bnd", B("This is\r\n a preamble --bnd\r\n\r\n-\r\n" ONE("x")), B("{a|-|-}x{end}{whole}")},
    {"bnd", B(ONE("x") "an epilogue\n\r\n--bnd\r\nof any form"), B("{a|-|-}x{end}{whole}")},
    {"bnd", B("preamble" ONE("x")), B("!the body has no part")},
    {"bnd", B(""), B("!no boundary")},
    {"bnd", B("--bn"), B("!no boundary")},
    {"bnd", B("--other\r\n"), B("!no boundary")},
    {"bnd", B("\n--bnd\r\n" CD "\r\n\r\nx\r\n--bnd--"), B("!the body has no part")},
    {"bnd", B("--bnd--\r\n"), B("!the body has no part")},
    {"bnd", B("--bnd--"), B("!the body has no part")},
    {"bnd", B(ONE("x") "\n"), B("{a|-|-}x{end}{whole}")},
    {"bnd", B("--bnd\r\n" CD "\r\n\r\nx\r\n--bnd--junk"), B("!on the line of the last boundary")},
    {"bnd", B("--bnd\r\n" CD "\r\n\r\nx\r\n--bnd-- \r\n"), B("!on the line of the last boundary")},
    {"bnd", B("--bnd\r\n" CD "\r\n\r\nx\r\n--bnd--\n"), B("!on the line of the last boundary")},
    {"bnd", B("--bnd\r\n" CD "\r\n\r\nx\r\n--bnd--\rx"), B("!on the line of the last boundary")},
    {"bnd", B("--bnd\r\n" CD "\r\n\r\nx\r\n--bnd--\r"), B("!cut off")},
    /* the boundary's line */
    {"bnd", B(ONE("x\r\n--bndx")), B("!begins with the boundary and goes on")},
    {"bnd", B(ONE("x\r\n--bnd ")), B("!begins with the boundary and goes on")},
    {"bnd", B(ONE("x\r\n--bnd-")), B("!begins with the boundary and goes on")},
    {"bnd", B(ONE("x\r\n--bnd-x")), B("!begins with the boundary and goes on")},
    {"bnd", B(ONE("x\r\n--bnd\n")), B("!begins with the boundary and goes on")},
    {"bnd", B(ONE("x\r\n--bnd\rx")), B("!begins with the boundary and goes on")},
    {"bnd", B("--bnd \r\n" CD "\r\n\r\nx\r\n--bnd--"), B("!begins with the boundary and goes on")},
    {"bnd", B("--bnd\n" CD "\n\nx\n--bnd--\n"), B("!begins with the boundary and goes on")},
    /* heads */
    {"bnd", B("--bnd\r\n\r\nx\r\n--bnd--"), B("!part 1: it has no Content-Disposition")},
    {"bnd", B(HEAD("Content-Type: text/plain")), B("!part 1: it has no Content-Disposition")},
    {"bnd", B(DISP("form-data")), B("!part 1: its Content-Disposition has no name")},
    {"bnd", B(DISP("form-data; filename=\"x\"")), B("!has no name")},
    {"bnd", B(DISP("form-data; name=\"\"")), B("!has no name")},
    {"bnd", B(DISP("form-data; name=")), B("!malformed parameter")},
    {"bnd", B(DISP("form-data; name")), B("!malformed parameter")},
    {"bnd", B(DISP("form-data; =x")), B("!malformed parameter")},
    {"bnd", B(DISP("form-data; name=\"x")), B("!malformed parameter")},
    {"bnd", B(DISP("form-data; name=\"x\\\"")), B("!malformed parameter")},
    {"bnd", B(DISP("form-data; name=\"x\" y")), B("!malformed parameter")},
    {"bnd", B(DISP("form-data; name=\"x\"filename=\"y\"")), B("!malformed parameter")},
    {"bnd", B(DISP("form-data; name =\"x\"")), B("!malformed parameter")},
    {"bnd", B(DISP("form-data name=\"x\"")), B("!is not form-data")},
    {"bnd", B(DISP("attachment; name=\"x\"")), B("!is not form-data")},
    {"bnd", B(DISP("")), B("!is not form-data")},
    {"bnd", B(DISP("form-data; name=\"x\"; name=\"y\"")), B("!two of name")},
    {"bnd", B(DISP("form-data; name=\"\"; name=\"y\"")), B("!two of name")},
    {"bnd", B(DISP("form-data; name=x; filename=y; FileName=z")), B("!two of filename")},
    {"bnd", B(DISP("form-data; name=x; filename*=UTF-8''y")), B("!RFC 7578 section 4.2")},
    {"bnd", B(DISP("form-data; name=a/b")), B("!must stand in quotes")},
    {"bnd", B(DISP("form-data; name=\"\xff\"")), B("!its name is not UTF-8")},
    {"bnd", B(DISP("form-data; name=\"a\tb\"")), B("!or has control characters")},
    {"bnd", B(DISP("form-data; name=\"a\0b\"")), B("!no header field")},
    {"bnd", B(DISP("form-data; name=x; filename=\"\xc3\"")), B("!its filename is not UTF-8")},
    {"bnd", B(DISP("Form-Data;NAME=x;x=y ; filename=\"\" ;")), B("{x||-}x{end}{whole}")},
    {"bnd", B(DISP("form-data; filename=\"C:\\fw\\new.swu\"; name=x")),
     B("{x|C:\\fw\\new.swu|-}x{end}{whole}")},
    {"bnd", B(DISP("form-data; name=\"a;b=\\\"c\\\\\"")), B("{a;b=\"c\\|-|-}x{end}{whole}")},
    {"bnd", B(LINE("content-type:a/b; c=\"d\"\r\nContent-Length: 1\r\nX-Y:")),
     B("{a|-|a/b; c=\"d\"}x{end}{whole}")},
    {"bnd", B(LINE("Content-Type: ")), B("!its Content-Type is empty")},
    {"bnd", B(LINE("Content-Type: a\r\nContent-Type: a")), B("!two Content-Type")},
    {"bnd", B(LINE(CD)), B("!two Content-Disposition")},
    {"bnd", B(LINE("Content-Transfer-Encoding: Binary")), B("{a|-|-}x{end}{whole}")},
    {"bnd", B(LINE("Content-Transfer-Encoding: base64")), B("!Content-Transfer-Encoding")},
    {"bnd", B(LINE("Content-Transfer-Encoding: quoted-printable")), B("!Content-Transfer-Encoding")},
    {"bnd", B(LINE("no colon")), B("!no header field")},
    {"bnd", B(LINE(": x")), B("!no header field")},
    {"bnd", B(LINE("X : x")), B("!no header field")},
    {"bnd", B(LINE("X: y\r\n folded")), B("!no header field")},
    {"bnd", B(LINE("X: y\nZ: y")), B("!no header field")},
    {"bnd", B(LINE("X: y\rZ: y")), B("!no header field")},
    {"bnd", B(LINE("X: \0")), B("!no header field")},
    {"bnd", B("--bnd\r\n" CD "\r\n\r\nx\r\n--bnd\r\nX: y\r\n\r\n"),
     B("!part 2: it has no Content-Disposition")},
    /* cut off */
    {"bnd", B("--bnd\r\n" CD), B("!cut off before its last boundary")},
    {"bnd", B("--bnd\r\n" CD "\r\n\r\nx"), B("!cut off")},
    {"bnd", B("--bnd\r\n" CD "\r\n\r\nx\r\n--bnd"), B("!cut off")},
    {"bnd", B("--bnd\r\n" CD "\r\n\r\nx\r\n--bnd\r\n"), B("!cut off")},
    {"bnd", B("--bnd\r\n" CD "\r\n\r\nx\r\n--bnd-"), B("!cut off")},
};

/* Copied, so that ASan sees a read past a piece. */
static void feed_copy(struct walk *w, const char *p, size_t n)
{
    auto_free char *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    walk_feed(w, (struct str){.p = copy, .n = n});
}

/* The body in three pieces that end at a, b and its end; or in pieces of `step` bytes. */
static void walk_cut(struct walk *w, size_t i, size_t a, size_t b, size_t step)
{
    struct str body = rows[i].body;
    walk_begin(w, str_of(rows[i].boundary));
    if (step == 0) {
        feed_copy(w, body.p, a);
        feed_copy(w, body.p + a, b - a);
        feed_copy(w, body.p + b, body.n - b);
    }
    for (size_t at = 0; step > 0 && at < body.n; at += step)
        feed_copy(w, body.p + at, body.n - at < step ? body.n - at : step);
    walk_end(w);
}

static void test_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct walk w;
        walk_cut(&w, i, 0, 0, 0);
        struct str got = buf_str(&w.out), want = rows[i].want;
        bool as_wanted = str_eq(got, want);
        if (want.p[0] == '!')
            as_wanted = w.bad && memmem(got.p, got.n, want.p + 1, want.n - 1) != NULL;
        if (!as_wanted)
            fail_msg("row %zu, " STR_FMT ": " STR_FMT, i, STR_ARG(rows[i].body), STR_ARG(got));
        buf_fini(&w.out);
    }
}

static void test_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct walk whole;
        walk_cut(&whole, i, 0, 0, 0);
        size_t n = rows[i].body.n;
        for (size_t k = 0; k < n * 2 + 8; k++) {
            struct walk w;
            if (k < n) /* two pieces */
                walk_cut(&w, i, k, k, 0);
            else if (k < 2 * n) /* three, the second short */
                walk_cut(&w, i, k - n, k - n + 1 + k % 7 < n ? k - n + 1 + k % 7 : n, 0);
            else /* of one to eight bytes */
                walk_cut(&w, i, 0, 0, k - 2 * n + 1);
            if (!str_eq(buf_str(&w.out), buf_str(&whole.out)))
                fail_msg("row %zu, cut %zu: " STR_FMT ", not " STR_FMT, i, k, STR_ARG(buf_str(&w.out)),
                         STR_ARG(buf_str(&whole.out)));
            buf_fini(&w.out);
        }
        buf_fini(&whole.out);
    }
}

/* A good body cut off anywhere before its last boundary is none. */
static void test_cut_off(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof curl_two - 1; n++) {
        struct walk w;
        walk_begin(&w, STR("------------------------VoJ8PvDsGrROa3QdBeFnVW"));
        feed_copy(&w, curl_two, n);
        walk_end(&w);
        /* The last line's end may be missing. */
        assert_int_equal(w.bad, n != sizeof curl_two - 1 - 2);
        buf_fini(&w.out);
    }
}

static void add_times(struct buf *b, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        assert_int_equal(buf_add_str(b, str_of(text)), 0);
}

static void test_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *first, *again, *last;
        size_t most;
        const char *why;
    } bounds[] = {
        {"", "--bnd\r\n" CD "\r\n\r\nx\r\n", "--bnd--\r\n", MULTIPART_PARTS_MAX, "more than 16 parts"},
        {"--bnd\r\n" CD "\r\nX:", "y", "\r\n\r\nx\r\n--bnd--",
         MULTIPART_HEAD_MAX - sizeof(CD "\r\nX:\r\n\r\n") + 1, "more than 4096 bytes"},
        {"", "y", "\r\n" ONE("x"), MULTIPART_AROUND_MAX, "does not begin with the boundary"},
        {ONE("x"), "y", "", MULTIPART_AROUND_MAX, "more than 1024 bytes stand behind"},
        {"--bnd\r\n" CD "\r\n\r\n", "\r\n--bn", "\r\n--bnd--", 100000, NULL},
        {"--bnd\r\n" CD "\r\n\r\n", "\r", "\r\n--bnd--", 1000000, NULL},
    };
    for (size_t i = 0; i < COUNT(bounds); i++) {
        for (size_t over = 0; over < 2; over++) {
            auto_buf struct buf body;
            buf_init(&body, 1 << 24);
            add_times(&body, bounds[i].first, 1);
            add_times(&body, bounds[i].again, bounds[i].most + over);
            add_times(&body, bounds[i].last, 1);
            struct walk w;
            walk_begin(&w, STR("bnd"));
            walk_feed(&w, buf_str(&body));
            walk_end(&w);
            struct str got = buf_str(&w.out);
            bool want_bad = over == 1 && bounds[i].why != NULL;
            if (w.bad != want_bad ||
                (want_bad && memmem(got.p, got.n, bounds[i].why, strlen(bounds[i].why)) == NULL))
                fail_msg("row %zu, %zu over: " STR_FMT, i, over, (int)(got.n < 200 ? got.n : 200), got.p);
            buf_fini(&w.out);
        }
    }
}

static void test_boundary(void **state)
{
    (void)state;
#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789"
    static const struct {
        const char *type, *want; /* want NULL: refused */
        int code;
    } types[] = {
        {"multipart/form-data; boundary=abc", "abc", 0},
        {"Multipart/Form-Data;BOUNDARY=\"abc\"", "abc", 0},
        {"multipart/form-data ; charset=utf-8 ;\tboundary=----=_Part_0:1/2?", "----=_Part_0:1/2?", 0},
        {"multipart/form-data; boundary=\"a b;c'()+_,-./:=?\"; x=y;", "a b;c'()+_,-./:=?", ERR_INVALID},
        {"multipart/form-data; boundary=\"a b'()+_,-./:=?\"; x=y;", "a b'()+_,-./:=?", 0},
        {"multipart/form-data; boundary=" SEVENTY, SEVENTY, 0},
        {"multipart/form-data; boundary=" SEVENTY "0", NULL, ERR_INVALID},
        {"multipart/form-data", NULL, ERR_INVALID},
        {"multipart/form-data;", NULL, ERR_INVALID},
        {"multipart/form-data; x=boundary=y", NULL, ERR_INVALID},
        {"multipart/form-data; boundary=", NULL, ERR_INVALID},
        {"multipart/form-data; boundary=\"\"", NULL, ERR_INVALID},
        {"multipart/form-data; boundary=\"a ", NULL, ERR_INVALID},
        {"multipart/form-data; boundary=\"a \"", NULL, ERR_INVALID},
        {"multipart/form-data; boundary=\"a\\\"b\"", NULL, ERR_INVALID},
        {"multipart/form-data; boundary=a\"b", NULL, ERR_INVALID},
        {"multipart/form-data; boundary=a\x7f", NULL, ERR_INVALID},
        {"multipart/form-data; boundary=\xc3\xa4", NULL, ERR_INVALID},
        {"multipart/form-data; boundary=a b", NULL, ERR_INVALID},
        {"multipart/form-data; boundary=a; boundary=a", NULL, ERR_INVALID},
        {"multipart/form-data; boundary=a, multipart/form-data; boundary=b", NULL, ERR_INVALID},
        {"multipart/form-data, boundary=a", NULL, ERR_UNSUPPORTED},
        {"multipart/form-dataa; boundary=a", NULL, ERR_UNSUPPORTED},
        {"multipart/mixed; boundary=a", NULL, ERR_UNSUPPORTED},
        {"application/json", NULL, ERR_UNSUPPORTED},
        {"", NULL, ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < COUNT(types); i++) {
        struct str got = {.p = "none", .n = 4};
        struct err e = {0};
        int rc = multipart_boundary(str_of(types[i].type), &got, &e);
        if (rc != types[i].code || !str_is(got, rc == 0 ? types[i].want : "none"))
            fail_msg("%s: %d, " STR_FMT ", \"%s\"", types[i].type, rc, STR_ARG(got), e.text);
    }
    struct str got;
    assert_int_equal(multipart_boundary((struct str){.p = NULL, .n = 0}, &got, NULL), ERR_UNSUPPORTED);
    struct multipart m;
    assert_int_equal(multipart_init(&m, STR(""), NULL), ERR_INVALID);
    assert_int_equal(multipart_init(&m, STR("a\r"), NULL), ERR_INVALID);
    assert_int_equal(multipart_init(&m, STR("a\0b"), NULL), ERR_INVALID);
    assert_int_equal(multipart_init(&m, STR(SEVENTY "0"), NULL), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),  cmocka_unit_test(test_every_cut), cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_bounds), cmocka_unit_test(test_boundary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
