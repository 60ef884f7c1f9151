#ifndef PQOTA_PROVIDER_KEM_KEY_H
#define PQOTA_PROVIDER_KEM_KEY_H

/* A key of one of the kinds. It is empty until it is given its halves, once; after that it does not
 * change, and any number of threads may use it.
 *
 * Of a public key no more is kept than its bytes: a TLS connection holds its peer's as long as it lives,
 * and has used it by then. The second secret for the same key makes and keeps what the later ones are
 * quicker with.
 *
 * What fails raises, leaves no key and no secret behind, and returns false or NULL. */

#include "provider/context.h"
#include "provider/kem_kind.h"
#include "provider/params.h"

struct kem_key {
    atomic_uint references;
    struct provider *provider;
    const struct kem_kind *kind;
    bool has_public, has_private;
    atomic_bool used;                /* encapsulated to before */
    struct mlkem_key *_Atomic mlkem; /* always with a private half, else from the second use on */
    void *classic;                   /* the private classical half */
    void *_Atomic peer;              /* the public one, checked, until its first use */
    uint8_t public_key[];
};

struct kem_key *kem_key_new(struct provider *p, enum kem_kind_id kind);
struct kem_key *kem_key_ref(struct kem_key *key);
void kem_key_free(struct kem_key *key); /* one reference; NULL is none */

/* seed: MLKEM_SEED_BYTES for ML-KEM's half, or NULL for random ones. */
bool kem_key_generate(struct kem_key *key, const uint8_t *seed);

bool kem_key_read_public(struct kem_key *key, struct key_bytes public_key);
/* A seed (ML-KEM alone), an expanded private key, or both, and perhaps the public key: all that are there
 * have to belong together. An elliptic curve's private half comes with its public one. */
bool kem_key_read_private(struct kem_key *key, struct key_bytes seed, struct key_bytes private_key,
                          struct key_bytes public_key);

/* The seed where it is known, else NULL. */
const uint8_t *kem_key_seed(const struct kem_key *key);
/* out: of the kind's private size. */
bool kem_key_write_private(const struct kem_key *key, uint8_t *out);

/* ciphertext and secret: of the kind's sizes. message: what ML-KEM's half is made of, or NULL for random
 * bytes. */
bool kem_key_encapsulate(struct kem_key *key, const uint8_t *message, uint8_t *ciphertext, uint8_t *secret);
/* A ciphertext that was not made for this key gives ML-KEM's implicit rejection (FIPS 203 section 6.3);
 * one whose classical half is not valid fails. */
bool kem_key_decapsulate(struct kem_key *key, const uint8_t *ciphertext, uint8_t *secret);

/* Whether a fresh secret for the public half is what the private half gives. */
bool kem_key_pairwise(struct kem_key *key);

#endif
