/*
 * pqota_trust: who has the server does not have the device. The vouch callback of pqota_client.h that asks
 * TUF (specification 1.0.34), whole, with ML-DSA: before anything is fetched, the director's signed decision
 * for this device and the vendor's signed metadata of the image are fetched and verified, and must agree.
 *
 * It makes no system call, takes no memory but what it is given, and keeps no time: network, storage, clock
 * and cryptography are callbacks.
 *
 *   static _Alignas(16) unsigned char memory[PQOTA_TRUST_MEMORY_DEFAULT];
 *   char why[PQOTA_TEXT_SIZE];
 *   if (pqota_trust_init(memory, sizeof memory, &settings, &ops.trust, why) != PQOTA_OK)
 *       ...
 *
 * For devices too small for it there is pqota_manifest.h. See pqota_trust(3).
 */
#ifndef PQOTA_TRUST_H
#define PQOTA_TRUST_H

#include "pqota_client.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PQOTA_TRUST_MEMORY_MIN (1u << 20)     /* a file of metadata may have a sixth of what there is */
#define PQOTA_TRUST_MEMORY_DEFAULT (3u << 20) /* 10 000 targets under 20 delegations */
#define PQOTA_ROLE_SIZE 257                   /* a role's name, with the NUL */

/* --- cryptography: of the TLS library that the device has, or the hardware's ---------------------------- */

enum pqota_scheme {
    PQOTA_ML_DSA_44, /* FIPS 204, pure, empty context; the key is raw */
    PQOTA_ML_DSA_65,
    PQOTA_ML_DSA_87,
    PQOTA_ED25519,    /* RFC 8032; the key is raw */
    PQOTA_ECDSA_P256, /* FIPS 186-5, SHA-256, signature in DER; the key is DER of a SubjectPublicKeyInfo */
    PQOTA_RSA_PSS,    /* RFC 8017 over SHA-256, MGF1 with it, salt of any length; the key likewise */
};

enum pqota_hash { PQOTA_SHA256, PQOTA_SHA512 }; /* 32 and 64 bytes */

struct pqota_crypto {
    void *ctx;
    /* PQOTA_OK: sig is the key's signature over msg. PQOTA_E_INVALID: it is not, or the key or the scheme is
       none. PQOTA_E_AGAIN: it could not be told. */
    int (*verify)(void *ctx, enum pqota_scheme scheme, const void *key, size_t key_n, const void *msg,
                  size_t msg_n, const void *sig, size_t sig_n);
    int (*hash)(void *ctx, enum pqota_hash which, const void *data, size_t n, unsigned char *out);
};

/* --- storage: a few files of metadata, byte for byte as they were served -------------------------------- */

struct pqota_metadata {
    void *ctx;
    /* repository: "image" or "director". role: "root", "timestamp", ... or a delegated role's name, which is
       any text: a file's name must be made of it with care. */
    /* *n: its bytes, 0 when there is none. PQOTA_E_FULL: it is larger than size. */
    int (*load)(void *ctx, const char *repository, const char *role, void *buf, size_t size, size_t *n);
    /* After it, and after a power cut at any moment, load gives the old or the new one, whole. */
    int (*save)(void *ctx, const char *repository, const char *role, const void *data, size_t n);
    int (*drop)(void *ctx, const char *repository, const char *role); /* none there is fine */
};

/* --- settings ------------------------------------------------------------------------------------------- */

struct pqota_trust_settings { /* copied; what it points to must stay */
    const char *device;       /* its id, as in its certificate */
    const char *model;
    struct pqota_transport transport; /* its total deadline for a file of metadata should be minutes */
    struct pqota_metadata metadata;
    struct pqota_crypto crypto;
    int64_t (*now)(void *ctx); /* Unix seconds */
    void *now_ctx;
    /* The roots that this device begins with (root.json): made by pqota trust init. One that is newer than
       the stored one takes its place. */
    const void *image_root, *director_root;
    size_t image_root_size, director_root_size; /* bytes */
    uint32_t slow_s; /* an unfinished file that took so long is held against the server; 0: 60 */
    /* A release may have several files, of which the hint's filename says the one that is asked about. A
       device that installs one file leaves it false: it refuses what has several. */
    bool several_files;
};

/*
 * Fills *out for struct pqota_ops. memory is 16-byte aligned and must stay; the more there is the larger the
 * repository may be, and what is not needed is not touched. PQOTA_E_INVALID: a wrong argument, too little
 * memory, or a root that is none; why says which.
 */
int pqota_trust_init(void *memory, size_t size, const struct pqota_trust_settings *settings,
                     struct pqota_trust *out, char why[PQOTA_TEXT_SIZE]);
/* The most that was used of the memory until now, in bytes. */
size_t pqota_trust_memory_used(const struct pqota_trust *trust);

#ifdef __cplusplus
}
#endif

#endif
