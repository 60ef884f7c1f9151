/* Lower-case hexadecimal. */
#ifndef PQOTA_BASE_HEX_H
#define PQOTA_BASE_HEX_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1) /* with the NUL */
#define SHA1_SIZE 20
#define SHA1_HEX_SIZE (2 * SHA1_SIZE + 1)
#define MD5_SIZE 16
#define MD5_HEX_SIZE (2 * MD5_SIZE + 1)

/* out has 2n + 1 bytes, NUL-terminated. */
void hex_encode(const void *data, size_t n, char *out);
/* s is exactly 2n digits of either case. */
int hex_decode(struct str s, void *out, size_t n) MUST_CHECK;

#endif
