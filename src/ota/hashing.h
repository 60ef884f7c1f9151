/*
 * SHA-1 and MD5 of files that came before they were computed on arrival: a file at a time, in slices. The
 * bytes are checked against their SHA-256 on the way.
 */
#ifndef PQOTA_OTA_HASHING_H
#define PQOTA_OTA_HASHING_H

#include <stdbool.h>
#include <stdint.h>

#include "store/digests.h"

#define HASHING_SLICE ((uint64_t)32 << 20) /* bytes read in one go */

struct db;
struct ota;

struct hashing {
    char sha256[SHA256_HEX_SIZE]; /* the file at hand, and when it is through, where to go on */
    int fd;                       /* -1: it is not open */
    uint64_t offset;
    struct digests *digests;
    struct digest_texts made;
};

void hashing_init(struct hashing *h);
/* Lets go of the file at hand. */
void hashing_drop(struct hashing *h);
/* Any reader: the next file. *found: there is one; else it begins anew the next time. */
int ota_hashing_find(struct db *db, struct hashing *h, bool *found, struct err *e) MUST_CHECK;
/* FILE lane. *done: that was the last slice. ERR_CORRUPT: the file is missing, or is not what it was. */
int ota_hashing_slice(struct ota *ota, struct hashing *h, bool *done, struct err *e) MUST_CHECK;
/* Writer only. */
int ota_hashing_store(struct db *db, const struct hashing *h, struct err *e) MUST_CHECK;

#endif
