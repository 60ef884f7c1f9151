#include "lattice/selftest.h"

#include <stdlib.h>
#include <string.h>

#include "lattice/keccak.h"
#include "lattice/mldsa.h"
#include "lattice/mlkem.h"

#define DIGEST_SIZE 32

/* SHA3-256 of the public key, the private key, the ciphertext, the secret and the rejected secret that
 * come of the seed 00 01 .. 3f and the message 40 41 .. 5f, the rejected one after a bit of the
 * ciphertext's first byte was turned. Worked out with OpenSSL 3.5, which shares no line with this folder. */
static const struct known {
    const struct mlkem_set *set;
    uint8_t digest[DIGEST_SIZE];
} known[] = {
    {&mlkem_512,
     {0x27, 0xca, 0xaf, 0x1b, 0x60, 0x65, 0x07, 0x37, 0x48, 0x03, 0xb4, 0xf5, 0xfd, 0x40, 0x4a, 0x17,
      0xba, 0xbb, 0x9b, 0x94, 0x5b, 0xee, 0x80, 0x2c, 0x8f, 0x5b, 0x4a, 0x03, 0x8f, 0x8e, 0x01, 0x0c}},
    {&mlkem_768,
     {0xb7, 0x5c, 0x02, 0x9b, 0x4f, 0xfb, 0x9d, 0xc3, 0x81, 0x29, 0xe3, 0x8f, 0xbd, 0xc4, 0xf8, 0x93,
      0xc5, 0x81, 0x76, 0x9c, 0x17, 0x4e, 0x1a, 0x11, 0xb3, 0xf4, 0x44, 0xda, 0x8e, 0xe2, 0x3d, 0x01}},
    {&mlkem_1024,
     {0x3c, 0x2d, 0x52, 0x4a, 0xf3, 0xc8, 0xc8, 0xea, 0x7a, 0xf7, 0xb4, 0x21, 0xb7, 0xae, 0x6e, 0x44,
      0x04, 0xe6, 0x02, 0x47, 0x4b, 0x3d, 0x7b, 0x01, 0x40, 0x69, 0x1a, 0xf2, 0x49, 0x43, 0x4e, 0xc8}},
};

static void count_up(uint8_t *p, size_t n, unsigned from)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(from + i);
}

static bool gives(const struct lattice_code *code, const struct known *row)
{
    struct mlkem_key key, read;
    struct keccak hash;
    uint8_t seed[MLKEM_SEED_SIZE], message[MLKEM_MESSAGE_SIZE], digest[DIGEST_SIZE];
    uint8_t private_key[MLKEM_PRIVATE_MAX], ciphertext[MLKEM_CIPHERTEXT_MAX];
    uint8_t secret[MLKEM_SECRET_SIZE], taken[MLKEM_SECRET_SIZE], rejected[MLKEM_SECRET_SIZE];
    const struct mlkem_set *set = row->set;

    count_up(seed, sizeof seed, 0);
    count_up(message, sizeof message, sizeof seed);
    mlkem_init(&key, set, code);
    mlkem_init(&read, set, code);
    mlkem_generate(&key, seed);
    mlkem_write_private(&key, private_key);
    /* What is read is what others send. */
    if (!mlkem_read_public(&read, key.public_key, set->public_size))
        return false;
    mlkem_encapsulate(&read, message, ciphertext, secret);
    if (!mlkem_read_private(&read, private_key, set->private_size))
        return false;
    mlkem_decapsulate(&read, ciphertext, taken);

    keccak_start(&hash, code->keccak, SHA3_256_RATE);
    keccak_absorb(&hash, key.public_key, set->public_size);
    keccak_absorb(&hash, private_key, set->private_size);
    keccak_absorb(&hash, ciphertext, set->ciphertext_size);
    keccak_absorb(&hash, secret, sizeof secret);
    ciphertext[0] ^= 1;
    mlkem_decapsulate(&key, ciphertext, rejected);
    keccak_absorb(&hash, rejected, sizeof rejected);
    keccak_end_sha3(&hash);
    keccak_squeeze(&hash, digest, sizeof digest);
    return memcmp(taken, secret, sizeof taken) == 0 && memcmp(digest, row->digest, sizeof digest) == 0;
}

/* SHA3-256 of the public key, the private key and the signature that come of the seed 00 01 .. 1f, the
 * randomness 20 21 .. 3f, the context string 40 and the message 41 42 .. 80. Worked out with OpenSSL 3.5. */
static const struct {
    const struct mldsa_set *set;
    uint8_t digest[DIGEST_SIZE];
} known_signatures[] = {
    {&mldsa_44,
     {0x0c, 0x23, 0x67, 0xae, 0xe8, 0x16, 0x6e, 0xfb, 0x05, 0x96, 0xb2, 0xb4, 0x99, 0xea, 0xc2, 0x5b,
      0x0f, 0x15, 0xc5, 0xbd, 0x26, 0x28, 0xf6, 0x97, 0x79, 0xfa, 0x53, 0x9a, 0xa6, 0xdc, 0x82, 0xc1}},
    {&mldsa_65,
     {0x81, 0xb8, 0xc3, 0x76, 0xc8, 0x8f, 0x40, 0xd6, 0xae, 0x67, 0x92, 0x96, 0xf5, 0xf1, 0xc9, 0x8e,
      0xde, 0xfa, 0xff, 0x57, 0x99, 0x71, 0x4f, 0x62, 0xcf, 0xf1, 0x63, 0x2a, 0x60, 0x0e, 0x2a, 0x4b}},
    {&mldsa_87,
     {0x86, 0x2d, 0xb6, 0xaa, 0x21, 0x4b, 0xa7, 0x35, 0xed, 0x0e, 0xb0, 0x5c, 0x1f, 0x73, 0x63, 0x9e,
      0xb6, 0xd6, 0xa9, 0x73, 0xb5, 0x01, 0x54, 0xfb, 0x29, 0x11, 0xf6, 0x71, 0xf2, 0x9c, 0x6a, 0x1b}},
};

/* Makes, writes, reads, signs and verifies; key is room for it. */
static bool signs(const struct lattice_code *code, struct mldsa_key *key, const struct mldsa_set *set,
                  const uint8_t digest[DIGEST_SIZE])
{
    struct keccak hash;
    uint8_t seed[MLDSA_SEED_SIZE], random[MLDSA_RANDOM_SIZE], context[1], message[64], mu[MLDSA_MU_SIZE];
    uint8_t private_key[MLDSA_PRIVATE_MAX], public_key[MLDSA_PUBLIC_MAX], signature[MLDSA_SIGNATURE_MAX];
    uint8_t got[DIGEST_SIZE];
    count_up(seed, sizeof seed, 0);
    count_up(random, sizeof random, 0x20);
    count_up(context, sizeof context, 0x40);
    count_up(message, sizeof message, 0x41);
    mldsa_init(key, set, code);
    mldsa_generate(key, seed);
    memcpy(public_key, key->public_key, set->public_size);
    mldsa_write_private(key, private_key);
    mldsa_clear(key);
    /* What is read is what is in files. */
    if (!mldsa_read_private(key, private_key, set->private_size))
        return false;
    mldsa_mu(key, context, sizeof context, message, sizeof message, mu);
    if (!mldsa_sign(key, mu, random, signature))
        return false;
    mldsa_clear(key);
    if (!mldsa_read_public(key, public_key, set->public_size) ||
        !mldsa_verify(key, mu, signature, set->signature_size))
        return false;
    keccak_start(&hash, code->keccak, SHA3_256_RATE);
    keccak_absorb(&hash, public_key, set->public_size);
    keccak_absorb(&hash, private_key, set->private_size);
    keccak_absorb(&hash, signature, set->signature_size);
    keccak_end_sha3(&hash);
    keccak_squeeze(&hash, got, sizeof got);
    signature[0] ^= 1;
    return memcmp(got, digest, sizeof got) == 0 && !mldsa_verify(key, mu, signature, set->signature_size);
}

bool lattice_selftest(const struct lattice_code *code)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!gives(code, &known[i]))
            return false;
    struct mldsa_key *key = aligned_alloc(_Alignof(struct mldsa_key), sizeof *key);
    bool good = key != NULL;
    for (size_t i = 0; good && i < sizeof known_signatures / sizeof known_signatures[0]; i++)
        good = signs(code, key, known_signatures[i].set, known_signatures[i].digest);
    free(key);
    return good;
}
