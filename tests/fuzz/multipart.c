/*
 * Any bytes as a multipart/form-data body: in one piece, byte by byte and in pieces that the first byte
 * seeds, the same comes out. What is before the first line feed names the boundary.
 */
#include "multipart_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In pieces of at most `most` bytes. */
static void walk(struct walk *w, struct str boundary, struct str body, size_t most, unsigned seed)
{
    walk_begin(w, boundary);
    for (size_t at = 0, n = 0; at < body.n; at += n) {
        seed = seed * 1103515245U + 12345U;
        n = most >= body.n - at ? body.n - at : 1 + (seed >> 16) % most;
        walk_feed(w, (struct str){.p = body.p + at, .n = n});
    }
    walk_end(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = {.p = (const char *)data, .n = size}, boundary, fallback = STR("b");
    if (size == 0)
        return 0;
    struct str type = body;
    const char *line = memchr(body.p, '\n', body.n);
    if (line != NULL) {
        type.n = (size_t)(line - body.p);
        body = (struct str){.p = line + 1, .n = body.n - type.n - 1};
    }
    if (multipart_boundary(type, &boundary, NULL) != 0)
        boundary = fallback;
    struct walk whole, bytes, pieces;
    walk(&whole, boundary, body, SIZE_MAX, 0);
    walk(&bytes, boundary, body, 1, 0);
    walk(&pieces, boundary, body, 16, data[0]);
    walk_need(str_eq(buf_str(&whole.out), buf_str(&bytes.out)));
    walk_need(str_eq(buf_str(&whole.out), buf_str(&pieces.out)));
    buf_fini(&whole.out);
    buf_fini(&bytes.out);
    buf_fini(&pieces.out);
    return 0;
}
