#include "lattice/selftest.h"

#include <string.h>

#include "lattice/keccak.h"
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

bool lattice_selftest(const struct lattice_code *code)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!gives(code, &known[i]))
            return false;
    return true;
}
