/* A public key, a private key or a ciphertext that somebody spoiled, to every code path: they agree
 * whether it is one, and on all that comes of it. The first byte says which set and which of the three;
 * then a place (two bytes) and a byte for it, again and again; what is left over is cut off the end. */
#include <stdlib.h>
#include <string.h>

#include "lattice/mlkem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PUBLIC_KEY, PRIVATE_KEY, CIPHERTEXT, KINDS };

static const struct mlkem_set *const sets[] = {&mlkem_512, &mlkem_768, &mlkem_1024};

struct outcome {
    bool good;
    uint8_t bytes[MLKEM_CIPHERTEXT_MAX + MLKEM_SECRET_SIZE];
};

static void check(bool good)
{
    if (!good)
        abort();
}

static struct mlkem_key whole, read_key;

static size_t make(const struct mlkem_set *set, unsigned kind, uint8_t *out)
{
    static const uint8_t seed[MLKEM_SEED_SIZE] = {7}, message[MLKEM_MESSAGE_SIZE] = {8};
    uint8_t secret[MLKEM_SECRET_SIZE];
    mlkem_init(&whole, set, lattice_code(0));
    mlkem_generate(&whole, seed);
    if (kind == PUBLIC_KEY)
        memcpy(out, whole.public_key, set->public_size);
    else if (kind == PRIVATE_KEY)
        mlkem_write_private(&whole, out);
    else
        mlkem_encapsulate(&whole, message, out, secret);
    return kind == PUBLIC_KEY    ? set->public_size
           : kind == PRIVATE_KEY ? set->private_size
                                 : set->ciphertext_size;
}

static void try(const struct lattice_code *code, unsigned kind, const uint8_t *p, size_t n,
                struct outcome *out)
{
    static const uint8_t seed[MLKEM_SEED_SIZE] = {7}, message[MLKEM_MESSAGE_SIZE] = {9};
    const struct mlkem_set *set = whole.set;
    uint8_t *secret = out->bytes + MLKEM_CIPHERTEXT_MAX;
    mlkem_init(&read_key, set, code);
    if (kind == CIPHERTEXT) {
        out->good = n == set->ciphertext_size;
        mlkem_generate(&read_key, seed);
        if (out->good)
            mlkem_decapsulate(&read_key, p, secret);
    } else {
        out->good =
            kind == PUBLIC_KEY ? mlkem_read_public(&read_key, p, n) : mlkem_read_private(&read_key, p, n);
        check(read_key.has_public == out->good && read_key.has_private == (out->good && kind == PRIVATE_KEY));
        if (out->good) {
            mlkem_encapsulate(&read_key, message, out->bytes, secret);
            if (kind == PRIVATE_KEY)
                mlkem_decapsulate(&read_key, out->bytes, secret);
        }
    }
    mlkem_clear(&read_key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t made[MLKEM_PRIVATE_MAX];
    static struct outcome first, other;
    if (size == 0)
        return 0;
    unsigned kind = data[0] / 3 % KINDS;
    size_t n = make(sets[data[0] % 3], kind, made);
    for (data++, size--; size >= 3; data += 3, size -= 3)
        made[(data[0] | (size_t)data[1] << 8) % n] = data[2];
    n -= size;
    uint8_t *exact = malloc(n); /* so that a read behind its end is seen */
    check(exact != NULL);
    memcpy(exact, made, n);
    memset(&first, 0, sizeof first);
    try(lattice_code(0), kind, exact, n, &first);
    for (size_t i = 1; lattice_code(i) != NULL; i++) {
        memset(&other, 0, sizeof other);
        try(lattice_code(i), kind, exact, n, &other);
        check(memcmp(&first, &other, sizeof first) == 0);
    }
    free(exact);
    return 0;
}
