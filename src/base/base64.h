/* Base64 (RFC 4648 section 4): with padding, without line ends. */
#ifndef PQOTA_BASE_BASE64_H
#define PQOTA_BASE_BASE64_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* Characters that stand for n bytes, without the NUL. */
static inline size_t base64_size(size_t n)
{
    return (n + 2) / 3 * 4;
}
/* out has base64_size(n) + 1 bytes, NUL-terminated. */
void base64_encode(const void *data, size_t n, char *out);
/* out has room for s.n / 4 * 3 bytes; *n: how many there are. ERR_INVALID: anything but the one text that
   stands for those bytes. */
int base64_decode(struct str s, void *out, size_t *n) MUST_CHECK;

#endif
