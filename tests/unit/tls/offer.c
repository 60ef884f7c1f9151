/* First messages of a client that has a session's key and says what it likes: which of them are ours, and
   that none is which OpenSSL refuses. */
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "resume_fixture.h"
#include "tls/hello.h"
#include "tls/records.h"
#include "tls/resume.h"
#include "tls/schedule.h"
#include "tls_test.h"

#define EXTENSIONS_MAX 10
#define BINDER_SIZE 48 /* of SHA-384 */
#define RECORD_MAX 17000
#define BYTES(s) {(s), sizeof(s) - 1}

enum {
    SERVER_NAME = 0,
    FRAGMENT = 1,
    GROUPS = 10,
    SIGNATURES = 13,
    ALPN = 16,
    PADDING = 21,
    KEYS = 41,
    EARLY = 42,
    VERSIONS = 43,
    COOKIE = 44,
    MODES = 45,
    SHARES = 51,
    GREASE = 0x3a3a
};

struct extension {
    unsigned type;
    struct str body; /* of pre_shared_key: it is made; p is not NULL */
};

/* How a message differs from one that is as it should be, and what comes of it. */
struct row {
    const char *what;
    bool ours, refused;                  /* by us taken; by OpenSSL refused */
    struct extension first, last, other; /* one more in front, one more at the end, another body */
    unsigned without;                    /* such an extension; 0: none is left out */
    struct str ciphers;
    unsigned others_before, others_after; /* identities that nobody knows, around the known one */
    int binder_more;                      /* bytes that its binder is too long */
    bool binder_wrong;
    bool no_legacy_session, longer_name;
    /* A byte more behind each of these. */
    bool legacy_session_longer, binders_longer, extensions_longer, message_longer;
    unsigned version;
    bool compression;
};

static const struct row rows[] = {
    {"as it should be", .ours = true},
    {"not for middleboxes", .ours = true, .no_legacy_session = true},
    {"an extension of nobody's", .ours = true, .first = {GREASE, BYTES("")}},
    {"a suite of nobody's", .ours = true, .ciphers = BYTES("\x0a\x0a\x13\2")},
    {"a group of nobody's", .ours = true, .other = {GROUPS, BYTES("\0\4\x1a\x1a\2\0")}},
    {"a version of nobody's", .ours = true, .other = {VERSIONS, BYTES("\4\x2a\x2a\3\4")}},
    {"a mode of nobody's", .ours = true, .other = {MODES, BYTES("\2\x2a\1")}},
    {"no protocol", .ours = true, .without = ALPN},
    {"sessions of others", .ours = true, .others_before = 1, .others_after = 1},
    {"the last session that is looked at", .ours = true, .others_before = 3},
    /* What OpenSSL serves in other ways. */
    {"too many of others' first", .others_before = 4},
    {"a name that only begins like the session's", .longer_name = true},
    {"early data", .first = {EARLY, BYTES("")}},
    {"a cookie", .first = {COOKIE, BYTES("\0\1x")}},
    {"a fragment length", .first = {FRAGMENT, BYTES("\1")}},
    {"a suite that the session is not of", .ciphers = BYTES("\x13\1")},
    {"no key exchange", .other = {MODES, BYTES("\1\0")}},
    {"an old version in front", .version = 0x0302},
    {"more behind the binders", .binders_longer = true},
    /* What it refuses. */
    {"a wrong binder", .refused = true, .binder_wrong = true},
    {"a binder too short", .refused = true, .binder_more = 32 - BINDER_SIZE},
    {"a binder too long", .refused = true, .binder_more = 1},
    {"another's binder missing", .refused = true, .others_before = 1, .binder_more = -BINDER_SIZE},
    {"a legacy session too long", .refused = true, .legacy_session_longer = true},
    {"more behind the extensions", .refused = true, .extensions_longer = true},
    {"more behind the message", .refused = true, .message_longer = true},
    {"the session not last", .refused = true, .last = {GREASE, BYTES("")}},
    {"the session twice", .refused = true, .first = {KEYS, BYTES("")}},
    {"groups twice", .refused = true, .first = {GROUPS, BYTES("\0\2\2\0")}},
    {"modes twice", .refused = true, .first = {MODES, BYTES("\1\1")}},
    {"signatures twice", .refused = true, .first = {SIGNATURES, BYTES("\0\2\x09\5")}},
    {"half a suite", .refused = true, .ciphers = BYTES("\x13\2\x13")},
    {"half a group", .refused = true, .other = {GROUPS, BYTES("\0\3\2\0\2")}},
    {"half a version", .refused = true, .other = {VERSIONS, BYTES("\3\3\4\3")}},
    {"more behind the groups", .refused = true, .other = {GROUPS, BYTES("\0\2\2\0x")}},
    {"an older version alone", .refused = true, .other = {VERSIONS, BYTES("\2\3\3")}},
    {"no modes", .refused = true, .without = MODES},
    {"no groups", .refused = true, .without = GROUPS},
    {"a share of no group", .refused = true, .other = {GROUPS, BYTES("\0\2\x11\xec")}},
    {"a share too short", .refused = true, .other = {SHARES, BYTES("\0\5\2\0\0\1x")}},
    {"an empty share", .refused = true, .other = {SHARES, BYTES("\0\4\2\0\0\0")}},
    {"half a share behind", .refused = true, .last = {SHARES, BYTES("\2\1\3")}},
    {"compression", .refused = true, .compression = true},
    {"protocols of others", .refused = true, .other = {ALPN, BYTES("\0\3\2h2")}},
    {"protocols, but none", .refused = true, .other = {ALPN, BYTES("\0\0")}},
    {"a protocol without a name", .refused = true, .other = {ALPN, BYTES("\0\x0a\x08http/1.1\0")}},
    {"a record too long", .refused = true, .first = {PADDING, BYTES("")}},
};

/* The session that is offered, and a client's share. */
static unsigned char psk[TLS_PSK_MAX], id[SSL_MAX_SSL_SESSION_ID_LENGTH];
static char share[4 + 800];
static const char zeros[RECORD_MAX];

/* ---- writing it ---- */

/* They are what `last` is put behind, for a share within the extension's list. */
static void put_shares(struct wire_out *w, const struct row *row)
{
    size_t list = wire_begin(w, 2);
    wire_put(w, share, sizeof share);
    if (row->last.type == SHARES)
        wire_put(w, row->last.body.p, row->last.body.n);
    wire_end(w, list, 2);
}

static void put_identity(struct wire_out *w, const void *name, bool longer)
{
    wire_put_number(w, sizeof id + longer, 2);
    wire_put(w, name, sizeof id);
    wire_put(w, zeros, longer);
    wire_put_number(w, 0, 4);
}

/* Answers where the binders begin. */
static size_t put_keys(struct wire_out *w, const struct row *row)
{
    size_t identities = wire_begin(w, 2);
    for (unsigned i = 0; i < row->others_before; i++)
        put_identity(w, zeros, false);
    put_identity(w, id, row->longer_name);
    for (unsigned i = 0; i < row->others_after; i++)
        put_identity(w, zeros, false);
    wire_end(w, identities, 2);
    size_t at = w->n, binders = wire_begin(w, 2);
    for (unsigned i = 0; i <= row->others_before + row->others_after; i++) {
        size_t n = i == row->others_before ? (size_t)(BINDER_SIZE + row->binder_more) : BINDER_SIZE;
        if (n > 0) {
            wire_put_number(w, n, 1);
            wire_put(w, zeros, n);
        }
    }
    wire_end(w, binders, 2);
    wire_put(w, zeros, row->binders_longer);
    return at;
}

/* Answers where the binders begin, if they are what it is of. */
static size_t put_extension(struct wire_out *w, const struct row *row, const struct extension *x)
{
    size_t binders = 0;
    wire_put_number(w, x->type, 2);
    size_t body = wire_begin(w, 2);
    if (x->type == row->other.type && row->other.body.p != NULL)
        wire_put(w, row->other.body.p, row->other.body.n);
    else if (x->type == SHARES)
        put_shares(w, row);
    else if (x->type == KEYS)
        binders = put_keys(w, row);
    else if (x->type == PADDING)
        wire_put(w, zeros, TLS_CONTENT_MAX - 1000);
    else
        wire_put(w, x->body.p, x->body.n);
    wire_end(w, body, 2);
    return binders;
}

/* Answers where the binders begin. */
static size_t put_extensions(struct wire_out *w, const struct row *row)
{
    static const struct extension usual[] = {{GROUPS, BYTES("\0\2\2\0")},
                                             {SIGNATURES, BYTES("\0\2\x09\5")},
                                             {VERSIONS, BYTES("\2\3\4")},
                                             {MODES, BYTES("\1\1")},
                                             {ALPN, BYTES("\0\x09\x08http/1.1")},
                                             {SHARES, BYTES("")},
                                             {KEYS, BYTES("")}};
    size_t extensions = wire_begin(w, 2), binders = 0;
    if (row->first.body.p != NULL)
        (void)put_extension(w, row, &row->first);
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (usual[i].type != row->without)
            binders = put_extension(w, row, &usual[i]);
    if (row->last.body.p != NULL && row->last.type != SHARES)
        (void)put_extension(w, row, &row->last);
    wire_end(w, extensions, 2);
    return binders;
}

/* What the client computes last: over the message as far as its binders. */
static void put_binder(const struct tls_suite *suite, const struct row *row, unsigned char *message,
                       size_t before)
{
    struct tls_schedule s;
    unsigned char secret[TLS_SECRET_MAX], binder[TLS_SECRET_MAX];
    size_t n = row->binder_more < 0 ? (size_t)(BINDER_SIZE + row->binder_more) : BINDER_SIZE;
    tls_schedule_begin(&s, suite);
    tls_schedule_first(&s, psk);
    tls_schedule_look_at_nothing(&s);
    tls_schedule_secret(&s, "res binder", secret);
    tls_schedule_add(&s, message, before);
    tls_schedule_look(&s);
    tls_schedule_finished(&s, secret, binder);
    assert_int_equal(tls_schedule_end(&s), 0);
    binder[7] ^= row->binder_wrong;
    memcpy(message + before + 2 + row->others_before * (1 + BINDER_SIZE) + 1, binder, n);
}

static size_t write_hello(const struct tls_suite *suite, const struct row *row, unsigned char *out)
{
    struct wire_out w = {.p = out, .size = RECORD_MAX};
    wire_put(&w, "\x16\3\1", 3);
    size_t record = wire_begin(&w, 2);
    wire_put_number(&w, 1, 1);
    size_t message = wire_begin(&w, 3);
    wire_put_number(&w, row->version != 0 ? row->version : TLS_1_2, 2);
    wire_put(&w, zeros, 32);
    size_t legacy_n = row->no_legacy_session ? 0 : 32 + (size_t)row->legacy_session_longer;
    wire_put_number(&w, legacy_n, 1);
    wire_put(&w, zeros, legacy_n);
    size_t ciphers = wire_begin(&w, 2);
    if (row->ciphers.p != NULL)
        wire_put(&w, row->ciphers.p, row->ciphers.n);
    else
        wire_put_number(&w, 0x1302, 2);
    wire_end(&w, ciphers, 2);
    wire_put_number(&w, 1, 1);
    wire_put_number(&w, row->compression, 1);
    size_t before = put_extensions(&w, row) - record;
    wire_put(&w, zeros, row->extensions_longer);
    wire_end(&w, message, 3);
    wire_put(&w, zeros, row->message_longer);
    wire_end(&w, record, 2);
    assert_false(w.bad);
    put_binder(suite, row, out + record, before);
    return w.n;
}

/* ---- who takes it ---- */

/* What we answered: ServerHello and what goes with it. */
static unsigned char answer[3000];

static bool is_ours(struct tls_ctx *ctx, const unsigned char *record, size_t n)
{
    struct tls_conn *conn;
    struct err e;
    assert_int_equal(tls_conn_new(ctx, -1, NULL, &conn, &e), 0);
    assert_int_equal(buf_add(&conn->io.in, record, n), 0);
    bool ours = tls_resume_begin(conn);
    /* What is not ours waits for OpenSSL as it came. */
    assert_int_equal(tls_io_waiting(&conn->io), ours ? 0 : n);
    assert_true(ours || memcmp(conn->io.in.p, record, n) == 0);
    assert_int_equal(conn->io.out.n > 0, ours);
    assert_int_equal(conn->channel != NULL, ours);
    assert_int_equal(conn->resume != NULL, ours);
    assert_true(conn->io.out.n <= sizeof answer);
    if (ours)
        memcpy(answer, conn->io.out.p, conn->io.out.n);
    tls_conn_free(conn);
    return ours;
}

/* By a context that does not read ahead, and so leaves every handshake to OpenSSL. */
static bool is_refused(struct tls_ctx *ctx, const unsigned char *record, size_t n)
{
    struct tls_conn *conn;
    struct err e;
    int fd[2];
    socket_pair(fd);
    assert_int_equal(tls_conn_new(ctx, fd[0], NULL, &conn, &e), 0);
    assert_int_equal(write(fd[1], record, n), (ssize_t)n);
    enum tls_step step = tls_handshake(conn, &e);
    assert_null(conn->resume);
    tls_conn_free(conn);
    close(fd[0]);
    close(fd[1]);
    return step == TLS_FAILED;
}

/* A server, and a session of it that is offered. */
struct shop {
    struct rig r;
    struct tls_session session;
    const struct tls_suite *suite;
};

static void make_share(void)
{
    size_t n = 0;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "MLKEM512");
    assert_non_null(key);
    memcpy(share, "\2\0\3\x20", 4);
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(key, "pub", (unsigned char *)share + 4, sizeof share - 4, &n), 1);
    assert_int_equal(n, sizeof share - 4);
    EVP_PKEY_free(key);
}

static void shop_open(struct shop *s)
{
    const unsigned char *ticket;
    size_t n;
    rig_make(&s->r, NULL, NULL, true);
    (void)rig_visit(&s->r);
    SSL_SESSION_get0_ticket(s->r.session, &ticket, &n);
    assert_int_equal(n, sizeof id);
    memcpy(id, ticket, sizeof id);
    assert_int_equal(SSL_SESSION_get_master_key(s->r.session, psk, sizeof psk), BINDER_SIZE);
    assert_true(tls_sessions_get(s->r.store, id, &s->session));
    s->suite = tls_suite_of(s->r.server->suites, 0x1302);
    make_share();
}

static void what_is_ours(void **state)
{
    (void)state;
    static unsigned char record[RECORD_MAX];
    struct shop s;
    shop_open(&s);
    struct tls_config sc = rig_config(&s.r);
    sc.read_ahead = sc.hold_ticket = false;
    struct tls_ctx *openssls = make_ctx(&sc);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        size_t n = write_hello(s.suite, row, record);
        assert_int_equal(tls_sessions_put(s.r.store, &s.session),
                         0); /* OpenSSL removes it where it refuses */
        if (is_ours(s.r.server, record, n) != row->ours)
            fail_msg("%s: %s", row->what, row->ours ? "is not ours" : "is ours");
        if (is_refused(openssls, record, n) != row->refused)
            fail_msg("%s: OpenSSL %s it", row->what, row->refused ? "takes" : "refuses");
    }
    tls_ctx_free(openssls);
    rig_free(&s.r);
}

/* ---- the session ---- */

static void remember(struct tls_session *s, const struct tls_peer *peer, int64_t verified_at)
{
    s->data_n = tls_session_data_encode(verified_at, peer, s->data);
}

/* The client has the key of each of these. */
static void which_sessions_are_good(void **state)
{
    (void)state;
    static unsigned char record[RECORD_MAX];
    struct shop s;
    struct tls_peer peer;
    int64_t at;
    shop_open(&s);
    size_t n = write_hello(s.suite, &rows[0], record);
    int64_t now = tls_rules_now(s.r.server->rules);
    assert_int_equal(tls_session_data_decode(s.session.data, s.session.data_n, &at, &peer), 0);
    for (int i = 0; i < 9; i++) {
        struct tls_session other = s.session;
        struct tls_peer another = peer;
        bool good = i < 2;
        if (i == 1) /* the store keeps them for an hour */
            remember(&other, &peer, now - 3590);
        else if (i == 2)
            remember(&other, &peer, now - 3600);
        else if (i == 3) /* the clock was set back */
            remember(&other, &peer, now + 60);
        else if (i == 4) {
            another.not_after = now - 1;
            remember(&other, &another, at);
        } else if (i == 5)
            other.scope[0] ^= 1;
        else if (i == 6)
            other.cipher[1] = 3;
        else if (i == 7)
            other.psk_n = 32;
        else if (i == 8)
            other.psk[0] ^= 1;
        assert_int_equal(tls_sessions_put(s.r.store, &other), 0);
        if (is_ours(s.r.server, record, n) != good)
            fail_msg("session %d is%s ours", i, good ? " not" : "");
    }
    rig_free(&s.r);
}

/* ---- the answer ---- */

static void what_is_answered(void **state)
{
    (void)state;
    static const struct row others = {.others_before = 2}, bare = {.no_legacy_session = true};
    static const struct row *const offers[] = {&rows[0], &others, &bare};
    static unsigned char record[RECORD_MAX];
    unsigned char random[3][32];
    struct shop s;
    shop_open(&s);
    for (unsigned i = 0; i < 3; i++) {
        size_t n = write_hello(s.suite, offers[i], record);
        assert_true(is_ours(s.r.server, record, n));
        struct wire all = {.p = answer, .n = sizeof answer};
        assert_int_equal(wire_number(&all, 3), TLS_HANDSHAKE << 16 | TLS_1_2);
        struct wire hello = wire_vector(&all, 2);
        uint64_t begin = wire_number(&hello, 4);
        assert_int_equal(begin, 2U << 24 | hello.n);
        assert_int_equal(wire_number(&hello, 2), TLS_1_2);
        memcpy(random[i], wire_take(&hello, 32).p, 32);
        struct wire legacy = wire_vector(&hello, 1);
        assert_int_equal(legacy.n, i == 2 ? 0 : 32);
        assert_memory_equal(legacy.p, zeros, legacy.n);
        assert_int_equal(wire_number(&hello, 3), 0x1302 << 8);
        (void)wire_number(&hello, 2 + 6); /* supported_versions comes first */
        assert_int_equal(wire_number(&hello, 6), (uint64_t)KEYS << 32 | 2 << 16 | (i == 1 ? 2 : 0));
        assert_int_equal(wire_number(&hello, 1), 0);
        assert_false(hello.bad);
        /* A change of cipher for middleboxes is there where the client plays that. */
        assert_int_equal(wire_number(&all, 1), i == 2 ? TLS_DATA : TLS_CHANGE_CIPHER_SPEC);
    }
    assert_memory_not_equal(random[0], random[1], 32);
    assert_memory_not_equal(random[1], random[2], 32);
    rig_free(&s.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ours),
        cmocka_unit_test(which_sessions_are_good),
        cmocka_unit_test(what_is_answered),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
