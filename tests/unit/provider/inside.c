/* What OpenSSL's interface does not show: what a key keeps, and how keys are compared. */
#include "fixture.h"

#include "provider/kem_key.h"
#include "provider/kem_keymgmt.h"

static struct world world;
static struct provider *provider;

static int start_here(void **state)
{
    (void)state;
    world_start(&world);
    libctx = world.libctx;
    provider = OSSL_PROVIDER_get0_provider_ctx(world.ours);
    return 0;
}

static int stop_here(void **state)
{
    (void)state;
    world_stop(&world);
    return 0;
}

static struct kem_key *made(enum kem_kind_id kind)
{
    struct kem_key *key = kem_key_new(provider, kind);
    assert_true(kem_key_generate(key, NULL));
    return key;
}

static struct kem_key *half_of(const struct kem_key *key)
{
    struct kem_key *half = kem_key_new(provider, (enum kem_kind_id)(key->kind - kem_kinds));
    assert_true(
        kem_key_read_public(half, (struct key_bytes){key->public_key, kem_public_layout(key->kind).size}));
    return half;
}

/* A TLS connection keeps its peer's key: it is no more than its bytes, before it was used and after. */
static void a_public_key_keeps_its_bytes_until_it_is_used_again(void **state)
{
    (void)state;
    for (int kind = 0; kind < KEM_KINDS; kind++) {
        struct bytes ciphertext, secret, got;
        struct kem_key *key = made((enum kem_kind_id)kind), *half = half_of(key);
        bool hybrid = kem_kinds[kind].classic != CLASSIC_NONE;
        assert_null(atomic_load(&half->mlkem));
        assert_int_equal(atomic_load(&half->peer) != NULL, hybrid);
        for (int use = 1; use <= 3; use++) {
            assert_true(kem_key_encapsulate(half, NULL, ciphertext.p, secret.p));
            assert_int_equal(atomic_load(&half->mlkem) != NULL, use > 1);
            assert_null(atomic_load(&half->peer));
            assert_true(kem_key_decapsulate(key, ciphertext.p, got.p));
            assert_memory_equal(secret.p, got.p, kem_secret_layout(half->kind).size);
        }
        kem_key_free(half);
        kem_key_free(key);
    }
}

static int matches(const struct kem_key *a, const struct kem_key *b, int selection)
{
    const OSSL_DISPATCH *d = kem_keymgmts[a->kind - kem_kinds];
    while (d->function_id != OSSL_FUNC_KEYMGMT_MATCH)
        d++;
    return OSSL_FUNC_keymgmt_match(d)(a, b, selection);
}

static void keys_are_compared_by_the_halves_that_are_asked_for(void **state)
{
    const int publics = OSSL_KEYMGMT_SELECT_PUBLIC_KEY, privates = OSSL_KEYMGMT_SELECT_PRIVATE_KEY;
    (void)state;
    for (int kind = 0; kind < KEM_KINDS; kind++) {
        struct kem_key *key = made((enum kem_kind_id)kind), *other = made((enum kem_kind_id)kind);
        struct kem_key *half = half_of(key), *empty = kem_key_new(provider, (enum kem_kind_id)kind);
        struct kem_key *of_another_kind = kem_key_new(provider, (enum kem_kind_id)((kind + 1) % KEM_KINDS));
        struct bytes bytes;
        struct kem_key *again = kem_key_new(provider, (enum kem_kind_id)kind);
        size_t private_size = kem_private_layout(key->kind).size,
               public_size = kem_public_layout(key->kind).size;
        assert_true(kem_key_write_private(key, bytes.p));
        assert_true(kem_key_read_private(again, (struct key_bytes){0},
                                         (struct key_bytes){bytes.p, private_size},
                                         (struct key_bytes){key->public_key, public_size}));
        const struct {
            const struct kem_key *a, *b;
            int selection, same;
        } rows[] = {
            {key, again, publics, 1},
            {key, again, privates, 1},
            {key, again, publics | privates, 1},
            {key, other, publics, 0},
            {key, other, privates, 0},
            {key, other, 0, 1},
            {key, half, publics, 1},
            {key, half, privates, 0},
            {key, half, publics | privates, 1},
            {half, empty, publics, 0},
            {empty, empty, publics | privates, 1},
            {empty, of_another_kind, 0, 0},
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            if (matches(rows[i].a, rows[i].b, rows[i].selection) != rows[i].same)
                fail_msg("%s: row %zu", key->kind->name, i);
        /* ML-KEM's z is of the private half alone. */
        if (kem_kinds[kind].classic == CLASSIC_NONE) {
            struct kem_key *changed = kem_key_new(provider, (enum kem_kind_id)kind);
            bytes.p[private_size - 1] ^= 1;
            assert_true(kem_key_read_private(changed, (struct key_bytes){0},
                                             (struct key_bytes){bytes.p, private_size},
                                             (struct key_bytes){0}));
            assert_int_equal(matches(key, changed, publics), 1);
            assert_int_equal(matches(key, changed, privates), 0);
            kem_key_free(changed);
        }
        kem_key_free(key);
        kem_key_free(other);
        kem_key_free(half);
        kem_key_free(empty);
        kem_key_free(of_another_kind);
        kem_key_free(again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_public_key_keeps_its_bytes_until_it_is_used_again),
        cmocka_unit_test(keys_are_compared_by_the_halves_that_are_asked_for),
    };
    return cmocka_run_group_tests(tests, start_here, stop_here);
}
