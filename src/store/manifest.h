/*
 * What a backup says of itself, as text:
 *
 *     pqota-backup 1
 *     schema 1
 *     created 2026-11-22T13:26:49.000Z
 *     database <sha256> <bytes>
 *     blob <sha256> <bytes>           once for each blob
 *     end <how many blobs> <SHA-256 of all lines above>
 */
#ifndef PQOTA_STORE_MANIFEST_H
#define PQOTA_STORE_MANIFEST_H

#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hex.h"

struct manifest {
    int schema;
    char created[CLOCK_TEXT_MAX];
    char database_sha256[SHA256_HEX_SIZE];
    uint64_t database_size;
    uint64_t blobs;
};

/* Makes dir/manifest, mode 0600: head, then the blobs, then the end, which flushes it to the disk. */
struct manifest_writer {
    FILE *f;
    EVP_MD_CTX *md;
    uint64_t blobs;
};
int manifest_begin(struct manifest_writer *w, const char *dir, const struct manifest *m,
                   struct err *e) MUST_CHECK;
int manifest_blob(struct manifest_writer *w, const char *sha256, uint64_t size, struct err *e) MUST_CHECK;
int manifest_end(struct manifest_writer *w, struct err *e) MUST_CHECK;
void manifest_writer_fini(struct manifest_writer *w); /* safe on a zeroed one */

/* The whole of it is read and checked. ERR_CORRUPT names the line. */
int manifest_read(const char *dir, struct manifest *m, struct err *e) MUST_CHECK;

#endif
