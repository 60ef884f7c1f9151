#include "lattice/keccak.h"

#include <assert.h>
#include <string.h>

#include "lattice/lattice.h"

#define KECCAK_WORD uint64_t
#define KECCAK_NAME(name) one_##name
#include "lattice/keccak_round.h"

/* The domain separation of sections 6.1 and 6.2 with the first 1 of pad10*1 (5.1), lowest bit first (B.2). */
#define END_SHA3 0x06
#define END_SHAKE 0x1f

/* Section 3.1.2 with B.1: byte i of a state is bits 8 * (i % 8) and up of word i / 8. */
static uint64_t load64(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static void store64(uint8_t *p, uint64_t word)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(word >> 8 * i);
}

static void deal(uint8_t *const out[], const uint64_t *state, unsigned words)
{
    if (out[0] != NULL)
        for (unsigned i = 0; i < words; i++)
            store64(out[0] + 8 * (size_t)i, state[i]);
}

const struct keccak_code keccak_portable = {
    .name = "portable",
    .lanes = 1,
    .permute = one_permute,
    .permute_lanes = one_permute,
    .deal = deal,
};

/* ---- one stream: the sponge, section 4 ---- */

void keccak_start(struct keccak *k, const struct keccak_code *code, enum keccak_rate rate)
{
    *k = (struct keccak){.code = code, .rate = (unsigned)rate};
}

static void add_byte(uint64_t *state, unsigned at, uint8_t byte)
{
    state[at / 8] ^= (uint64_t)byte << 8 * (at % 8);
}

void keccak_absorb(struct keccak *k, const uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t taken = 1;
        if (k->at % 8 == 0 && n >= 8) {
            k->state[k->at / 8] ^= load64(p);
            taken = 8;
        } else {
            add_byte(k->state, k->at, *p);
        }
        p += taken;
        n -= taken;
        k->at += (unsigned)taken;
        if (k->at == k->rate) {
            k->code->permute(k->state);
            k->at = 0;
        }
    }
}

/* What follows a stream's last byte. The block it makes is permuted when the first byte is squeezed out. */
static void end(struct keccak *k, uint8_t first)
{
    add_byte(k->state, k->at, first);
    add_byte(k->state, k->rate - 1, 0x80);
    k->at = k->rate;
}

void keccak_end_shake(struct keccak *k)
{
    end(k, END_SHAKE);
}

void keccak_end_sha3(struct keccak *k)
{
    end(k, END_SHA3);
}

void keccak_squeeze(struct keccak *k, uint8_t *out, size_t n)
{
    while (n > 0) {
        if (k->at == k->rate) {
            k->code->permute(k->state);
            k->at = 0;
        }
        uint64_t word = k->state[k->at / 8];
        size_t given = 1;
        if (k->at % 8 == 0 && n >= 8) {
            store64(out, word);
            given = 8;
        } else {
            *out = (uint8_t)(word >> 8 * (k->at % 8));
        }
        out += given;
        n -= given;
        k->at += (unsigned)given;
    }
}

static void sha3(const struct keccak_code *code, enum keccak_rate rate, const uint8_t *p, size_t n,
                 uint8_t *out, size_t out_n)
{
    struct keccak k;
    keccak_start(&k, code, rate);
    keccak_absorb(&k, p, n);
    keccak_end_sha3(&k);
    keccak_squeeze(&k, out, out_n);
    lattice_wipe(&k, sizeof k);
}

void sha3_256(const struct keccak_code *code, const uint8_t *p, size_t n, uint8_t out[32])
{
    sha3(code, SHA3_256_RATE, p, n, out, 32);
}

void sha3_512(const struct keccak_code *code, const uint8_t *p, size_t n, uint8_t out[64])
{
    sha3(code, SHA3_512_RATE, p, n, out, 64);
}

/* ---- several streams ---- */

void shake_lanes_start(struct shake_lanes *s, const struct keccak_code *code, enum keccak_rate rate,
                       const uint8_t *const in[], size_t n)
{
    assert(n < (size_t)rate);
    unsigned lanes = code->lanes;
    s->code = code;
    s->rate = (unsigned)rate;
    memset(s->state, 0, KECCAK_WORDS * lanes * sizeof s->state[0]);
    for (unsigned j = 0; j < lanes; j++) {
        size_t i = 0;
        for (; i + 8 <= n; i += 8)
            s->state[i / 8 * lanes + j] = load64(in[j] + i);
        uint64_t last = (uint64_t)END_SHAKE << 8 * (n % 8);
        for (; i < n; i++)
            last |= (uint64_t)in[j][i] << 8 * (i % 8);
        s->state[n / 8 * lanes + j] = last;
        s->state[(s->rate / 8 - 1) * lanes + j] ^= (uint64_t)0x80 << 56;
    }
}

void shake_lanes_squeeze(struct shake_lanes *s, uint8_t *const out[], size_t blocks)
{
    uint8_t *to[KECCAK_LANES_MAX];
    for (unsigned j = 0; j < s->code->lanes; j++)
        to[j] = out[j];
    for (size_t i = 0; i < blocks; i++) {
        s->code->permute_lanes(s->state);
        s->code->deal(to, s->state, s->rate / 8);
        for (unsigned j = 0; j < s->code->lanes; j++)
            to[j] = to[j] != NULL ? to[j] + s->rate : NULL;
    }
}
