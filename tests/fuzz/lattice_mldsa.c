/* A public key, a private key or a signature that somebody spoiled, to every code path: they agree whether
 * it is one, and on all that comes of it. The first byte says which set and which of the three; then a place
 * (two bytes) and a byte for it, again and again; what is left over is cut off the end. A signature's places
 * are counted from its end, where its hints are. */
#include <stdlib.h>
#include <string.h>

#include "lattice/mldsa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PUBLIC_KEY, PRIVATE_KEY, SIGNATURE, KINDS };

static const struct mldsa_set *const sets[] = {&mldsa_44, &mldsa_65, &mldsa_87};
static const uint8_t seed[MLDSA_SEED_SIZE] = {7}, mu[MLDSA_MU_SIZE] = {8}, rnd[MLDSA_RANDOM_SIZE] = {9};

struct outcome {
    bool good, verified;
    uint8_t signature[MLDSA_SIGNATURE_MAX], private_key[MLDSA_PRIVATE_MAX];
};

static void check(bool good)
{
    if (!good)
        abort();
}

/* Of each set and path, made once. */
static struct mldsa_key whole[sizeof sets / sizeof sets[0]], read_key;
static uint8_t signatures[sizeof sets / sizeof sets[0]][MLDSA_SIGNATURE_MAX];

static const struct mldsa_key *make(unsigned set)
{
    if (whole[set].set == NULL) {
        mldsa_init(&whole[set], sets[set], lattice_code(0));
        mldsa_generate(&whole[set], seed);
        check(mldsa_sign(&whole[set], mu, rnd, signatures[set]));
    }
    return &whole[set];
}

static size_t start_with(unsigned set, unsigned kind, uint8_t *out)
{
    const struct mldsa_key *key = make(set);
    switch (kind) {
    case PUBLIC_KEY:
        memcpy(out, key->public_key, key->set->public_size);
        return key->set->public_size;
    case PRIVATE_KEY:
        mldsa_write_private(key, out);
        return key->set->private_size;
    default:
        memcpy(out, signatures[set], key->set->signature_size);
        return key->set->signature_size;
    }
}

static void try(const struct lattice_code *code, unsigned set, unsigned kind, const uint8_t *p, size_t n,
                struct outcome *out)
{
    const struct mldsa_key *key = make(set);
    mldsa_init(&read_key, sets[set], code);
    if (kind == SIGNATURE) {
        check(mldsa_read_public(&read_key, key->public_key, sets[set]->public_size));
        out->verified = mldsa_verify(&read_key, mu, p, n);
        /* Nobody finds another signature for the same message. */
        check(out->verified == (n == sets[set]->signature_size && memcmp(p, signatures[set], n) == 0));
    } else {
        out->good =
            kind == PUBLIC_KEY ? mldsa_read_public(&read_key, p, n) : mldsa_read_private(&read_key, p, n);
        check(read_key.has_public == out->good && read_key.has_private == (out->good && kind == PRIVATE_KEY));
        if (out->good)
            out->verified = mldsa_verify(&read_key, mu, signatures[set], sets[set]->signature_size);
        if (read_key.has_private) {
            check(mldsa_sign(&read_key, mu, rnd, out->signature));
            check(mldsa_verify(&read_key, mu, out->signature, sets[set]->signature_size));
            mldsa_write_private(&read_key, out->private_key);
            check(memcmp(out->private_key, p, n) == 0);
        }
    }
    mldsa_clear(&read_key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t made[MLDSA_PRIVATE_MAX];
    static struct outcome first, other;
    if (size == 0)
        return 0;
    unsigned set = data[0] % 3, kind = data[0] / 3 % KINDS;
    size_t n = start_with(set, kind, made);
    for (data++, size--; size >= 3; data += 3, size -= 3) {
        size_t at = (data[0] | (size_t)data[1] << 8) % n;
        made[kind == SIGNATURE ? n - 1 - at : at] = data[2];
    }
    n -= size;
    uint8_t *exact = malloc(n); /* so that a read behind its end is seen */
    check(exact != NULL);
    memcpy(exact, made, n);
    memset(&first, 0, sizeof first);
    try(lattice_code(0), set, kind, exact, n, &first);
    for (size_t i = 1; lattice_code(i) != NULL; i++) {
        memset(&other, 0, sizeof other);
        try(lattice_code(i), set, kind, exact, n, &other);
        check(memcmp(&first, &other, sizeof first) == 0);
    }
    free(exact);
    return 0;
}
