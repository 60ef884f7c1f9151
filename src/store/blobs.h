/*
 * Blobs: files named by their SHA-256 under <dir>/blobs/ab/cd.../, and the temporary files they are made
 * from. All calls touch the disk and belong in the FILE lane (or at start).
 */
#ifndef PQOTA_STORE_BLOBS_H
#define PQOTA_STORE_BLOBS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hex.h"
#include "store/store.h"

/* A file being received: written and hashed piece by piece. One user at a time. */
struct digest_texts; /* store/digests.h */
struct spool;
int spool_new(struct store *s, struct spool **out, struct err *e) MUST_CHECK;
int spool_write(struct spool *sp, const void *data, size_t n, struct err *e) MUST_CHECK;
/* SHA-1 and MD5 are wanted too, which hawkBit's devices know files by. Before the first byte. */
int spool_hash_all(struct spool *sp, struct err *e) MUST_CHECK;
/* Those of a finished one; NULL: they were not asked for. They live as long as the spool. */
const struct digest_texts *spool_hashes(const struct spool *sp);
/* fsyncs; path lives as long as the spool. */
int spool_finish(struct spool *sp, const char **path, uint64_t *size, char sha256[SHA256_HEX_SIZE],
                 struct err *e) MUST_CHECK;
void spool_free(struct spool *sp); /* removes the file if it is still there */

/* Renames a finished spool file to its place and fsyncs the folders. The blob being there already is
   fine: it is replaced by the same bytes, which also mends a damaged one; who reads it reads on in the
   old file. Its time is set to now, so that the sweep leaves it alone until a row refers to it. */
int blob_place(struct store *s, const char *spool_path, const char *sha256, struct err *e) MUST_CHECK;
/* Opens for reading. ERR_NOT_FOUND names the blob. */
int blob_open(struct store *s, const char *sha256, int *fd, uint64_t *size, struct err *e) MUST_CHECK;
/* The same for one of many who read it at once: *fd is shared with the others, is not to be closed but given
   back, and has no position (pread). */
int blob_share(struct store *s, const char *sha256, int *fd, uint64_t *size, struct err *e) MUST_CHECK;
void blob_give_back(struct store *s, int fd);
/* Calls keep(sha256) for each blob older than grace_ms and removes those it answers 0 for; keep < 0 stops.
   Looks at `most` files per call and goes on where it stopped. One caller at a time; keep must not place
   blobs. */
int blob_sweep(struct store *s, int64_t now_ms, int64_t grace_ms, size_t most,
               int (*keep)(void *ctx, const char *sha256, struct err *e), void *ctx, size_t *removed,
               struct err *e) MUST_CHECK;

#endif
