#ifndef PQOTA_PROVIDER_KEM_KIND_H
#define PQOTA_PROVIDER_KEM_KIND_H

/* The kinds of KEM: ML-KEM alone (FIPS 203), and TLS's hybrids of it with an elliptic curve (RFC 10024),
 * whose shares, ciphertexts and secrets are the two halves' one after the other, in the order of the
 * hybrid. */

#include "lattice/mlkem.h"
#include "provider/classic.h"

enum kem_kind_id {
    KEM_MLKEM512,
    KEM_MLKEM768,
    KEM_MLKEM1024,
    KEM_X25519MLKEM768,
    KEM_SECP256R1MLKEM768,
    KEM_SECP384R1MLKEM1024,
    KEM_KINDS
};

struct kem_kind {
    const char *name; /* as OpenSSL names the algorithm */
    const struct mlkem_set *mlkem;
    enum classic_curve classic; /* or CLASSIC_NONE */
    bool classic_first;
};

extern const struct kem_kind kem_kinds[KEM_KINDS];

/* Where the halves begin in something that both have a part of, and how long it is. */
struct kem_layout {
    size_t mlkem, classic, size;
};

struct kem_layout kem_public_layout(const struct kem_kind *kind);
struct kem_layout kem_private_layout(const struct kem_kind *kind);
struct kem_layout kem_ciphertext_layout(const struct kem_kind *kind);
struct kem_layout kem_secret_layout(const struct kem_kind *kind);

#define KEM_PRIVATE_MAX (MLKEM_PRIVATE_MAX + CLASSIC_PRIVATE_MAX)

#endif
