/* The key schedule against RFC 8448: its full handshake (section 3) and its resumed one (section 4). */
#include "tls/schedule.h"

#include "base/hex.h"
#include "tls_test.h"

#define SHA256_BYTES 32

static struct tls_suites *suites;

static int make_suites(void **state)
{
    (void)state;
    struct err e;
    return tls_suites_new(&suites, &e);
}

static int free_suites(void **state)
{
    (void)state;
    tls_suites_free(suites);
    return 0;
}

static void unhex(const char *text, unsigned char *out)
{
    assert_int_equal(strlen(text), 2 * SHA256_BYTES);
    assert_int_equal(hex_decode(str_of(text), out, SHA256_BYTES), 0);
}

static void is(const unsigned char *found, const char *expected)
{
    unsigned char bytes[SHA256_BYTES];
    unhex(expected, bytes);
    assert_memory_equal(found, bytes, sizeof bytes);
}

static void begin(struct tls_schedule *s)
{
    tls_schedule_begin(s, tls_suite_of(suites, 0x1301));
    assert_false(s->derive.failed);
}

static void a_full_handshake(void **state)
{
    (void)state;
    static const unsigned char no_psk[TLS_SECRET_MAX];
    unsigned char shared[SHA256_BYTES], client[TLS_SECRET_MAX], server[TLS_SECRET_MAX], key[TLS_SECRET_MAX];
    struct tls_schedule s;
    begin(&s);
    tls_schedule_first(&s, no_psk);
    is(s.stage, "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
    unhex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d", shared);
    tls_schedule_next(&s, shared, sizeof shared);
    is(s.stage, "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac");
    unhex("860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8", s.hash);
    tls_schedule_secret(&s, "c hs traffic", client);
    tls_schedule_secret(&s, "s hs traffic", server);
    is(client, "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21");
    is(server, "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
    /* A Finished in between leaves the stage as it was. */
    tls_schedule_finished(&s, server, key);
    tls_schedule_next(&s, NULL, 0);
    is(s.stage, "18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919");
    assert_int_equal(tls_schedule_end(&s), 0);
}

static void a_binder(void **state)
{
    (void)state;
    unsigned char psk[SHA256_BYTES], secret[TLS_SECRET_MAX], binder[TLS_SECRET_MAX];
    struct tls_schedule s;
    begin(&s);
    unhex("4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3", psk);
    tls_schedule_first(&s, psk);
    is(s.stage, "9b2188e9b2fc6d64d71dc329900e20bb41915000f678aa839cbb797cb7d8332c");
    tls_schedule_look_at_nothing(&s);
    tls_schedule_secret(&s, "res binder", secret);
    is(secret, "69fe131a3bbad5d63c64eebcc30e395b9d8107726a13d074e389dbc8a4e47256");
    unhex("63224b2e4573f2d3454ca84b9d009a04f6be9e05711a8396473aefa01e924a14", s.hash);
    tls_schedule_finished(&s, secret, binder);
    is(binder, "3add4fb2d8fdf822a0ca3cf7678ef5e88dae990141c5924d57bb6fa31b9e5f9d");
    assert_int_equal(tls_schedule_end(&s), 0);
}

/* Looking does not end the transcript, and of nothing it is the hash of no bytes. */
static void a_transcript_in_pieces(void **state)
{
    (void)state;
    unsigned char before[TLS_SECRET_MAX];
    struct tls_schedule s;
    begin(&s);
    tls_schedule_look(&s);
    memcpy(before, s.hash, SHA256_BYTES);
    is(s.hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    tls_schedule_add(&s, (const unsigned char *)"a", 1);
    tls_schedule_look(&s);
    tls_schedule_add(&s, (const unsigned char *)"bc", 2);
    tls_schedule_look(&s);
    is(s.hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    tls_schedule_look_at_nothing(&s);
    assert_memory_equal(s.hash, before, SHA256_BYTES);
    assert_int_equal(tls_schedule_end(&s), 0);
}

/* What failed once fails to the end. */
static void a_failure_is_told(void **state)
{
    (void)state;
    static const unsigned char psk[TLS_SECRET_MAX];
    struct tls_suite broken = *tls_suite_of(suites, 0x1301);
    struct tls_schedule s;
    broken.secret_n++; /* not what its HMAC gives */
    tls_schedule_begin(&s, &broken);
    tls_schedule_first(&s, psk);
    assert_true(s.derive.failed);
    tls_schedule_next(&s, NULL, 0);
    assert_int_equal(tls_schedule_end(&s), ERR_CRYPTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_handshake),
        cmocka_unit_test(a_binder),
        cmocka_unit_test(a_transcript_in_pieces),
        cmocka_unit_test(a_failure_is_told),
    };
    return cmocka_run_group_tests(tests, make_suites, free_suites);
}
