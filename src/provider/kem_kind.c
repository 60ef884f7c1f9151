#include "provider/kem_kind.h"

const struct kem_kind kem_kinds[KEM_KINDS] = {
    [KEM_MLKEM512] = {"ML-KEM-512", &mlkem_512, CLASSIC_NONE, false},
    [KEM_MLKEM768] = {"ML-KEM-768", &mlkem_768, CLASSIC_NONE, false},
    [KEM_MLKEM1024] = {"ML-KEM-1024", &mlkem_1024, CLASSIC_NONE, false},
    [KEM_X25519MLKEM768] = {"X25519MLKEM768", &mlkem_768, CLASSIC_X25519, false},
    [KEM_SECP256R1MLKEM768] = {"SecP256r1MLKEM768", &mlkem_768, CLASSIC_P256, true},
    [KEM_SECP384R1MLKEM1024] = {"SecP384r1MLKEM1024", &mlkem_1024, CLASSIC_P384, true},
};

static struct kem_layout layout(const struct kem_kind *kind, size_t mlkem, size_t classic)
{
    if (kind->classic_first)
        return (struct kem_layout){.mlkem = classic, .classic = 0, .size = mlkem + classic};
    return (struct kem_layout){.mlkem = 0, .classic = mlkem, .size = mlkem + classic};
}

struct kem_layout kem_public_layout(const struct kem_kind *kind)
{
    return layout(kind, kind->mlkem->public_size, classic_sizes(kind->classic).public_size);
}

struct kem_layout kem_private_layout(const struct kem_kind *kind)
{
    return layout(kind, kind->mlkem->private_size, classic_sizes(kind->classic).private_size);
}

struct kem_layout kem_ciphertext_layout(const struct kem_kind *kind)
{
    return layout(kind, kind->mlkem->ciphertext_size, classic_sizes(kind->classic).public_size);
}

struct kem_layout kem_secret_layout(const struct kem_kind *kind)
{
    return layout(kind, MLKEM_SECRET_SIZE, classic_sizes(kind->classic).secret_size);
}
