/*
 * What a backup says of itself, as text:
 *
 *     pqota-backup 1
 *     schema 1
 *     created 2026-11-22T13:26:49.000Z
 *     database <sha256> <bytes>
 *     blob <sha256> <bytes>           once for each blob
 *     end <how many blobs>
 */
#ifndef PQOTA_STORE_MANIFEST_H
#define PQOTA_STORE_MANIFEST_H

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

/* dir/manifest, mode 0600: head, then the blobs, then the end, which flushes it and closes the file. */
int manifest_begin(const char *dir, const struct manifest *m, FILE **out, struct err *e) MUST_CHECK;
int manifest_blob(FILE *f, const char *sha256, uint64_t size, struct err *e) MUST_CHECK;
int manifest_end(FILE *f, uint64_t blobs, struct err *e) MUST_CHECK;

/* The whole of it is read and checked. ERR_CORRUPT names the line. */
int manifest_read(const char *dir, struct manifest *m, struct err *e) MUST_CHECK;

#endif
