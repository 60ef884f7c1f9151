/*
 * pqota_manifest: what one device should run, in one small signed file, for devices that read no JSON.
 *
 * It is the director's decision (COSE_Sign1, RFC 9052 section 4.2, by the server's manifest key), and inside
 * it what the vendor signed offline of the image (another COSE_Sign1, by the vendor's manifest key): so the
 * server alone can neither invent firmware nor change what an image is for. Both signatures are ML-DSA-44
 * (FIPS 204). Deterministic CBOR (RFC 8949 section 4.2.1): one meaning has one form, any other is refused.
 *
 * Nothing here takes memory, makes a system call or keeps time. See docs/devices.md.
 */
#ifndef PQOTA_MANIFEST_H
#define PQOTA_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PQOTA_MANIFEST_MAX 5120 /* bytes of the largest there is */
#define PQOTA_MANIFEST_KEY 1312 /* bytes of an ML-DSA-44 public key */
#define PQOTA_MANIFEST_SIG 2420
#define PQOTA_MANIFEST_TBS 3072 /* bytes of working memory that verification needs */
#define PQOTA_MANIFEST_KEYS 2   /* of one holder at a time: the present one and the next */

struct pqota_manifest_crypto {
    void *ctx;
    /* 0: sig is the ML-DSA-44 signature (pure, empty context) of msg by that key. */
    int (*verify)(void *ctx, const unsigned char key[PQOTA_MANIFEST_KEY], const void *msg, size_t n,
                  const unsigned char sig[PQOTA_MANIFEST_SIG]);
};

struct pqota_manifest_trust { /* what the device knows without the server; texts NUL-terminated */
    const char *device;       /* its id */
    const char *model;
    const unsigned char *vendor[PQOTA_MANIFEST_KEYS]; /* keys, NULL for none */
    const unsigned char *director[PQOTA_MANIFEST_KEYS];
};

/* What the device remembers, all 0 at first. The version is stored as soon as a manifest is taken, before it
   is acted on; sequence and counter when the new release has confirmed itself, not before. A firmware that
   drops the director's key begins again with version 0. */
struct pqota_manifest_standing {
    uint32_t version;  /* of the last manifest that was taken: none older is */
    uint32_t sequence; /* of the release that runs and was confirmed; 0: none was yet, any may come */
    uint32_t counter;  /* the highest that was ever confirmed: no release with a lower one is taken */
};

struct pqota_manifest {
    uint32_t version;             /* of the manifest: to be remembered once it was taken */
    uint32_t expires_s;           /* Unix seconds */
    bool update;                  /* false: the director names nothing, and nothing below is filled */
    char name[129], release[129]; /* of the release: its name and its version */
    uint32_t sequence, upgrade_from, counter;
    uint32_t size; /* bytes of the image */
    unsigned char sha256[32];
};

enum pqota_manifest_result {
    PQOTA_MANIFEST_OK = 0,
    PQOTA_MANIFEST_MALFORMED = -1,
    PQOTA_MANIFEST_DIRECTOR = -2, /* not signed by the director's key */
    PQOTA_MANIFEST_VENDOR = -3,   /* the image is not signed by the vendor's key */
    PQOTA_MANIFEST_DEVICE = -4,   /* for another device */
    PQOTA_MANIFEST_MODEL = -5,    /* the image is for another model */
    PQOTA_MANIFEST_EXPIRED = -6,
    PQOTA_MANIFEST_OLD = -7,     /* older than the one that was taken last */
    PQOTA_MANIFEST_COUNTER = -8, /* the release is below the counter */
    PQOTA_MANIFEST_STEP = -9,    /* another release must be installed before this one */
    PQOTA_MANIFEST_INVALID = -10 /* an argument is missing */
};

/*
 * Checks a manifest whole. now_s: Unix seconds; 0: the device has no clock, expiry is then not checked (the
 * version is). scratch: PQOTA_MANIFEST_TBS bytes. Signatures come first: what is not signed decides nothing.
 * *out is untouched unless the answer is PQOTA_MANIFEST_OK.
 */
int pqota_manifest_check(const void *manifest, size_t n, const struct pqota_manifest_trust *trust,
                         const struct pqota_manifest_standing *standing,
                         const struct pqota_manifest_crypto *crypto, uint32_t now_s, unsigned char *scratch,
                         struct pqota_manifest *out);
/* A sentence for a person. */
const char *pqota_manifest_text(int result);

#ifdef __cplusplus
}
#endif

#endif
