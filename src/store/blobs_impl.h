/* Blobs of a data folder that is not open as a store: for backup and restore, beside a running server. */
#ifndef PQOTA_STORE_BLOBS_IMPL_H
#define PQOTA_STORE_BLOBS_IMPL_H

#include <limits.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hex.h"

#define BLOB_READ_SIZE (256 << 10) /* bytes read at a time while hashing or copying */

/* dir/blobs/ab/cdef... into out (PATH_MAX bytes). ERR_INVALID for what is not 64 lower-case hex digits. */
int blob_path(const char *dir, const char *sha256, char *out, struct err *e) MUST_CHECK;
int blob_place_in(const char *dir, const char *spool_path, const char *sha256, struct err *e) MUST_CHECK;
int blob_open_in(const char *dir, const char *sha256, int *fd, uint64_t *size, struct err *e) MUST_CHECK;

/*
 * Held for the moment in which a blob gets its place and its new time, and in which the sweep looks at a
 * blob's time, asks whether it is needed, and removes it: also against a restore in another process.
 */
int blobs_lock(const char *dir, int *fd, struct err *e) MUST_CHECK;

/* Reads fd from its start; copies it to `to` as well unless that is -1. `name` is for the error text. */
int blob_hash(int fd, int to, const char *name, char sha256[SHA256_HEX_SIZE], uint64_t *size,
              struct err *e) MUST_CHECK;
/* As blob_hash, and ERR_CORRUPT if it is not what `sha256` and `size` say. */
int blob_verify(int fd, int to, const char *name, const char *sha256, uint64_t size,
                struct err *e) MUST_CHECK;

/* Blobs that are open for those who read them (blob_share). NULL: no memory. */
struct blob_shares *blob_shares_new(void);
void blob_shares_free(struct blob_shares *b);

#endif
