/*
 * Making manifests for microcontrollers (pqota_manifest.h; the form: trust/manifest.h), and reading entries
 * back. The vendor's entries are made by the command line, offline; the director's decisions by the server.
 * Each in two steps, around a signature that is made elsewhere (keys_sign_raw of an ml-dsa-44/1 key):
 *
 *   struct manifest_draft d;
 *   struct str sig, cose;
 *   manifest_draft_entry(&entry, arena, &d, e);
 *   keys_sign_raw(key, d.to_be_signed, arena, &sig, e);
 *   manifest_seal(&d, sig, arena, &cose, e);
 *
 * Not part of the device's library.
 */
#ifndef PQOTA_TRUST_MANIFEST_MAKE_H
#define PQOTA_TRUST_MANIFEST_MAKE_H

#include "base/arena.h"
#include "trust/custom.h"
#include "trust/document.h"

/* An entry that is no larger fits the manifest of every device, whatever its id. */
#define MANIFEST_ENTRY_MAX 2605 /* bytes */

struct manifest_entry {              /* what the vendor says of an image; texts are views */
    struct str model, name, version; /* of the release; str_is_name */
    int64_t sequence;                /* 1 and up; all numbers up to UINT32_MAX */
    int64_t size;                    /* bytes of the image, 1 and up */
    int64_t upgrade_from, counter;
    unsigned char sha256[TRUST_SHA256_SIZE];
};

/* The same of a target of the image repository. ERR_UNSUPPORTED: it cannot be in a manifest (no SHA-256, more
   than 4 GiB, names too long together): small devices are not told of it, others are by TUF. */
int manifest_entry_of(const struct tuf_target *target, const struct trust_custom *custom,
                      struct manifest_entry *out, struct err *e) MUST_CHECK;
bool manifest_entry_same(const struct manifest_entry *a, const struct manifest_entry *b);

struct manifest_decision { /* what the director says */
    struct str device;     /* str_is_device_id */
    int64_t version;       /* 1 to UINT32_MAX */
    int64_t expires_s;     /* Unix seconds, likewise */
    struct str entry;      /* a sealed entry; .n 0: nothing is to be run */
};

struct manifest_draft { /* in the arena */
    struct str payload, to_be_signed;
};
/* ERR_UNSUPPORTED as manifest_entry_of; ERR_INVALID: a name or number that cannot be. */
int manifest_draft_entry(const struct manifest_entry *x, struct arena *a, struct manifest_draft *out,
                         struct err *e) MUST_CHECK;
int manifest_draft_decision(const struct manifest_decision *x, struct arena *a, struct manifest_draft *out,
                            struct err *e) MUST_CHECK;

/* The sealed entry, or the manifest: COSE_Sign1 in the arena. Of the signature only the size is checked. */
int manifest_seal(const struct manifest_draft *d, struct str sig, struct arena *a, struct str *out,
                  struct err *e) MUST_CHECK;

/* What a sealed entry says, its texts views into `cose`. ERR_INVALID. With crypto, the key (raw ML-DSA-44,
   PQOTA_MANIFEST_KEY bytes) must have signed it: ERR_MISMATCH. crypto NULL: nobody vouches for it yet. */
int manifest_entry_read(struct str cose, const struct trust_crypto *crypto, const void *key,
                        struct manifest_entry *out, struct err *e) MUST_CHECK;

#endif
