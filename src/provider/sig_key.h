#ifndef PQOTA_PROVIDER_SIG_KEY_H
#define PQOTA_PROVIDER_SIG_KEY_H

/* A key of ML-DSA. It is empty until it is given its halves, once; after that it does not change, and any
 * number of threads may use it.
 *
 * A private key keeps all that signing starts with. Of a public key no more is kept than its bytes: a TLS
 * connection holds its peer's as long as it lives, and has used it by then. The second signature that is
 * verified with the same key makes and keeps what the later ones are quicker with.
 *
 * What fails raises, leaves no key and no signature behind, and returns false or NULL. */

#include "lattice/mldsa.h"
#include "provider/context.h"
#include "provider/params.h"

enum sig_kind { SIG_MLDSA44, SIG_MLDSA65, SIG_MLDSA87, SIG_KINDS };

extern const struct mldsa_set *const sig_sets[SIG_KINDS];

struct sig_key {
    atomic_uint references;
    struct provider *provider;
    const struct mldsa_set *set;
    bool has_public, has_private;
    atomic_bool used;                /* verified with before */
    struct mldsa_key *_Atomic mldsa; /* always with a private half, else from the second use on */
    uint8_t public_key[];
};

struct sig_key *sig_key_new(struct provider *p, enum sig_kind kind);
struct sig_key *sig_key_ref(struct sig_key *key);
void sig_key_free(struct sig_key *key); /* one reference; NULL is none */

/* seed: MLDSA_SEED_SIZE bytes, or NULL for random ones. */
bool sig_key_generate(struct sig_key *key, const uint8_t *seed);
bool sig_key_read_public(struct sig_key *key, struct key_bytes public_key);
/* A seed, an expanded private key, or both, and perhaps the public key: all that are there have to belong
 * together. */
bool sig_key_read_private(struct sig_key *key, struct key_bytes seed, struct key_bytes private_key,
                          struct key_bytes public_key);

/* The seed where it is known, else NULL. */
const uint8_t *sig_key_seed(const struct sig_key *key);
/* out: of the set's private size. */
bool sig_key_write_private(const struct sig_key *key, uint8_t *out);

/* What is signed: FIPS 204 section 5.2 for a message with its context string, section 5.4's note and
 * algorithm 7 for one that is an M' already, and for what is a representative already (external mu). */
struct sig_message {
    enum { SIG_PURE, SIG_ENCODED, SIG_MU } form;
    struct key_bytes context, message; /* context: at most MLDSA_CONTEXT_MAX; SIG_MU: MLDSA_MU_SIZE */
};

/* random: MLDSA_RANDOM_SIZE bytes. signature: of the set's size. With the provider's verify_after_sign what
 * was signed is verified before it is given away. */
bool sig_key_sign(struct sig_key *key, const struct sig_message *message, const uint8_t *random,
                  uint8_t *signature);
/* false, without an error, where the signature is not one. */
bool sig_key_verify(struct sig_key *key, const struct sig_message *message, struct key_bytes signature);

/* Whether what the private half signs the public half verifies. */
bool sig_key_pairwise(struct sig_key *key);

#endif
