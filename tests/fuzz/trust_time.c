/* A time that is read is written the same; the first eight bytes as a number are written as a time that is
   read. Also any two texts as a pattern and a path. */
#include <stdlib.h>
#include <string.h>

#include "trust/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TUF_TIME_SIZE];
    int64_t s, number = 0;
    struct str all = {.p = (const char *)data, .n = size}, pattern;
    if (size == 0 || size > TUF_PATTERN_MAX)
        return 0;
    if (tuf_time_read(all, &s) == 0) {
        tuf_time_write(s, text);
        if (!str_is(all, text))
            abort();
    }
    memcpy(&number, data, size < sizeof number ? size : sizeof number);
    tuf_time_write(number, text);
    if (tuf_time_read(str_of(text), &s) != 0 ||
        (s != number && number >= -62135596800 && number <= 253402300799))
        abort();
    if (str_split(&all, '\n', &pattern) && all.p != NULL) {
        (void)trust_glob(pattern, all);
        if (memchr(all.p, '/', all.n) == NULL && !trust_glob(STR("*"), all))
            abort();
    }
    return 0;
}
