/* The record protocol alone: RFC 8448's own records, ours against ours, and what no peer may send. */
#include "tls/records.h"

#include "base/hex.h"
#include "tls_test.h"

#define WORN (1U << 24) /* records under one key of AES-GCM */

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

static void begin(struct tls_records *r, unsigned id, unsigned char in, unsigned char out)
{
    *r = (struct tls_records){0};
    memset(r->in.secret, in, sizeof r->in.secret);
    memset(r->out.secret, out, sizeof r->out.secret);
    assert_int_equal(tls_records_begin(r, tls_suite_of(suites, id), 0, 0), 0);
}

struct two {
    struct tls_records client, server;
    unsigned char record[TLS_SEALED_MAX];
    size_t n;
    struct tls_content_found found;
};

static void meet(struct two *t, unsigned id)
{
    begin(&t->client, id, 's', 'c');
    begin(&t->server, id, 'c', 's');
}

/* What the client seals as that type; the type 0 is padding, and the content's last byte the type. */
static int client_says(struct two *t, int type, const void *p, size_t n)
{
    assert_int_equal(tls_records_seal(&t->client, (enum tls_content)type, p, n, t->record, &t->n), 0);
    assert_int_equal(tls_record_length(t->record, t->n), t->n);
    return tls_records_open(&t->server, t->record, t->n, &t->found);
}

/* RFC 8448 section 3: the client's application data, and its close_notify. */
static void the_records_of_rfc_8448(void **state)
{
    (void)state;
    static const char secret[] = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
    static const char data[] =
        "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b39"
        "5bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4";
    static const char goodbye[] = "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3";
    struct tls_records client = {0}, server = {0};
    unsigned char record[100], plain[50], expected[sizeof record];
    size_t n = 0;
    struct tls_content_found found;
    assert_int_equal(hex_decode(str_of(secret), server.in.secret, 32), 0);
    assert_int_equal(hex_decode(str_of(secret), client.out.secret, 32), 0);
    assert_int_equal(tls_records_begin(&server, tls_suite_of(suites, 0x1301), 0, 0), 0);
    assert_int_equal(tls_records_begin(&client, tls_suite_of(suites, 0x1301), 0, 0), 0);
    for (unsigned i = 0; i < sizeof plain; i++)
        plain[i] = (unsigned char)i;

    assert_int_equal(hex_decode(str_of(data), expected, 72), 0);
    assert_int_equal(tls_records_seal(&client, TLS_DATA, plain, sizeof plain, record, &n), 0);
    assert_int_equal(n, 72);
    assert_memory_equal(record, expected, n);
    assert_int_equal(tls_records_open(&server, record, n, &found), 0);
    assert_int_equal(found.type, TLS_DATA);
    assert_int_equal(found.n, sizeof plain);
    assert_memory_equal(found.p, plain, sizeof plain);

    assert_int_equal(hex_decode(str_of(goodbye), record, 24), 0);
    assert_int_equal(tls_records_open(&server, record, 24, &found), 0);
    assert_int_equal(found.type, TLS_ALERT);
    assert_int_equal(found.n, 2);
    assert_memory_equal(found.p, "\1\0", 2);
}

static void every_suite_and_size(void **state)
{
    (void)state;
    static unsigned char plain[TLS_CONTENT_MAX];
    static const size_t sizes[] = {1, 2, 15, 16, 17, 255, 4096, TLS_CONTENT_MAX - 1, TLS_CONTENT_MAX};
    for (unsigned id = 0x1301; id <= 0x1303; id++) {
        struct two t;
        meet(&t, id);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            memset(plain, (int)i + 1, sizes[i]);
            assert_int_equal(client_says(&t, TLS_DATA, plain, sizes[i]), 0);
            assert_int_equal(t.n, TLS_HEADER_SIZE + sizes[i] + 1 + TLS_TAG_SIZE);
            assert_int_equal(t.found.n, sizes[i]);
            assert_memory_equal(t.found.p, plain, sizes[i]);
        }
    }
    assert_null(tls_suite_of(suites, 0x1304));
}

/* They share a thread's cipher contexts, and one of them ends in between. */
static void connections_in_turns(void **state)
{
    (void)state;
    struct two t[4];
    for (unsigned i = 0; i < 4; i++)
        meet(&t[i], 0x1301 + i % 3);
    for (unsigned turn = 0; turn < 8; turn++) {
        for (unsigned i = turn > 3; i < 4; i++) {
            unsigned char said = (unsigned char)(16 * turn + i);
            assert_int_equal(client_says(&t[i], TLS_DATA, &said, 1), 0);
            assert_int_equal(*t[i].found.p, said);
            t[i].record[t[i].n - 1] ^= 1; /* and one that cannot be opened */
            assert_int_equal(tls_records_open(&t[i].server, t[i].record, t[i].n, &t[i].found),
                             ALERT_BAD_RECORD_MAC);
        }
        if (turn == 3)
            tls_records_wipe(&t[0].server);
    }
}

static void padding_is_taken_off(void **state)
{
    (void)state;
    struct two t;
    meet(&t, 0x1302);
    assert_int_equal(client_says(&t, 0, "abc\x17\0\0\0", 7), 0);
    assert_int_equal(t.found.type, TLS_DATA);
    assert_int_equal(t.found.n, 3);
    assert_memory_equal(t.found.p, "abc", 3);
    /* Data may be empty (section 5.1), but not for ever. */
    int alert = 0, empty = 0;
    while (alert == 0 && empty < 1000) {
        alert = client_says(&t, 0, "\x17", 1);
        empty++;
    }
    assert_int_equal(alert, ALERT_UNEXPECTED_MESSAGE);
    assert_in_range(empty, 30, 40);
}

static void what_no_peer_may_send(void **state)
{
    (void)state;
    static const struct {
        int type;
        const char *content;
        size_t n;
        int alert;
    } cases[] = {
        {0, "\0\0\0", 3, ALERT_UNEXPECTED_MESSAGE}, /* nothing but padding */
        {20, "\1", 1, ALERT_UNEXPECTED_MESSAGE},    /* a ChangeCipherSpec, after the handshake */
        {24, "x", 1, ALERT_UNEXPECTED_MESSAGE},     /* a type that there is not */
        {0, "\x15\0", 2, ALERT_UNEXPECTED_MESSAGE}, /* an empty alert */
        {0, "\x16\0", 2, ALERT_UNEXPECTED_MESSAGE}, /* an empty handshake message */
    };
    struct two t;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        meet(&t, 0x1301);
        assert_int_equal(client_says(&t, cases[i].type, cases[i].content, cases[i].n), cases[i].alert);
    }
    /* Content over the limit: 16384 bytes with the type among them are fine, and one more is not. */
    static unsigned char much[TLS_SEALED_MAX];
    memset(much, 'x', sizeof much);
    meet(&t, 0x1301);
    assert_int_equal(client_says(&t, TLS_DATA, much, TLS_CONTENT_MAX), 0);
}

static void damage_is_noticed(void **state)
{
    (void)state;
    struct two t;
    unsigned char sealed[TLS_SEALED_MAX];
    for (size_t at = 0; at < 27; at++) { /* each byte of a record of 5 bytes */
        meet(&t, 0x1302);
        assert_int_equal(
            tls_records_seal(&t.client, TLS_DATA, (const unsigned char *)"hello", 5, sealed, &t.n), 0);
        assert_int_equal(t.n, 27);
        if (at == 3 || at == 4)
            continue; /* the length says where the record ends */
        sealed[at] ^= 1;
        int alert = tls_records_open(&t.server, sealed, t.n, &t.found);
        assert_int_equal(alert, at == 0 ? ALERT_UNEXPECTED_MESSAGE : ALERT_BAD_RECORD_MAC);
    }
    /* Twice the same, one left out, or too short for a tag. */
    meet(&t, 0x1302);
    assert_int_equal(tls_records_seal(&t.client, TLS_DATA, (const unsigned char *)"a", 1, t.record, &t.n), 0);
    memcpy(sealed, t.record, t.n);
    assert_int_equal(tls_records_open(&t.server, t.record, t.n, &t.found), 0);
    assert_int_equal(tls_records_open(&t.server, sealed, t.n, &t.found), ALERT_BAD_RECORD_MAC);
    meet(&t, 0x1302);
    assert_int_equal(tls_records_seal(&t.client, TLS_DATA, (const unsigned char *)"a", 1, t.record, &t.n), 0);
    assert_int_equal(client_says(&t, TLS_DATA, "b", 1), ALERT_BAD_RECORD_MAC);
    meet(&t, 0x1302);
    unsigned char small[] = {23, 3, 3, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    assert_int_equal(tls_records_open(&t.server, small, sizeof small, &t.found), ALERT_BAD_RECORD_MAC);
    static unsigned char large[TLS_HEADER_SIZE + TLS_CONTENT_MAX + 257] = {23, 3, 3, 0x41, 1};
    assert_int_equal(tls_records_open(&t.server, large, sizeof large, &t.found), ALERT_RECORD_OVERFLOW);
}

static int update(struct two *t, const char *message, size_t n, bool *answer)
{
    int alert = client_says(t, TLS_HANDSHAKE, message, n);
    return alert != 0 ? alert : tls_records_message(&t->server, &t->found, answer);
}

static void keys_are_renewed(void **state)
{
    (void)state;
    for (unsigned id = 0x1301; id <= 0x1303; id++) {
        struct two t;
        bool answer = false;
        meet(&t, id);
        assert_int_equal(client_says(&t, TLS_DATA, "old", 3), 0);
        assert_int_equal(tls_records_renew(&t.client, t.record, &t.n), 0);
        assert_int_equal(tls_records_open(&t.server, t.record, t.n, &t.found), 0);
        assert_int_equal(t.found.type, TLS_HANDSHAKE);
        assert_int_equal(tls_records_message(&t.server, &t.found, &answer), 0);
        assert_false(answer);
        assert_int_equal(t.client.out.seq, 0);
        assert_int_equal(client_says(&t, TLS_DATA, "new", 3), 0);
        assert_memory_equal(t.found.p, "new", 3);
        /* One that asks for ours, in pieces. */
        assert_int_equal(update(&t, "\x18", 1, &answer), 0);
        assert_int_equal(update(&t, "\0\0\1", 3, &answer), 0);
        assert_int_equal(update(&t, "\1", 1, &answer), 0);
        assert_true(answer);
        assert_int_equal(client_says(&t, TLS_DATA, "x", 1), ALERT_BAD_RECORD_MAC); /* still the old key */
    }
}

static void key_updates_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        size_t n;
        int alert;
    } cases[] = {
        {"\x18\0\0\1\2", 5, ALERT_ILLEGAL_PARAMETER},
        {"\x18\0\0\2\0", 5, ALERT_DECODE_ERROR},
        {"\x18\0\0\1\0\x18", 6, ALERT_UNEXPECTED_MESSAGE}, /* more under the old key */
        {"\4\0\0\1\0", 5, ALERT_UNEXPECTED_MESSAGE},       /* a session ticket, from a client */
        {"\1", 1, ALERT_UNEXPECTED_MESSAGE},
    };
    struct two t;
    bool answer = false;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        meet(&t, 0x1302);
        assert_int_equal(update(&t, cases[i].message, cases[i].n, &answer), cases[i].alert);
    }
    /* Nothing may come between the pieces of one (section 5.1). */
    meet(&t, 0x1302);
    assert_int_equal(update(&t, "\x18\0", 2, &answer), 0);
    assert_int_equal(client_says(&t, TLS_DATA, "x", 1), ALERT_UNEXPECTED_MESSAGE);
    assert_false(answer);
    /* And nobody keeps us at it. */
    meet(&t, 0x1302);
    int alert = 0, updates = 0;
    for (; alert == 0 && updates < 1000; updates++) {
        assert_int_equal(tls_records_renew(&t.client, t.record, &t.n), 0);
        alert = tls_records_open(&t.server, t.record, t.n, &t.found);
        if (alert == 0)
            alert = tls_records_message(&t.server, &t.found, &answer);
    }
    assert_int_equal(alert, ALERT_UNEXPECTED_MESSAGE);
    assert_in_range(updates, 30, 40);
}

static void keys_wear_out(void **state)
{
    (void)state;
    struct two t;
    meet(&t, 0x1302);
    t.client.out.seq = WORN - 1;
    assert_false(tls_records_is_worn(&t.client));
    t.client.out.seq = WORN;
    assert_true(tls_records_is_worn(&t.client));
    assert_int_equal(tls_records_renew(&t.client, t.record, &t.n), 0);
    assert_false(tls_records_is_worn(&t.client));
    meet(&t, 0x1303); /* ChaCha20 has no such limit */
    t.client.out.seq = 2U * WORN;
    assert_false(tls_records_is_worn(&t.client));
    /* The counter never wraps (section 5.3). */
    t.client.out.seq = t.server.in.seq = UINT64_MAX;
    assert_int_not_equal(tls_records_seal(&t.client, TLS_DATA, (const unsigned char *)"x", 1, t.record, &t.n),
                         0);
    unsigned char any[] = {23, 3, 3, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    assert_int_equal(tls_records_open(&t.server, any, sizeof any, &t.found), ALERT_BAD_RECORD_MAC);
}

static void lengths(void **state)
{
    (void)state;
    static const unsigned char header[] = {23, 3, 3, 0x41, 2};
    assert_int_equal(tls_record_length(header, 0), 0);
    assert_int_equal(tls_record_length(header, 4), 0);
    assert_int_equal(tls_record_length(header, 5), 5 + 0x4102);
}

static void wiping_leaves_nothing(void **state)
{
    (void)state;
    static const struct tls_records nothing;
    struct tls_records r;
    begin(&r, 0x1302, 'a', 'b');
    tls_records_wipe(&r);
    assert_memory_equal(&r, &nothing, sizeof r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_records_of_rfc_8448), cmocka_unit_test(every_suite_and_size),
        cmocka_unit_test(connections_in_turns),    cmocka_unit_test(padding_is_taken_off),
        cmocka_unit_test(what_no_peer_may_send),   cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(keys_are_renewed),        cmocka_unit_test(key_updates_that_are_none),
        cmocka_unit_test(keys_wear_out),           cmocka_unit_test(lengths),
        cmocka_unit_test(wiping_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, make_suites, free_suites);
}
