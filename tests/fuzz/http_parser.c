/*
 * The parser on any bytes: the first byte of the input seeds how the rest is cut, and the cut stream must
 * give the same requests, bodies and refusals as the whole one.
 */
#include "transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_limits limits = {.head_max = 512, .target_max = 64};

static void check_request(const struct transcript *t)
{
    const struct http_request *r = &t->req;
    if (r->header_count > HTTP_HEADERS_MAX || (r->has_length && r->chunked))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned state = data[0];
    const char *text = (const char *)data + 1;
    size_t n = size - 1;

    struct transcript whole, cut;
    transcript_init(&whole, &limits, 65536);
    transcript_feed(&whole, text, n);
    check_request(&whole);
    transcript_end(&whole);

    transcript_init(&cut, &limits, 65536);
    for (size_t at = 0; at < n;) {
        state = state * 1103515245u + 12345u;
        size_t piece = state % 256 < 128 ? 1 : 1 + (state >> 8) % 64;
        if (piece > n - at)
            piece = n - at;
        transcript_feed(&cut, text + at, piece);
        at += piece;
    }
    transcript_end(&cut);
    if (!str_eq(buf_str(&whole.out), buf_str(&cut.out))) {
        fprintf(stderr, "whole:\n%s\ncut:\n%s\n", whole.out.p, cut.out.p);
        abort();
    }
    transcript_fini(&whole);
    transcript_fini(&cut);
    return 0;
}
