/*
 * What the reader of a manifest (manifest.c, in devices) and its maker (manifest_make.c, in the server and
 * the command line) both need: its form. manifest.c is made to be copied into a firmware: it includes this
 * file, pqota_manifest.h and <string.h>, and nothing else.
 *
 *   manifest = signed(order, "pqota-director")
 *   order    = [1, version, expires, device, bstr .cbor entry / null]
 *   entry    = signed(image, "pqota-vendor")
 *   image    = [1, model, name, release, sequence, sha256, size, upgrade_from, counter]
 *   signed   = 18([bstr .cbor {1: -48}, {}, payload, signature])    COSE_Sign1 (RFC 9052 section 4.2)
 *
 * -48 is ML-DSA-44 (RFC 9964 section 5). Heads are the shortest (RFC 8949 section 4.2.1), so that nothing
 * but the one form is read.
 */
#ifndef PQOTA_TRUST_MANIFEST_H
#define PQOTA_TRUST_MANIFEST_H

#include "pqota_manifest.h"

#define MANIFEST_FORM 1
#define MANIFEST_DIRECTOR "pqota-director" /* external_aad: neither signature can stand in for the other */
#define MANIFEST_VENDOR "pqota-vendor"
#define MANIFEST_NAME_MAX 128 /* bytes, as str_is_name has it */
#define MANIFEST_DEVICE_MAX 64

/* Tag 18, array of 4, protected header {1: -48}, no other header. */
#define MANIFEST_HEAD {0xD2, 0x84, 0x44, 0xA1, 0x01, 0x38, 0x2F, 0xA0}
#define MANIFEST_HEAD_SIZE 8
#define MANIFEST_SIG_HEAD 3 /* bytes before a signature: its length */

struct manifest_bytes { /* a view */
    const unsigned char *p;
    size_t n;
};

struct manifest_signed {
    struct manifest_bytes payload;
    const unsigned char *sig; /* PQOTA_MANIFEST_SIG bytes */
};

struct manifest_order {
    uint32_t version, expires_s;
    struct manifest_bytes device;
    struct manifest_bytes entry; /* .p NULL: nothing is to be run */
};

struct manifest_image {
    struct manifest_bytes model, name, release;
    uint32_t sequence, size, upgrade_from, counter;
    const unsigned char *sha256; /* 32 bytes */
};

/* Each false when the bytes are not exactly of that form; *out is then undefined. They are views. */
bool manifest_open(struct manifest_bytes cose, struct manifest_signed *out);
bool manifest_read_order(struct manifest_bytes payload, struct manifest_order *out);
bool manifest_read_image(struct manifest_bytes payload, struct manifest_image *out);

/* The kinds of CBOR item that there are (RFC 8949 section 3.1), and the one other byte. */
enum manifest_major { CBOR_UINT = 0, CBOR_BYTES = 2, CBOR_TEXT = 3, CBOR_ARRAY = 4 };
#define CBOR_NULL 0xF6

/* The head of an item, the shortest: its bytes, at most 5. */
#define MANIFEST_CBOR_HEAD_MAX 5
size_t manifest_cbor_head(enum manifest_major major, uint32_t value, unsigned char *out);

/* What is signed (RFC 9052 section 4.4): ["Signature1", protected header, external_aad, payload]. Its bytes
   in out, which has MANIFEST_TBS_EXTRA more than the payload. `who`: MANIFEST_DIRECTOR, MANIFEST_VENDOR. */
#define MANIFEST_TBS_EXTRA 40
size_t manifest_to_be_signed(const char *who, struct manifest_bytes payload, unsigned char *out);

#endif
