/* SHA-256 of files, with progress on large ones. */
#ifndef PQOTA_CMD_DIGEST_H
#define PQOTA_CMD_DIGEST_H

#include <stdint.h>

#include "base/err.h"
#include "base/hex.h"
#include "cmd/progress.h"

/* Reads the first `size` bytes of fd by offset. name: for messages. ERR_MISMATCH when the file is shorter.
   progress may be NULL. */
int digest_file(int fd, const char *name, int64_t size, struct progress *progress, char out[SHA256_HEX_SIZE],
                struct err *e) MUST_CHECK;

#endif
