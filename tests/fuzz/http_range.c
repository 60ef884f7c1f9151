/* A Range field of any bytes on a file of any size: what comes out lies within it, ascends and does not
   touch. */
#include <stdlib.h>

#include "http/condition.h"
#include "http/date.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ranges(struct str value, uint64_t size)
{
    struct http_range r[HTTP_RANGES_MAX];
    size_t count = 0;
    if (http_range_parse(value, size, r, &count) != HTTP_RANGE_SOME)
        return;
    if (count == 0 || count > HTTP_RANGES_MAX || size == 0)
        abort();
    for (size_t i = 0; i < count; i++)
        if (r[i].first > r[i].last || r[i].last >= size || (i > 0 && r[i].first <= r[i - 1].last + 1))
            abort();
}

/* The same bytes as an entity tag list and as a date: no crash is all that is asked. */
static void check_conditions(struct str value)
{
    static const char *const names[] = {"If-Match", "If-None-Match", "If-Modified-Since",
                                        "If-Unmodified-Since", "If-Range"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct http_request req = {.method = HTTP_GET, .header_count = 1};
        req.headers[0] = (struct http_header){.name = str_of(names[i]), .value = value};
        (void)http_condition_check(&req, STR("\"a\""), 784111777);
        (void)http_condition_range(&req, STR("\"a\""), 784111777);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t file_size = 0;
    if (size < sizeof file_size)
        return 0;
    memcpy(&file_size, data, sizeof file_size);
    size_t n = size - sizeof file_size;
    char *text = malloc(n > 0 ? n : 1); /* of exactly that size, so that ASan sees a read past it */
    if (text == NULL)
        abort();
    memcpy(text, data + sizeof file_size, n);
    struct str value = {.p = text, .n = n};
    check_ranges(value, file_size);
    check_ranges(value, file_size % 64);
    check_conditions(value);
    free(text);
    return 0;
}
