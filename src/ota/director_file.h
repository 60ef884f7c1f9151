/*
 * The files that a director signs for a device: targets.json (TUF, by a pair of keys) and manifest.cbor (for
 * devices that read no JSON, by one). Inside of ota/director.
 */
#ifndef PQOTA_OTA_DIRECTOR_FILE_H
#define PQOTA_OTA_DIRECTOR_FILE_H

#include "keys/keys.h"
#include "ota/trust_named.h"
#include "store/director.h"
#include "trust/manifest_make.h"

struct director_target {
    const char *path;   /* in the image repository */
    const char *sha256; /* lower-case hex */
    int64_t size;       /* bytes */
};

struct director_order {                    /* what is to be said */
    const char *device;                    /* its id */
    int64_t release;                       /* 0: nothing to run, and what follows is not filled */
    const struct director_target *targets; /* the release's files, for targets.json */
    size_t target_count;
    struct str entry; /* the vendor's, for a manifest */
};

enum trust_online director_role(enum director_kind kind);

/* The body at that version and end, and the bytes that are signed of it; in the arena. */
int director_draft(enum director_kind kind, const struct director_order *o, int64_t version,
                   int64_t expires_s, struct arena *a, struct manifest_draft *out, struct err *e) MUST_CHECK;
/* The signatures of the role's keys, each with its key's id, packed as they are stored. ERR_UNSUPPORTED: they
   are not the keys that such a file needs. */
int director_signatures(enum director_kind kind, const struct sign_keys *keys, struct str to_be_signed,
                        struct arena *a, struct str *out, struct err *e) MUST_CHECK;
/* They are by exactly these keys. */
bool director_signed_by(struct str signatures, const struct sign_keys *keys);
/* They are by keys that the root named. */
bool director_signed_by_named(enum director_kind kind, struct str signatures,
                              const struct trust_named *named);
/* The file. ERR_CORRUPT: the signatures are not what was stored. */
int director_file(enum director_kind kind, struct str body, struct str signatures, struct arena *a,
                  struct str *out, struct err *e) MUST_CHECK;

#endif
