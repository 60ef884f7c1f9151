/* Byte ranges (RFC 9110 section 14). */
#ifndef PQOTA_HTTP_RANGE_H
#define PQOTA_HTTP_RANGE_H

#include "http/message.h"

struct http_range {
    uint64_t first, last; /* both included */
};

enum http_range_result {
    HTTP_RANGE_WHOLE, /* no range that counts: malformed, another unit, more than HTTP_RANGES_MAX */
    HTTP_RANGE_SOME,  /* *count ranges, ascending, neither overlapping nor touching */
    HTTP_RANGE_NONE,  /* none of them lies within the representation: 416 */
};

enum http_range_result http_range_parse(struct str value, uint64_t size,
                                        struct http_range out[HTTP_RANGES_MAX], size_t *count);

#endif
