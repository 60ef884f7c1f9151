/* The hashes by which files are known: SHA-256 here, SHA-1 and MD5 to hawkBit's devices as well. */
#ifndef PQOTA_STORE_DIGESTS_H
#define PQOTA_STORE_DIGESTS_H

#include <stddef.h>

#include "base/err.h"
#include "base/hex.h"

struct digests; /* all three of one text */

struct digest_texts { /* lower-case hex */
    char sha256[SHA256_HEX_SIZE], sha1[SHA1_HEX_SIZE], md5[MD5_HEX_SIZE];
};

int digests_new(struct digests **out, struct err *e) MUST_CHECK;
int digests_add(struct digests *d, const void *data, size_t n, struct err *e) MUST_CHECK;
int digests_end(struct digests *d, struct digest_texts *out, struct err *e) MUST_CHECK;
void digests_free(struct digests *d);

#endif
