#include "tls/resume.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tls/channel.h"
#include "tls/choice.h"
#include "tls/errtext.h"
#include "tls/schedule.h"

#define SERVER_HELLO 2
#define SESSION_TICKET 4
#define ENCRYPTED_EXTENSIONS 8
#define FINISHED 20
#define MESSAGE_HEADER 4
#define SHARE_MAX 1700  /* bytes of a server's key share: SecP384r1MLKEM1024 has 1665 */
#define SHARED_MAX 96   /* bytes of a shared secret */
#define FLIGHT_MAX 2560 /* bytes of all that we answer */
#define STRAYS_MAX 4    /* records in the clear that end nothing: one, for middleboxes, is usual */

CLEANUP_DEFINE(resume, struct tls_resume, tls_resume_free);
CLEANUP_DEFINE(pkey, EVP_PKEY, EVP_PKEY_free);
CLEANUP_DEFINE(pkey_ctx, EVP_PKEY_CTX, EVP_PKEY_CTX_free);

/* All that the second step needs: what the client has to say is known before it says it. */
struct tls_resume {
    const struct tls_suite *suite;
    const char *group;
    unsigned char client_secret[TLS_SECRET_MAX];             /* of its application data */
    unsigned char finished[MESSAGE_HEADER + TLS_SECRET_MAX]; /* the message that has to come */
    unsigned char got[MESSAGE_HEADER + TLS_SECRET_MAX];
    size_t got_n;
    unsigned strays;
    struct tls_known next; /* of the next resumption: its key is the ticket's */
};

void tls_resume_free(struct tls_resume *r)
{
    if (r == NULL)
        return;
    OPENSSL_cleanse(r, sizeof *r);
    free(r);
}

/* ---- what we answer ---- */

/* Section 4.2.11.2: whether the client has the session's key. */
static bool binder_is_right(struct tls_schedule *s, const struct tls_choice *c)
{
    const struct wire *message = &c->offer.message;
    unsigned char binder_key[TLS_SECRET_MAX], expected[TLS_SECRET_MAX];
    size_t n = c->suite->secret_n;
    tls_schedule_look_at_nothing(s);
    tls_schedule_secret(s, "res binder", binder_key);
    tls_schedule_add(s, message->p, c->offer.before_binders);
    tls_schedule_look(s);
    tls_schedule_finished(s, binder_key, expected);
    tls_schedule_add(s, message->p + c->offer.before_binders, message->n - c->offer.before_binders);
    bool right = !s->derive.failed && CRYPTO_memcmp(expected, c->binder.p, n) == 0;
    OPENSSL_cleanse(binder_key, sizeof binder_key);
    OPENSSL_cleanse(expected, sizeof expected);
    return right;
}

struct shared {
    unsigned char share[SHARE_MAX], secret[SHARED_MAX];
    size_t share_n, secret_n;
};

static bool exchange_keys(const char *query, const struct tls_choice *c, struct shared *out)
{
    /* OpenSSL's parameters are not const; it only reads this one. */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)c->share.p, c->share.n),
        OSSL_PARAM_construct_end(),
    };
    CLEANUP(pkey_cleanup) EVP_PKEY *peer = NULL;
    CLEANUP(pkey_ctx_cleanup) EVP_PKEY_CTX *load = EVP_PKEY_CTX_new_from_name(NULL, c->group, query);
    if (load == NULL || EVP_PKEY_fromdata_init(load) != 1 ||
        EVP_PKEY_fromdata(load, &peer, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return false;
    CLEANUP(pkey_ctx_cleanup) EVP_PKEY_CTX *kem = EVP_PKEY_CTX_new_from_pkey(NULL, peer, query);
    out->share_n = sizeof out->share;
    out->secret_n = sizeof out->secret;
    return kem != NULL && EVP_PKEY_encapsulate_init(kem, NULL) == 1 &&
           EVP_PKEY_encapsulate(kem, out->share, &out->share_n, out->secret, &out->secret_n) == 1;
}

static void put_extension(struct wire_out *w, unsigned type, uint64_t value)
{
    wire_put_number(w, type, 2);
    wire_put_number(w, 2, 2);
    wire_put_number(w, value, 2);
}

static void put_server_hello(struct wire_out *w, const struct tls_choice *c, const struct shared *key,
                             const unsigned char random[TLS_RANDOM_SIZE])
{
    wire_put_number(w, SERVER_HELLO, 1);
    size_t message = wire_begin(w, 3);
    wire_put_number(w, TLS_1_2, 2);
    wire_put(w, random, TLS_RANDOM_SIZE);
    wire_put_number(w, c->offer.legacy_session.n, 1);
    wire_put(w, c->offer.legacy_session.p, c->offer.legacy_session.n);
    wire_put_number(w, c->suite->id, 2);
    wire_put_number(w, 0, 1); /* no compression */
    size_t extensions = wire_begin(w, 2);
    put_extension(w, EXTENSION_SUPPORTED_VERSIONS, TLS_1_3);
    put_extension(w, EXTENSION_PRE_SHARED_KEY, c->index);
    wire_put_number(w, EXTENSION_KEY_SHARE, 2);
    size_t extension = wire_begin(w, 2);
    wire_put_number(w, c->group_code, 2);
    wire_put_number(w, key->share_n, 2);
    wire_put(w, key->share, key->share_n);
    wire_end(w, extension, 2);
    wire_end(w, extensions, 2);
    wire_end(w, message, 3);
}

static void put_encrypted_extensions(struct wire_out *w, const unsigned char *protocol)
{
    wire_put_number(w, ENCRYPTED_EXTENSIONS, 1);
    size_t message = wire_begin(w, 3);
    size_t extensions = wire_begin(w, 2);
    if (protocol != NULL) {
        wire_put_number(w, EXTENSION_PROTOCOLS, 2);
        size_t extension = wire_begin(w, 2);
        size_t list = wire_begin(w, 2);
        wire_put(w, protocol, protocol[0] + 1U);
        wire_end(w, list, 2);
        wire_end(w, extension, 2);
    }
    wire_end(w, extensions, 2);
    wire_end(w, message, 3);
}

static void put_record_header(struct wire_out *w, unsigned type, size_t n)
{
    wire_put_number(w, type, 1);
    wire_put_number(w, TLS_1_2, 2);
    wire_put_number(w, n, 2);
}

static void put_finished_header(unsigned char *out, size_t n)
{
    const unsigned char header[MESSAGE_HEADER] = {FINISHED, 0, 0, (unsigned char)n};
    memcpy(out, header, sizeof header);
}

/* ServerHello, and where the client plays TLS 1.2 for middleboxes, what belongs to that (appendix D.4). */
static void put_open_part(struct wire_out *w, const struct tls_choice *c, const struct shared *key,
                          const unsigned char *random, struct tls_schedule *s)
{
    put_record_header(w, TLS_HANDSHAKE, 0);
    size_t at = w->n;
    put_server_hello(w, c, key, random);
    wire_end(w, at, 2);
    tls_schedule_add(s, w->p + at, w->n - at);
    tls_schedule_look(s);
    if (c->offer.legacy_session.n > 0) {
        put_record_header(w, TLS_CHANGE_CIPHER_SPEC, 1);
        wire_put_number(w, 1, 1);
    }
}

/* EncryptedExtensions and Finished, in one record. */
static int put_sealed_part(struct wire_out *w, const struct tls_conn *conn, const struct tls_choice *c,
                           const unsigned char *secret, struct tls_records *records, struct tls_schedule *s)
{
    unsigned char plain[MESSAGE_HEADER + 64 + MESSAGE_HEADER + TLS_SECRET_MAX];
    struct wire_out p = {.p = plain, .size = sizeof plain};
    size_t n = c->suite->secret_n, sealed = 0;
    put_encrypted_extensions(&p, c->protocol ? conn->ctx->rules->alpn : NULL);
    tls_schedule_add(s, plain, p.n);
    tls_schedule_look(s);
    put_finished_header(plain + p.n, n);
    tls_schedule_finished(s, secret, plain + p.n + MESSAGE_HEADER);
    tls_schedule_add(s, plain + p.n, MESSAGE_HEADER + n);
    p.n += MESSAGE_HEADER + n;
    if (p.bad || w->bad || w->size - w->n < TLS_HEADER_SIZE + p.n + 1 + TLS_TAG_SIZE)
        return ERR_INTERNAL;
    int rc = tls_records_seal(records, TLS_HANDSHAKE, plain, p.n, w->p + w->n, &sealed);
    w->n += sealed;
    return rc;
}

/* Of the application's data, of what the client has to say, and of the session that comes after this one. */
static void make_last_secrets(struct tls_resume *r, struct tls_schedule *s, const unsigned char *client,
                              unsigned char *server_secret)
{
    static const unsigned char nonce[1]; /* one ticket a connection: it needs no number */
    size_t n = r->suite->secret_n;
    unsigned char resumption[TLS_SECRET_MAX];
    tls_schedule_look(s);
    put_finished_header(r->finished, n);
    tls_schedule_finished(s, client, r->finished + MESSAGE_HEADER);
    tls_schedule_next(s, NULL, 0);
    tls_schedule_secret(s, "c ap traffic", r->client_secret);
    tls_schedule_secret(s, "s ap traffic", server_secret);
    tls_schedule_add(s, r->finished, MESSAGE_HEADER + n);
    tls_schedule_look(s);
    tls_schedule_secret(s, "res master", resumption);
    tls_derive_from(&s->derive, resumption);
    tls_expand(&s->derive, "resumption", nonce, sizeof nonce, r->next.session.psk, n);
    OPENSSL_cleanse(resumption, sizeof resumption);
}

static int answer(struct tls_conn *conn, struct tls_resume *r, const struct tls_choice *c,
                  struct tls_schedule *s)
{
    struct tls_records records = {.suite = c->suite};
    struct shared key;
    unsigned char random[TLS_RANDOM_SIZE], flight[FLIGHT_MAX], secret[TLS_SECRET_MAX];
    struct wire_out w = {.p = flight, .size = sizeof flight};
    if (RAND_bytes(random, sizeof random) != 1 ||
        RAND_bytes(r->next.session.id, sizeof r->next.session.id) != 1 ||
        !exchange_keys(conn->ctx->query, c, &key))
        return ERR_CRYPTO;
    put_open_part(&w, c, &key, random, s);
    tls_schedule_next(s, key.secret, key.secret_n);
    tls_schedule_secret(s, "c hs traffic", records.in.secret);
    tls_schedule_secret(s, "s hs traffic", records.out.secret);
    int rc = s->derive.failed ? ERR_CRYPTO : tls_records_begin(&records, c->suite, 0, 0);
    if (rc == 0)
        rc = put_sealed_part(&w, conn, c, records.out.secret, &records, s);
    make_last_secrets(r, s, records.in.secret, secret);
    if (rc == 0)
        rc = s->derive.failed ? ERR_CRYPTO : tls_records_turn(&records, &records.out, secret);
    if (rc == 0)
        rc = tls_channel_begin(conn, &records);
    if (rc == 0)
        rc = buf_add(&conn->io.out, flight, w.n);
    OPENSSL_cleanse(&key, sizeof key);
    OPENSSL_cleanse(secret, sizeof secret);
    tls_records_wipe(&records);
    return rc;
}

/* The client's next record where it is whole; *length is 0 while that is not known. */
static unsigned char *next_record(const struct tls_io *io, size_t *length)
{
    size_t n = tls_io_waiting(io);
    unsigned char *p = n > 0 ? (unsigned char *)io->in.p + io->in_at : NULL;
    *length = n > 0 ? tls_record_length(p, n) : 0;
    return *length > 0 && *length <= n ? p : NULL;
}

/* The client showed that it has the key, and is answered. */
static int accept_session(struct tls_conn *conn, struct tls_resume *r, const struct tls_choice *c)
{
    struct tls_schedule s;
    tls_schedule_begin(&s, c->suite);
    tls_schedule_first(&s, c->known.session.psk);
    int rc = binder_is_right(&s, c) ? answer(conn, r, c, &s) : ERR_UNAUTHENTICATED;
    int computed = tls_schedule_end(&s);
    return rc != 0 ? rc : computed;
}

bool tls_resume_begin(struct tls_conn *conn)
{
    struct tls_choice c = {0};
    size_t length;
    const unsigned char *record = next_record(&conn->io, &length);
    if (conn->ctx->rules->sessions == NULL || record == NULL || !tls_choose(conn, record, length, &c))
        return false;
    CLEANUP(resume_cleanup) struct tls_resume *r = calloc(1, sizeof *r);
    if (r != NULL) {
        r->suite = c.suite;
        r->group = c.group;
        r->next = c.known;
    }
    bool done = r != NULL && accept_session(conn, r, &c) == 0;
    tls_known_wipe(&c.known);
    if (!done) {
        tls_channel_free(take_ptr(conn->channel));
        buf_clear(&conn->io.out);
        ERR_clear_error();
        return false;
    }
    tls_io_drop(&conn->io, length);
    conn->resume = take_ptr(r);
    return true;
}

/* ---- the client's last word ---- */

/* Section 4.6.1. Without memory for the session there is no ticket, and the next handshake is a full one. */
static int put_ticket(struct tls_conn *conn, const struct tls_resume *r)
{
    const struct tls_known *next = &r->next;
    unsigned char plain[80], sealed[TLS_HEADER_SIZE + sizeof plain + 1 + TLS_TAG_SIZE], age_add[4];
    struct wire_out w = {.p = plain, .size = sizeof plain};
    size_t n = 0;
    if (tls_sessions_put(conn->ctx->rules->sessions, &next->session) != 0)
        return 0;
    if (RAND_bytes(age_add, sizeof age_add) != 1)
        return ERR_CRYPTO;
    wire_put_number(&w, SESSION_TICKET, 1);
    size_t message = wire_begin(&w, 3);
    wire_put_number(&w, (uint64_t)(next->until - next->now), 4);
    wire_put(&w, age_add, sizeof age_add);
    wire_put_number(&w, 1, 1); /* bytes of the nonce, which is 0 */
    wire_put_number(&w, 0, 1);
    wire_put_number(&w, sizeof next->session.id, 2);
    wire_put(&w, next->session.id, sizeof next->session.id);
    wire_put_number(&w, 0, 2); /* no extensions */
    wire_end(&w, message, 3);
    int rc = w.bad ? ERR_INTERNAL
                   : tls_records_seal(tls_channel_records(conn), TLS_HANDSHAKE, plain, w.n, sealed, &n);
    if (rc == 0)
        rc = buf_add(&conn->io.out, sealed, n);
    conn->io.hold = rc == 0;
    return rc;
}

static enum tls_step conclude(struct tls_conn *conn, struct err *e)
{
    CLEANUP(resume_cleanup) struct tls_resume *r = take_ptr(conn->resume);
    struct tls_records *records = tls_channel_records(conn);
    struct tls_info *info = &conn->info;
    if (tls_records_turn(records, &records->in, r->client_secret) != 0 || put_ticket(conn, r) != 0) {
        conn->state = TLS_BROKEN;
        err_set(e, ERR_CRYPTO, "cannot derive the connection's keys");
        return TLS_FAILED;
    }
    conn->verified_at = r->next.verified_at;
    *info = (struct tls_info){.resumed = true, .peer = r->next.peer};
    str_copy(str_of(r->group), info->group, sizeof info->group);
    str_copy(str_of(r->suite->name), info->cipher, sizeof info->cipher);
    str_copy(str_of(conn->ctx->signature), info->signature, sizeof info->signature);
    return TLS_DONE;
}

static enum tls_step take_message(struct tls_conn *conn, const struct tls_content_found *found, struct err *e)
{
    struct tls_resume *r = conn->resume;
    size_t whole = MESSAGE_HEADER + r->suite->secret_n;
    if (found->n > whole - r->got_n) /* keys change behind it */
        return tls_channel_refuse(conn, ALERT_UNEXPECTED_MESSAGE, e);
    memcpy(r->got + r->got_n, found->p, found->n);
    r->got_n += found->n;
    size_t known = r->got_n < MESSAGE_HEADER ? r->got_n : MESSAGE_HEADER;
    if (memcmp(r->got, r->finished, known) != 0)
        return tls_channel_refuse(conn, ALERT_UNEXPECTED_MESSAGE, e);
    if (r->got_n < whole)
        return TLS_WANT_READ;
    if (CRYPTO_memcmp(r->got, r->finished, whole) != 0)
        return tls_channel_refuse(conn, ALERT_DECRYPT_ERROR, e);
    return conclude(conn, e);
}

/* WANT_READ: it said nothing yet. */
static enum tls_step take_record(struct tls_conn *conn, unsigned char *p, size_t length, struct err *e)
{
    struct tls_content_found found = {TLS_ALERT, p + TLS_HEADER_SIZE, length - TLS_HEADER_SIZE};
    if (p[0] != TLS_DATA && ++conn->resume->strays > STRAYS_MAX)
        return tls_channel_refuse(conn, ALERT_UNEXPECTED_MESSAGE, e);
    if (p[0] == TLS_CHANGE_CIPHER_SPEC && found.n == 1 && found.p[0] == 1)
        return TLS_WANT_READ;
    if (p[0] != TLS_ALERT) { /* a client that cannot make the keys says so in the clear */
        int alert = tls_records_open(tls_channel_records(conn), p, length, &found);
        if (alert != 0)
            return tls_channel_refuse(conn, alert, e);
    }
    if (found.type == TLS_HANDSHAKE)
        return take_message(conn, &found, e);
    if (found.type != TLS_ALERT)
        return tls_channel_refuse(conn, ALERT_UNEXPECTED_MESSAGE, e);
    if (found.n == 2 && found.p[1] == ALERT_CLOSE_NOTIFY)
        return tls_fail(conn, SSL_ERROR_ZERO_RETURN, e);
    enum tls_step step = tls_channel_hear(conn, &found, e);
    return step == TLS_DONE ? TLS_WANT_READ : step;
}

enum tls_step tls_resume_step(struct tls_conn *conn, struct err *e)
{
    struct tls_io *io = &conn->io;
    switch (tls_io_flush(io)) {
    case TLS_IO_EMPTY:
        break;
    case TLS_IO_FULL:
        return TLS_WANT_WRITE;
    case TLS_IO_ERROR:
        return tls_fail(conn, SSL_ERROR_SYSCALL, e);
    }
    for (;;) {
        size_t n = tls_io_waiting(io), length;
        unsigned char *p = next_record(io, &length);
        if (length > TLS_RECORD_MAX)
            return tls_channel_refuse(conn, ALERT_RECORD_OVERFLOW, e);
        if (p != NULL) {
            enum tls_step step = take_record(conn, p, length, e);
            tls_io_drop(io, length);
            if (step != TLS_WANT_READ)
                return step;
            continue;
        }
        if (!tls_io_fetch(io))
            return tls_fail(conn, SSL_ERROR_SYSCALL, e);
        if (tls_io_waiting(io) == n)
            return TLS_WANT_READ;
    }
}
