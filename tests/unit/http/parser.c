#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transcript.h"

static const struct http_limits limits = {.head_max = 2048, .target_max = 256};

#define GOOD(text_, want_) {.in = {text_, sizeof(text_) - 1}, .want = (want_)}
#define H "Host: a\r\n"

struct row {
    struct str in;
    const char *want;
};

static const struct row good[] = {
    GOOD("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "0 GET path=/ query=- 1.1 keep\nHost=a\n[]\n"),
    GOOD("HEAD /x?y=1&z HTTP/1.1\r\nhOST:a:8443 \r\n\r\n",
         "1 HEAD path=/x query=y=1&z 1.1 keep\nhOST=a:8443\n[]\n"),
    GOOD("GET /? HTTP/1.1\r\n" H "\r\n", "0 GET path=/ query= 1.1 keep\nHost=a\n[]\n"),
    GOOD("\r\nGET / HTTP/1.1\r\n" H "\r\n", "0 GET path=/ query=- 1.1 keep\nHost=a\n[]\n"),
    GOOD("DELETE /a HTTP/1.1\r\nHost:\r\nX-Empty:\r\nX-Tab: \ta\tb\t \r\nX-High: \xC3\xA4\xFF\r\n\r\n",
         "4 DELETE path=/a query=- 1.1 keep\nHost=\nX-Empty=\nX-Tab=a\tb\nX-High=\xC3\xA4\xFF\n[]\n"),
    /* versions and keep-alive */
    GOOD("GET / HTTP/1.0\r\n\r\n", "0 GET path=/ query=- 1.0 close\n[]\n"),
    GOOD("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
         "0 GET path=/ query=- 1.0 keep\nConnection=Keep-Alive\n[]\n"),
    GOOD("GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
         "0 GET path=/ query=- 1.1 close\nHost=a\nConnection=close\n[]\n"),
    GOOD("GET / HTTP/1.1\r\n" H "Connection: foo, Close ,keep-alive\r\n\r\n",
         "0 GET path=/ query=- 1.1 close\nHost=a\nConnection=foo, Close ,keep-alive\n[]\n"),
    GOOD("GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n",
         "0 GET path=/ query=- 1.1 close\nHost=a\nConnection=keep-alive\nConnection=close\n[]\n"),
    /* absolute-form */
    GOOD("GET http://h:1/p?q HTTP/1.1\r\n" H "\r\n", "0 GET path=/p query=q 1.1 keep\nHost=a\n[]\n"),
    GOOD("GET HTTPS://h HTTP/1.1\r\n" H "\r\n", "0 GET path=/ query=- 1.1 keep\nHost=a\n[]\n"),
    GOOD("GET http://h?q HTTP/1.1\r\n" H "\r\n", "0 GET path=/ query=q 1.1 keep\nHost=a\n[]\n"),
    /* methods that are known but not ours */
    GOOD("PATCH / HTTP/1.1\r\n" H "\r\n", "5 PATCH path=/ query=- 1.1 keep\nHost=a\n[]\n"),
    GOOD("OPTIONS /x HTTP/1.1\r\n" H "\r\n", "5 OPTIONS path=/x query=- 1.1 keep\nHost=a\n[]\n"),
    GOOD("TRACE / HTTP/1.1\r\n" H "\r\n", "5 TRACE path=/ query=- 1.1 keep\nHost=a\n[]\n"),
    /* bodies */
    GOOD("PUT /f HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello",
         "3 PUT path=/f query=- 1.1 length=5 keep\nHost=a\nContent-Length=5\n[hello]\n"),
    GOOD("POST /f HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n",
         "2 POST path=/f query=- 1.1 length=0 keep\nHost=a\nContent-Length=0\n[]\n"),
    GOOD("POST /f HTTP/1.1\r\n" H "Content-Length: 00003\r\n\r\nabc",
         "2 POST path=/f query=- 1.1 length=3 keep\nHost=a\nContent-Length=00003\n[abc]\n"),
    GOOD("POST /f HTTP/1.0\r\nContent-Length: 2\r\n\r\nab",
         "2 POST path=/f query=- 1.0 length=2 close\nContent-Length=2\n[ab]\n"),
    GOOD("GET /f HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nab",
         "0 GET path=/f query=- 1.1 length=2 keep\nHost=a\nContent-Length=2\n[ab]\n"),
    GOOD("PUT /f HTTP/1.1\r\n" H "Content-Length: 7\r\n\r\nabc",
         "3 PUT path=/f query=- 1.1 length=7 keep\nHost=a\nContent-Length=7\nopen 3\n"),
    GOOD("POST / HTTP/1.1\r\n" H
         "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
         "2 POST path=/ query=- 1.1 chunked keep\nHost=a\nTransfer-Encoding=Chunked\n[hello0123456789]\n"),
    GOOD("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "2 POST path=/ query=- 1.1 chunked keep\nHost=a\nTransfer-Encoding=chunked\n[]\n"),
    GOOD("POST / HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked\r\n\r\n0003\r\n\r\n\n\r\n000\r\nX-Sum: 1\r\nY: 2\r\n\r\nGET /",
         "2 POST path=/ query=- 1.1 chunked keep\nHost=a\nTransfer-Encoding=chunked\n[\r\n\n]\nopen 0\n"),
    GOOD("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3;q=\"a\\\"b\"\r\nabc\r\n0\r\n\r\n",
         "2 POST path=/ query=- 1.1 chunked keep\nHost=a\nTransfer-Encoding=chunked\n[abc]\n"),
    /* 100-continue */
    GOOD("PUT / HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
         "3 PUT path=/ query=- 1.1 length=1 expect "
         "keep\nHost=a\nExpect=100-Continue\nContent-Length=1\n[x]\n"),
    GOOD("GET / HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n",
         "0 GET path=/ query=- 1.1 keep\nHost=a\nExpect=100-continue\n[]\n"),
    GOOD("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
         "3 PUT path=/ query=- 1.0 length=1 close\nExpect=100-continue\nContent-Length=1\n[x]\n"),
    /* an upgrade that is not honoured: what follows is the next request, not a tunnel */
    GOOD("GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /2 HTTP/1.1\r\n" H
         "\r\n",
         "0 GET path=/ query=- 1.1 keep\nHost=a\nConnection=Upgrade\nUpgrade=websocket\n[]\n"
         "0 GET path=/2 query=- 1.1 keep\nHost=a\n[]\n"),
    GOOD("POST / HTTP/1.1\r\n" H
         "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nabGET /2 HTTP/1.1\r\n" H "\r\n",
         "2 POST path=/ query=- 1.1 length=2 "
         "keep\nHost=a\nConnection=Upgrade\nUpgrade=h2c\nContent-Length=2\n[ab]\n"
         "0 GET path=/2 query=- 1.1 keep\nHost=a\n[]\n"),
    /* pipelining, and a request after one that said close: the connection decides, not the parser */
    GOOD("GET /1 HTTP/1.1\r\n" H "Connection: close\r\n\r\n\r\nPUT /2 HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /3 HTTP/1.0\r\n\r\n",
         "0 GET path=/1 query=- 1.1 close\nHost=a\nConnection=close\n[]\n"
         "3 PUT path=/2 query=- 1.1 chunked keep\nHost=a\nTransfer-Encoding=chunked\n[a]\n"
         "0 GET path=/3 query=- 1.0 close\n[]\n"),
    GOOD("", ""),
    GOOD("\r\n", ""),
    GOOD("GET / HT", "open 0\n"),
};

struct bad_row {
    struct str in;
    int status;
};
#define BAD(status_, text_) {.in = {text_, sizeof(text_) - 1}, .status = (status_)}
#define CL "Content-Length: "
#define TE "Transfer-Encoding: "
#define CHUNKED "POST / HTTP/1.1\r\n" H TE "chunked\r\n\r\n"

static const struct bad_row wrong[] = {
    /* the request line */
    BAD(400, "GET /\r\n\r\n"),
    BAD(400, "GET  / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET /  HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET / HTTP/1.1 \r\n" H "\r\n"),
    BAD(400, " GET / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET\t/ HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET / x HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET /\x01 HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET /\xC3\xA4 HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET /a#b HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET /a\0b HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET a HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET ftp://a/ HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET http:///x HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "OPTIONS * HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GE(T / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET / HTTP/1.1\n" H "\r\n"),
    BAD(400, "GET / HTTP/1.1\r" H "\r\n"),
    BAD(400, "GET / http/1.1\r\n" H "\r\n"),
    BAD(400, "GET / HTTP/1.\r\n" H "\r\n"),
    BAD(400, "GET / HTTP/11\r\n" H "\r\n"),
    BAD(400, "GET / HTTP/1.10\r\n" H "\r\n"),
    BAD(400, "GET / RTSP/1.0\r\n" H "\r\n"),
    BAD(400, "SOURCE / ICE/1.0\r\n" H "\r\n"),
    BAD(400, "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "\nGET / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "\rGET / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    BAD(501, "GETX / HTTP/1.1\r\n" H "\r\n"),
    BAD(501, "get / HTTP/1.1\r\n" H "\r\n"),
    BAD(501, "BREW / HTTP/1.1\r\n" H "\r\n"),
    BAD(501, "CONNECT a:443 HTTP/1.1\r\n" H "\r\n\x16\x03\x01"),
    BAD(501, "CONNECT /a HTTP/1.1\r\n" H "\r\n"),
    BAD(505, "GET / HTTP/2.0\r\n" H "\r\n"),
    BAD(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    BAD(505, "GET / HTTP/0.9\r\n\r\n"),
    BAD(505, "GET / HTTP/1.2\r\n" H "\r\n"),
    /* Host */
    BAD(400, "GET / HTTP/1.1\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H H "\r\n"),
    BAD(400, "GET / HTTP/1.0\r\n" H H "\r\n"),
    BAD(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\nHost: x@a\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\nHost: \"a\"\r\n\r\n"),
    /* header syntax */
    BAD(400, "GET / HTTP/1.1\r\n" H "X : a\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X\t: a\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H ": a\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X(: a\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X\xC3: a\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n " H "\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X: a\x7F\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X: a\nY: b\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X: a\r\n\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X: a\r\n\rX"),
    BAD(400, "GET / HTTP/1.1\r\n" H "X: a\r\r\n\r\n"),
    /* framing */
    BAD(400, "POST / HTTP/1.1\r\n" H CL "5\r\n" TE "chunked\r\n\r\n0\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H TE "chunked\r\n" CL "5\r\n\r\n0\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H CL "5\r\n" CL "5\r\n\r\nhello"),
    BAD(400, "POST / HTTP/1.1\r\n" H CL "5\r\n" CL "6\r\n\r\nhello"),
    BAD(400, "POST / HTTP/1.1\r\n" H CL "5, 5\r\n\r\nhello"),
    BAD(400, "POST / HTTP/1.1\r\n" H CL "+5\r\n\r\nhello"),
    BAD(400, "POST / HTTP/1.1\r\n" H CL "-5\r\n\r\nhello"),
    BAD(400, "POST / HTTP/1.1\r\n" H CL "0x5\r\n\r\nhello"),
    BAD(400, "POST / HTTP/1.1\r\n" H CL "5 5\r\n\r\nhello"),
    BAD(400, "POST / HTTP/1.1\r\n" H CL "5a\r\n\r\nhello"),
    BAD(400, "POST / HTTP/1.1\r\n" H CL "\r\n\r\nhello"),
    BAD(400, "POST / HTTP/1.1\r\n" H CL "18446744073709551616\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H CL "18446744073709551615\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H CL "99999999999999999999999\r\n\r\n"),
    BAD(400, "POST / HTTP/1.0\r\n" TE "chunked\r\n\r\n0\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H TE "gzip\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H TE "gzip, chunked\r\n\r\n0\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H TE "chunked, gzip\r\n\r\n0\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H TE "chunked, chunked\r\n\r\n0\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H TE "chunked\r\n" TE "chunked\r\n\r\n0\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H TE "chunked\r\n" TE "identity\r\n\r\n0\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H TE "xchunked\r\n\r\n0\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H TE "chunked;q=1\r\n\r\n0\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H TE "\"chunked\"\r\n\r\n0\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H TE "\x0B"
             "chunked\r\n\r\n0\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    BAD(417, "PUT / HTTP/1.1\r\n" H "Expect: 200-ok\r\n" CL "1\r\n\r\nx"),
    BAD(417, "PUT / HTTP/1.1\r\n" H "Expect: 100-continue\r\nExpect: 100-continue\r\n" CL "1\r\n\r\nx"),
};

static const struct bad_row wrong_chunks[] = {
    BAD(400, CHUNKED "\r\n"),
    BAD(400, CHUNKED "x\r\n"),
    BAD(400, CHUNKED "-1\r\n"),
    BAD(400, CHUNKED "+1\r\na\r\n0\r\n\r\n"),
    BAD(400, CHUNKED "0x1\r\na\r\n0\r\n\r\n"),
    BAD(400, CHUNKED " 1\r\na\r\n0\r\n\r\n"),
    BAD(400, CHUNKED "1 \r\na\r\n0\r\n\r\n"),
    BAD(400, CHUNKED "1\na\r\n0\r\n\r\n"),
    BAD(400, CHUNKED "1\ra\r\n0\r\n\r\n"),
    BAD(400, CHUNKED "1;a\nb\r\na\r\n0\r\n\r\n"),
    BAD(400, CHUNKED "1;a=\"\nb\"\r\na\r\n0\r\n\r\n"),
    BAD(400, CHUNKED "1;a=\"\0\"\r\na\r\n0\r\n\r\n"),
    BAD(400, CHUNKED "1;a=\"b\r\na\r\n0\r\n\r\n"),
    BAD(400, CHUNKED "1\r\nab\r\n0\r\n\r\n"),
    BAD(400, CHUNKED "1\r\na0\r\n\r\n"),
    BAD(400, CHUNKED "1\r\na\n0\r\n\r\n"),
    BAD(400, CHUNKED "1\r\na\rX0\r\n\r\n"),
    BAD(400, CHUNKED "10000000000000000\r\n"),
    BAD(400, CHUNKED "fffffffffffffffff\r\n"),
    BAD(400, CHUNKED "0\r\n\n"),
    BAD(400, CHUNKED "0\r\n\rX"),
    BAD(400, CHUNKED "0\r\nX: a\n\r\n"),
    BAD(400, CHUNKED "0\r\nX : a\r\n\r\n"),
    BAD(400, CHUNKED "0\r\nX: a\r\n b\r\n\r\n"),
    BAD(400, CHUNKED "0\r\n X: a\r\n\r\n"),
    BAD(400, CHUNKED "0\r\nX: \0\r\n\r\n"),
    BAD(400, CHUNKED "0\r\nGET / HTTP/1.1\r\n\r\n"),
    BAD(400, CHUNKED "0\r\nContent-Length: 5\r\n\r\nhello"),
};

static void run(struct str in, const size_t *cuts, size_t cut_count, struct buf *out)
{
    struct transcript t;
    transcript_init(&t, &limits, 65536);
    size_t at = 0;
    for (size_t i = 0; i < cut_count; i++) {
        transcript_feed(&t, in.p + at, cuts[i] - at);
        at = cuts[i];
    }
    transcript_feed(&t, in.p + at, in.n - at);
    transcript_end(&t);
    buf_clear(out);
    transcript_must(buf_add_str(out, buf_str(&t.out)));
    transcript_fini(&t);
}

/* In one piece, byte by byte, and in each way of two pieces. */
static void check_cuts(struct str in, const char *want)
{
    auto_buf struct buf out;
    buf_init(&out, 1 << 20);
    run(in, NULL, 0, &out);
    assert_string_equal(out.p, want);
    size_t *cuts = calloc(in.n + 1, sizeof *cuts);
    assert_non_null(cuts);
    for (size_t i = 0; i < in.n; i++)
        cuts[i] = i;
    run(in, cuts, in.n, &out);
    assert_string_equal(out.p, want);
    for (size_t i = 0; i <= in.n; i++) {
        run(in, &i, 1, &out);
        assert_string_equal(out.p, want);
    }
    free(cuts);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        check_cuts(good[i].in, good[i].want);
}

/* Whatever came before it, the last line says how it was refused. */
static void check_bad(const struct bad_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        auto_buf struct buf out;
        buf_init(&out, 1 << 20);
        run(rows[i].in, NULL, 0, &out);
        char want[16];
        snprintf(want, sizeof want, "bad %d\n", rows[i].status);
        if (out.n < strlen(want) || strcmp(out.p + out.n - strlen(want), want) != 0)
            fail_msg("\"%.*s\": got \"%s\", want %s", STR_ARG(rows[i].in), out.p, want);
        char *first = strdup(out.p);
        assert_non_null(first);
        check_cuts(rows[i].in, first);
        free(first);
    }
}

static void test_malformed_heads(void **state)
{
    (void)state;
    check_bad(wrong, sizeof wrong / sizeof wrong[0]);
}

static void test_malformed_chunks(void **state)
{
    (void)state;
    check_bad(wrong_chunks, sizeof wrong_chunks / sizeof wrong_chunks[0]);
}

/* Nothing of a refused head is handed out as a request. */
static void test_malformed_head_is_no_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        auto_buf struct buf out;
        buf_init(&out, 1 << 20);
        run(wrong[i].in, NULL, 0, &out);
        assert_memory_equal(out.p, "bad ", 4);
    }
}

/* "GET /aaa HTTP/1.1", Host, and a header X as long as it takes for `total` bytes. */
static char *sized(size_t target, size_t total, size_t *n)
{
    char *text = malloc(target + total + 200);
    assert_non_null(text);
    char *p = text + sprintf(text, "GET /");
    memset(p, 'a', target - 1);
    p += target - 1;
    p += sprintf(p, " HTTP/1.1\r\n" H "X: ");
    size_t so_far = (size_t)(p - text) + 4;
    if (total > so_far) {
        memset(p, 'x', total - so_far);
        p += total - so_far;
    }
    p += sprintf(p, "\r\n\r\n");
    *n = (size_t)(p - text);
    return text;
}

static void check_sized(size_t target, size_t total, const char *want)
{
    size_t n;
    char *text = sized(target, total, &n);
    auto_buf struct buf out;
    buf_init(&out, 1 << 20);
    run((struct str){.p = text, .n = n}, NULL, 0, &out);
    assert_memory_equal(out.p, want, strlen(want));
    char *first = strdup(out.p);
    assert_non_null(first);
    check_cuts((struct str){.p = text, .n = n}, first);
    free(first);
    free(text);
}

static void test_limits(void **state)
{
    (void)state;
    check_sized(limits.target_max, 0, "0 GET");
    check_sized(limits.target_max + 1, 0, "bad 414\n");
    check_sized(1, limits.head_max, "0 GET");
    check_sized(1, limits.head_max + 1, "bad 431\n");
    check_sized(3000, 0, "bad 414\n");
}

static void test_line_without_target_is_bounded(void **state)
{
    (void)state;
    char text[4096];
    memset(text, 'A', sizeof text);
    check_cuts((struct str){.p = text, .n = sizeof text}, "bad 414\n");
}

static void test_header_count(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        auto_buf struct buf in;
        buf_init(&in, 65536);
        transcript_must(buf_printf(&in, "GET / HTTP/1.1\r\n" H));
        for (size_t i = 1; i < HTTP_HEADERS_MAX + extra; i++)
            transcript_must(buf_printf(&in, "X%zu: y\r\n", i));
        transcript_must(buf_printf(&in, "\r\n"));
        auto_buf struct buf out;
        buf_init(&out, 65536);
        run(buf_str(&in), NULL, 0, &out);
        assert_memory_equal(out.p, extra == 0 ? "0 GET" : "bad 431", extra == 0 ? 5 : 7);
    }
}

static void test_chunk_line_is_bounded(void **state)
{
    (void)state;
    auto_buf struct buf in;
    buf_init(&in, 65536);
    transcript_must(buf_printf(&in, CHUNKED "1;x=%0300d\r\na\r\n0\r\n\r\n", 0));
    check_cuts(buf_str(&in),
               "2 POST path=/ query=- 1.1 chunked keep\nHost=a\nTransfer-Encoding=chunked\nbad 400\n");
    buf_clear(&in);
    transcript_must(buf_printf(&in, CHUNKED "%0300d\r\n\r\n", 0));
    check_cuts(buf_str(&in),
               "2 POST path=/ query=- 1.1 chunked keep\nHost=a\nTransfer-Encoding=chunked\nbad 400\n");
}

/* Trailers count with the head. */
static void test_trailers_are_bounded(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        auto_buf struct buf in;
        buf_init(&in, 65536);
        size_t fixed = strlen(CHUNKED "X: \r\n\r\n");
        transcript_must(
            buf_printf(&in, CHUNKED "0\r\nX: %0*d\r\n\r\n", (int)(limits.head_max - fixed) + extra, 0));
        check_cuts(
            buf_str(&in),
            extra == 0
                ? "2 POST path=/ query=- 1.1 chunked keep\nHost=a\nTransfer-Encoding=chunked\n[]\n"
                : "2 POST path=/ query=- 1.1 chunked keep\nHost=a\nTransfer-Encoding=chunked\nbad 431\n");
    }
}

/* Two things wrong: the first one counts, whatever piece the second comes in. */
static void test_first_fault_counts(void **state)
{
    (void)state;
    auto_buf struct buf in;
    buf_init(&in, 65536);
    transcript_must(buf_printf(&in, CHUNKED "0\r\nX Y: %03000d\r\n\r\n", 0));
    check_cuts(buf_str(&in),
               "2 POST path=/ query=- 1.1 chunked keep\nHost=a\nTransfer-Encoding=chunked\nbad 400\n");
}

static void test_small_arena(void **state)
{
    (void)state;
    for (size_t max = 0; max < 8192; max += 512) {
        struct transcript t;
        transcript_init(&t, &limits, max);
        transcript_feed(&t, good[0].in.p, good[0].in.n);
        assert_string_equal(t.out.p, max < 4096 ? "bad 431\n" : good[0].want);
        transcript_fini(&t);
    }
}

static void test_states(void **state)
{
    (void)state;
    struct http_parser *p = http_parser_new(&limits);
    assert_non_null(p);
    auto_arena struct arena a;
    arena_init(&a, 65536);
    struct http_request req;
    size_t used;
    struct str piece;
    int status = 0;
    struct err e;
    assert_false(http_parser_in_request(p));
    http_parser_begin(p, &req, &a);
    assert_false(http_parser_in_request(p));
    assert_int_equal(http_parse(p, "\r\n", 2, &used, &piece, &status, &e), HTTP_MORE);
    assert_false(http_parser_in_request(p));
    assert_int_equal(http_parse(p, "G", 1, &used, &piece, &status, &e), HTTP_MORE);
    assert_true(http_parser_in_request(p));
    static const char rest[] = "ET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next";
    assert_int_equal(http_parse(p, rest, sizeof rest - 1, &used, &piece, &status, &e), HTTP_HEAD_DONE);
    assert_int_equal(used, sizeof rest - 1 - strlen("GET /next"));
    /* Its end is told without another byte, and takes none. */
    assert_int_equal(http_parse(p, NULL, 0, &used, &piece, &status, &e), HTTP_END);
    assert_false(http_parser_in_request(p));
    assert_int_equal(http_parse(p, "GET /next", 9, &used, &piece, &status, &e), HTTP_END);
    assert_int_equal(used, 0);
    /* A refusal stays one, with its reason, until a new beginning. */
    http_parser_begin(p, &req, &a);
    assert_int_equal(http_parse(p, "\x01", 1, &used, &piece, &status, &e), HTTP_BAD);
    status = 0;
    assert_int_equal(http_parse(p, "G", 1, &used, &piece, &status, NULL), HTTP_BAD);
    assert_int_equal(status, 400);
    http_parser_begin(p, &req, &a);
    assert_int_equal(http_parse(p, "G", 1, &used, &piece, &status, &e), HTTP_MORE);
    http_parser_free(p);
    http_parser_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_malformed_heads),
        cmocka_unit_test(test_malformed_chunks),
        cmocka_unit_test(test_malformed_head_is_no_request),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_line_without_target_is_bounded),
        cmocka_unit_test(test_header_count),
        cmocka_unit_test(test_chunk_line_is_bounded),
        cmocka_unit_test(test_trailers_are_bounded),
        cmocka_unit_test(test_first_fault_counts),
        cmocka_unit_test(test_small_arena),
        cmocka_unit_test(test_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
