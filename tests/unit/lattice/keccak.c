#include "lattice/keccak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "lattice/lattice.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define OUT_MAX 1000

enum { SHA3_256, SHA3_512, SHAKE128, SHAKE256 };

static const struct function {
    const char *name; /* OpenSSL's */
    enum keccak_rate rate;
    size_t out; /* bytes that are looked at */
    bool is_shake;
} functions[] = {
    [SHA3_256] = {"SHA3-256", SHA3_256_RATE, 32, false},
    [SHA3_512] = {"SHA3-512", SHA3_512_RATE, 64, false},
    [SHAKE128] = {"SHAKE128", SHAKE128_RATE, OUT_MAX, true},
    [SHAKE256] = {"SHAKE256", SHAKE256_RATE, OUT_MAX, true},
};

/* The test's own random numbers (xorshift), the same in every run. */
static uint64_t random_word(void)
{
    static uint64_t x = 0x2545f4914f6cdd1d;
    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}

static void fill(void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)(random_word() >> 32);
}

static void *allocate(size_t n)
{
    void *p = malloc(n);
    assert_non_null(p);
    return p;
}

/* p's n bytes in two pieces, the first of them split bytes long. */
static void hash(const struct keccak_code *code, const struct function *f, const uint8_t *p, size_t n,
                 size_t split, uint8_t *out)
{
    struct keccak k;
    keccak_start(&k, code, f->rate);
    keccak_absorb(&k, p, split);
    keccak_absorb(&k, p + split, n - split);
    if (f->is_shake)
        keccak_end_shake(&k);
    else
        keccak_end_sha3(&k);
    keccak_squeeze(&k, out, f->out);
}

static void hash_openssl(const char *name, const uint8_t *p, size_t n, uint8_t *out, size_t out_n)
{
    EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_non_null(md);
    assert_non_null(c);
    assert_int_equal(EVP_DigestInit_ex2(c, md, NULL), 1);
    assert_int_equal(EVP_DigestUpdate(c, p, n), 1);
    bool is_shake = (EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF) != 0;
    assert_int_equal(is_shake ? EVP_DigestFinalXOF(c, out, out_n) : EVP_DigestFinal_ex(c, out, NULL), 1);
    EVP_MD_CTX_free(c);
    EVP_MD_free(md);
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const names[] = {"avx512", "avx2", "portable"};
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct lattice_code *code = NULL;
        for (size_t j = 0; (code = lattice_code(j)) != NULL && strcmp(code->name, names[i]) != 0; j++)
            continue;
        if (code == NULL)
            printf("%s: not tested, this processor has not the instructions\n", names[i]);
        else
            assert_string_equal(code->keccak->name, names[i]);
    }
}

static void test_permutation_of_zero(void **state)
{
    (void)state;
    static const uint64_t expected[KECCAK_WORDS] = {
        0xf1258f7940e1dde7, 0x84d5ccf933c0478a, 0xd598261ea65aa9ee, 0xbd1547306f80494d, 0x8b284e056253d057,
        0xff97a42d7f8e6fd4, 0x90fee5a0a44647c4, 0x8c5bda0cd6192e76, 0xad30a6f71b19059c, 0x30935ab7d08ffc64,
        0xeb5aa93f2317d635, 0xa9a6e6260d712103, 0x81a57c16dbcf555f, 0x43b831cd0347c826, 0x01f22f1a11a5569f,
        0x05e5635a21d9ae61, 0x64befef28cc970f2, 0x613670957bc46611, 0xb87c5a554fd00ecb, 0x8c3ee88a1ccf32c8,
        0x940c7922ae3a2614, 0x1841f924a2c509e4, 0x16f53526e70465c2, 0x75f644e97f30a13b, 0xeaf1ff7b5ceca249,
    };
    const struct lattice_code *code;
    for (size_t i = 0; (code = lattice_code(i)) != NULL; i++) {
        _Alignas(64) uint64_t words[KECCAK_WORDS * KECCAK_LANES_MAX] = {0};
        code->keccak->permute(words);
        assert_memory_equal(words, expected, sizeof expected);
        memset(words, 0, sizeof words);
        code->keccak->permute_lanes(words);
        for (unsigned j = 0; j < KECCAK_WORDS * code->keccak->lanes; j++)
            assert_int_equal(words[j], expected[j / code->keccak->lanes]);
    }
}

/* Each lane with a state of its own. */
static void test_permutation_as_portable(void **state)
{
    (void)state;
    const struct lattice_code *row;
    for (size_t i = 0; (row = lattice_code(i)) != NULL; i++) {
        const struct keccak_code *code = row->keccak;
        for (unsigned round = 0; round < 200; round++) {
            _Alignas(64) uint64_t words[KECCAK_WORDS * KECCAK_LANES_MAX], before[COUNT(words)];
            uint64_t one[KECCAK_WORDS], other[KECCAK_WORDS];
            fill(words, sizeof words);
            memcpy(before, words, sizeof words);
            code->permute_lanes(words);
            for (unsigned j = 0; j < code->lanes; j++) {
                for (unsigned w = 0; w < KECCAK_WORDS; w++)
                    one[w] = other[w] = before[w * code->lanes + j];
                keccak_portable.permute(one);
                code->permute(other);
                assert_memory_equal(one, other, sizeof one);
                for (unsigned w = 0; w < KECCAK_WORDS; w++)
                    assert_int_equal(words[w * code->lanes + j], one[w]);
            }
            for (size_t w = KECCAK_WORDS * code->lanes; w < COUNT(words); w++)
                assert_int_equal(words[w], before[w]);
        }
    }
}

/* Byte i of the input is 7i + 13 floor(i / 256) + 1; the digest is SHA-256 of the output. By hashlib. */
static const struct {
    int function;
    size_t n;
    const char *digest;
} known[] = {
    {SHA3_256, 0, "a09941949df508620d027c03ac12a3286382e745b9b17c656a98f7b5fb316918"},
    {SHA3_256, 3, "c328f0f552095246ee46c342332ba369a73511672e6f27ce641c363300e3f11f"},
    {SHA3_256, 135, "ddfca5233636b58564d34ce11ef4c65491508cb67503b36f8c85a088e3324403"},
    {SHA3_256, 136, "0837dbfece13a9c1d2e242fde0f5814ee5c4544b999badf6dd3b9f4ac2249668"},
    {SHA3_256, 137, "acde5c716a99649c3d62a2b6115a6da85ab3fcfdbcddb802e0d22bf49faa843c"},
    {SHA3_256, 1000, "40fec7f08bce9add5a78d82ae2b1cc701abb80a51a045ea251bd33c38928856b"},
    {SHA3_512, 0, "648eb07b73f6edba340490178239727562b005589a00f25dfd5b22fe702bf3f0"},
    {SHA3_512, 3, "963a87f35bb9feb9568173eb82df4eb7eab08c3a8e882b55129e264d60c59ce8"},
    {SHA3_512, 71, "b07cc4b2cd872a77f22ac9fb188b52b9427f1f60e6fc5dfcf03159cb7ab628a8"},
    {SHA3_512, 72, "a9e583186a425fc13ce87d3bd460a95c9e0884cc938b85719c363ec4ff35e2e6"},
    {SHA3_512, 73, "7e8ff06953a9034f34420d38baeeac2de4eb6117003668f144c9337b0a9a8aba"},
    {SHA3_512, 1000, "e5690b46cb78835a9b6a568460eb5696f916b30599b72a68552362d023d02436"},
    {SHAKE128, 0, "218ae7a5107911c8702edb40ec361ebbe57b6b6288287889361baabdb4d5cc9c"},
    {SHAKE128, 3, "c7ac8746a4d62a8ab5b2e1ff67a62d2b38e78a0d39acf37c1d08284ab8be2ce7"},
    {SHAKE128, 167, "d16ef37fc4edbf9bb02461e9499520d8d7df5e9187e29aaf88fb7caa6d4ea2db"},
    {SHAKE128, 168, "e8cea1806fc9cccd3f3422a09aadda9e09d2cb8f64bd862a25a5bacfc2b25ec8"},
    {SHAKE128, 169, "c0c845d8568780abf73be2ed2d516ef9b5360812dea89022a7716218b400fb87"},
    {SHAKE128, 1000, "2a958ec07f298ad042619cbda091cd7c35d00ef8c73a9eff63c9533e6398a80a"},
    {SHAKE256, 0, "38f5b095570dfb9090c6479a8c15d36d6f9479e6d2fb658f1366884d3d74bbdd"},
    {SHAKE256, 3, "5c4d1474e9bfcab2f6671be29a8fa52e2f96472f8348676e53ddc8ee863059d5"},
    {SHAKE256, 135, "6ade67ba10197457281c1d95a4d5fb7b0b12784892613bd744a1c455568f4017"},
    {SHAKE256, 136, "05f4c27233371d11dc7cd1b65f3bc96d5afca1a02d254b19ca534b31d418ed2f"},
    {SHAKE256, 137, "d6b6c81ea1a5ae5afa07d90296f8a70cd9baae46c5aedadbfe81fc97dcd3ee93"},
    {SHAKE256, 1000, "730bd86e67044b353767ceaac6e3c9ca17cf7144893cdb783a1514fdcfac1475"},
};

static void test_known_answers(void **state)
{
    (void)state;
    uint8_t in[1000], out[OUT_MAX], digest[32];
    char text[2 * sizeof digest + 1];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(7 * i + 13 * (i / 256) + 1);
    const struct lattice_code *code;
    for (size_t i = 0; (code = lattice_code(i)) != NULL; i++)
        for (size_t j = 0; j < COUNT(known); j++) {
            hash(code->keccak, &functions[known[j].function], in, known[j].n, 0, out);
            hash_openssl("SHA256", out, functions[known[j].function].out, digest, sizeof digest);
            for (size_t b = 0; b < sizeof digest; b++)
                (void)snprintf(text + 2 * b, 3, "%02x", digest[b]);
            assert_string_equal(text, known[j].digest);
        }
}

static void test_as_openssl(void **state)
{
    (void)state;
    const struct lattice_code *code;
    for (size_t i = 0; (code = lattice_code(i)) != NULL; i++)
        for (size_t n = 0; n <= 2 * SHAKE128_RATE + 1; n++) {
            uint8_t *in = allocate(n + 1), out[OUT_MAX], expected[OUT_MAX];
            fill(in, n + 1);
            for (size_t j = 0; j < COUNT(functions); j++) {
                hash(code->keccak, &functions[j], in, n, 0, out);
                hash_openssl(functions[j].name, in, n, expected, functions[j].out);
                assert_memory_equal(out, expected, functions[j].out);
            }
            sha3_256(code->keccak, in, n, out);
            hash_openssl("SHA3-256", in, n, expected, 32);
            assert_memory_equal(out, expected, 32);
            sha3_512(code->keccak, in, n, out);
            hash_openssl("SHA3-512", in, n, expected, 64);
            assert_memory_equal(out, expected, 64);
            free(in);
        }
}

static void test_absorbed_in_pieces(void **state)
{
    (void)state;
    uint8_t in[2 * SHAKE128_RATE + 3], out[OUT_MAX], expected[OUT_MAX];
    fill(in, sizeof in);
    for (size_t j = 0; j < COUNT(functions); j++) {
        size_t n = 2 * (size_t)functions[j].rate + 3;
        hash_openssl(functions[j].name, in, n, expected, functions[j].out);
        for (size_t split = 0; split <= n; split++) {
            hash(&keccak_portable, &functions[j], in, n, split, out);
            assert_memory_equal(out, expected, functions[j].out);
        }
        for (size_t piece = 1; piece < 20; piece++) {
            struct keccak k;
            keccak_start(&k, &keccak_portable, functions[j].rate);
            for (size_t at = 0; at < n; at += piece)
                keccak_absorb(&k, in + at, n - at < piece ? n - at : piece);
            if (functions[j].is_shake)
                keccak_end_shake(&k);
            else
                keccak_end_sha3(&k);
            for (size_t at = 0; at < functions[j].out; at += piece)
                keccak_squeeze(&k, out + at, functions[j].out - at < piece ? functions[j].out - at : piece);
            assert_memory_equal(out, expected, functions[j].out);
        }
    }
}

static void test_squeezed_in_pieces(void **state)
{
    (void)state;
    uint8_t out[OUT_MAX], expected[OUT_MAX];
    hash_openssl("SHAKE128", (const uint8_t *)"abc", 3, expected, sizeof expected);
    for (size_t split = 0; split <= sizeof out; split++) {
        struct keccak k;
        keccak_start(&k, &keccak_portable, SHAKE128_RATE);
        keccak_absorb(&k, (const uint8_t *)"abc", 3);
        keccak_end_shake(&k);
        keccak_squeeze(&k, out, split);
        keccak_squeeze(&k, out + split, sizeof out - split);
        assert_memory_equal(out, expected, sizeof out);
    }
}

/* Every number of words to places that are aligned to nothing and end with the last byte. */
static void test_deal(void **state)
{
    (void)state;
    _Alignas(64) uint64_t words[KECCAK_WORDS * KECCAK_LANES_MAX];
    fill(words, sizeof words);
    const struct lattice_code *row;
    for (size_t i = 0; (row = lattice_code(i)) != NULL; i++)
        for (unsigned n = 8; n < KECCAK_WORDS; n++)
            for (unsigned missing = 0; missing <= row->keccak->lanes; missing++) {
                uint8_t *places[KECCAK_LANES_MAX], *out[KECCAK_LANES_MAX];
                unsigned lanes = row->keccak->lanes;
                for (unsigned j = 0; j < lanes; j++) {
                    places[j] = allocate(8 * n + j + 1);
                    out[j] = j == missing ? NULL : places[j] + j + 1;
                    places[j][j] = 0x77;
                }
                row->keccak->deal(out, words, n);
                for (unsigned j = 0; j < lanes; j++) {
                    for (unsigned b = 0; out[j] != NULL && b < 8 * n; b++)
                        assert_int_equal(out[j][b], (uint8_t)(words[b / 8 * lanes + j] >> 8 * (b % 8)));
                    assert_int_equal(places[j][j], 0x77);
                    free(places[j]);
                }
            }
}

/* One input of n bytes a lane, against the same in one stream; the lanes of the mask are read. */
static void check_lanes(const struct keccak_code *code, const struct function *f, size_t n, unsigned mask)
{
    enum { BLOCKS = 5 };
    struct shake_lanes s;
    size_t size = BLOCKS * (size_t)f->rate;
    const uint8_t *in[KECCAK_LANES_MAX];
    uint8_t *out[KECCAK_LANES_MAX], *later[KECCAK_LANES_MAX];
    for (unsigned j = 0; j < code->lanes; j++) {
        uint8_t *p = allocate(n + 1);
        fill(p, n);
        memmove(p + 1, p, n); /* so that it is aligned to nothing */
        in[j] = p + 1;
        out[j] = (mask >> j & 1) != 0 ? allocate(size) : NULL;
        later[j] = out[j] != NULL ? out[j] + 3 * (size_t)f->rate : NULL;
    }
    shake_lanes_start(&s, code, f->rate, in, n);
    shake_lanes_squeeze(&s, out, 3);
    shake_lanes_squeeze(&s, later, 0);
    shake_lanes_squeeze(&s, later, BLOCKS - 3);
    for (unsigned j = 0; j < code->lanes; j++) {
        uint8_t expected[BLOCKS * SHAKE128_RATE];
        hash_openssl(f->name, in[j], n, expected, size);
        if (out[j] != NULL)
            assert_memory_equal(out[j], expected, size);
        free(out[j]);
        free((uint8_t *)(uintptr_t)in[j] - 1);
    }
}

static void test_lanes(void **state)
{
    (void)state;
    const struct lattice_code *code;
    for (size_t i = 0; (code = lattice_code(i)) != NULL; i++)
        for (int function = SHAKE128; function <= SHAKE256; function++)
            for (size_t n = 0; n < (size_t)functions[function].rate; n++)
                check_lanes(code->keccak, &functions[function], n,
                            n % 3 == 0 ? (unsigned)random_word() : 0xff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_permutation_of_zero),
        cmocka_unit_test(test_permutation_as_portable),
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_as_openssl),
        cmocka_unit_test(test_absorbed_in_pieces),
        cmocka_unit_test(test_squeezed_in_pieces),
        cmocka_unit_test(test_deal),
        cmocka_unit_test(test_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
