#include "tls/identity.h"

#include <stdlib.h>

#include "tls/session_data.h"
#include "tls_test.h"

static struct tls_peer peer_of(const struct ident *leaf, const struct ident *issuer)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    sk_X509_push(chain, leaf->cert);
    if (issuer != NULL)
        sk_X509_push(chain, issuer->cert);
    struct tls_peer p = {0};
    struct err e = {0};
    if (tls_peer_from_chain(chain, false, &p, &e) != 0)
        fail_msg("%s", e.text);
    sk_X509_free(chain);
    return p;
}

static void names_serials_and_issuers(void **state)
{
    (void)state;
    struct tls_peer p = peer_of(device_id, device_ca);
    assert_string_equal(p.serial, "beef");
    assert_true(p.not_after > (int64_t)time(NULL) + 29 * DAY && p.not_after < (int64_t)time(NULL) + 31 * DAY);
    /* The issuer is a key, not a name. */
    struct ident *twin_ca = fixture_make("twin-ca", NULL, &(struct cert_spec){.cn = "Device CA", .ca = true});
    struct ident *twin = fixture_make("twin", twin_ca, &(struct cert_spec){.cn = "dev-1", .serial = "15"});
    struct tls_peer q = peer_of(twin, twin_ca);
    assert_string_equal(q.common_name, p.common_name);
    assert_string_not_equal(q.issuer, p.issuer);
    assert_string_equal(q.serial, "f"); /* no leading zero */
    struct ident *zero = fixture_make("zero", twin_ca, &(struct cert_spec){.cn = "z", .serial = "0"});
    assert_string_equal(peer_of(zero, twin_ca).serial, "0");
    assert_string_equal(peer_of(zero, twin_ca).issuer, q.issuer);
}

static void names_unfit_to_show_are_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *cn, *san, *want_cn, *want_san;
    } cases[] = {
        {NULL, NULL, "", ""},
        {"evil\nlevel=info", NULL, "", ""},
        {"Gerät-7", "IP:10.0.0.1", "Gerät-7", ""},
        {"x", "IP:10.0.0.1,DNS:first.example,DNS:second.example", "x", "first.example"},
        {"x", "URI:urn:x,email:a@b.c", "x", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%zu", i);
        struct ident *id =
            fixture_make(name, device_ca, &(struct cert_spec){.cn = cases[i].cn, .san = cases[i].san});
        struct tls_peer p = peer_of(id, device_ca);
        assert_string_equal(p.common_name, cases[i].want_cn);
        assert_string_equal(p.san, cases[i].want_san);
    }
    char san[200];
    snprintf(san, sizeof san, "DNS:%0*d.example", 150, 7);
    struct ident *longer = fixture_make("longer", device_ca, &(struct cert_spec){.cn = "x", .san = san});
    assert_string_equal(peer_of(longer, device_ca).san, "");
}

static void serials_that_fit_no_record_are_refused(void **state)
{
    (void)state;
    static const char *const serials[] = {
        "-5", "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999"};
    for (size_t i = 0; i < 2; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%zu", i);
        struct ident *id =
            fixture_make(name, device_ca, &(struct cert_spec){.cn = "x", .serial = serials[i]});
        STACK_OF(X509) *chain = sk_X509_new_null();
        sk_X509_push(chain, id->cert);
        struct tls_peer p = {.not_after = 5};
        struct err e = {0};
        assert_int_equal(tls_peer_from_chain(chain, false, &p, &e), ERR_INVALID);
        assert_int_equal(p.not_after, 5);
        sk_X509_free(chain);
    }
    struct tls_peer p;
    assert_int_equal(tls_peer_from_chain(NULL, false, &p, NULL), ERR_INTERNAL);
}

static void bytes_and_back(void **state)
{
    (void)state;
    struct tls_peer full = {.present = true, .not_after = 253402300799};
    memset(full.common_name, 'c', sizeof full.common_name - 1);
    memset(full.san, 's', sizeof full.san - 1);
    memset(full.issuer, 'a', sizeof full.issuer - 1);
    memset(full.serial, 'f', sizeof full.serial - 1);
    memset(full.fingerprint, '9', sizeof full.fingerprint - 1);
    struct tls_peer none = {0}, early = {.present = true, .not_after = -5};
    memset(early.issuer, '0', sizeof early.issuer - 1); /* who showed a certificate has both */
    memset(early.fingerprint, '1', sizeof early.fingerprint - 1);
    snprintf(early.serial, sizeof early.serial, "abc");
    const struct tls_peer *all[] = {&full, &none, &early};
    for (size_t i = 0; i < 3; i++) {
        unsigned char bytes[TLS_SESSION_DATA_MAX];
        size_t n = tls_session_data_encode(1234567, all[i], bytes);
        assert_true(n <= sizeof bytes);
        struct tls_peer back;
        memset(&back, 0xa5, sizeof back);
        int64_t at = 0;
        assert_int_equal(tls_session_data_decode(bytes, n, &at, &back), 0);
        assert_int_equal(at, 1234567);
        assert_memory_equal(&back, all[i], sizeof back);
        /* Any cut is noticed, and so is anything more. */
        for (size_t cut = 0; cut < n; cut++) {
            unsigned char *exact = malloc(cut > 0 ? cut : 1); /* for ASan to see a read past it */
            memcpy(exact, bytes, cut);
            assert_int_equal(tls_session_data_decode(exact, cut, &at, &back), ERR_CORRUPT);
            free(exact);
        }
        if (n < sizeof bytes) {
            bytes[n] = 0;
            assert_int_equal(tls_session_data_decode(bytes, n + 1, &at, &back), ERR_CORRUPT);
        }
    }
    assert_int_equal(tls_session_data_decode(NULL, 0, &(int64_t){0}, &none), ERR_CORRUPT);
}

static void names_of_a_certificate(void **state)
{
    (void)state;
    char names[64];
    tls_names(server_id->cert, names, sizeof names);
    assert_string_equal(names, "localhost, 127.0.0.1, ::1");
    char small[12];
    tls_names(server_id->cert, small, sizeof small);
    assert_int_equal(strlen(small), 11);
    tls_names(device_ca->cert, names, sizeof names);
    assert_string_equal(names, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_serials_and_issuers),
        cmocka_unit_test(names_unfit_to_show_are_left_out),
        cmocka_unit_test(serials_that_fit_no_record_are_refused),
        cmocka_unit_test(bytes_and_back),
        cmocka_unit_test(names_of_a_certificate),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
