#include "tls/sessions.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "tls/errtext.h"
#include "tls/session_data.h"
#include "tls/tls_impl.h"

#define CAPACITY_MAX (16U << 20)
#define LIFETIME_MAX (7 * 24 * 3600) /* RFC 8446 section 4.6.1 */
#define SHARDS_MAX 16
#define SHARD_LEAST 64 /* sessions a shard holds at least, so that "oldest first" means something */
#define PSK_MAX 64

struct session {
    struct list age;      /* in the shard, oldest first */
    struct session *next; /* in the bucket */
    unsigned char id[SSL_MAX_SSL_SESSION_ID_LENGTH];
    unsigned char scope[SHA256_SIZE];
    unsigned char psk[PSK_MAX];
    unsigned char psk_n;
    unsigned char cipher[2];
    int64_t verified_at; /* Unix seconds of the full handshake */
    size_t data_n;
    unsigned char data[]; /* appdata: verified_at and the encoded peer */
};

struct shard {
    pthread_mutex_t lock;
    struct list ages;
    size_t count, capacity;
    struct session **buckets;
    size_t mask;
};

struct tls_sessions {
    atomic_int refs;
    int lifetime_s;
    size_t shard_count; /* a power of two */
    struct shard shards[SHARDS_MAX];
};

static void session_free(struct session *s)
{
    if (s == NULL)
        return;
    OPENSSL_cleanse(s->psk, sizeof s->psk);
    free(s);
}
CLEANUP_DEFINE(session, struct session, session_free);
CLEANUP_DEFINE(ssl_session, SSL_SESSION, SSL_SESSION_free);

/* ---- the table ---- */

/* Ids are random (our own making), so their bytes are the hash. */
static struct shard *shard_of(struct tls_sessions *s, const unsigned char *id)
{
    return &s->shards[id[0] & (s->shard_count - 1)];
}

static struct session **slot_of(struct shard *sh, const unsigned char *id)
{
    size_t h;
    memcpy(&h, id + 1, sizeof h);
    struct session **p = &sh->buckets[h & sh->mask];
    while (*p != NULL && CRYPTO_memcmp((*p)->id, id, sizeof(*p)->id) != 0)
        p = &(*p)->next;
    return p;
}

/* Takes the session at a slot out of the table; the caller frees it. */
static struct session *unlink_slot(struct shard *sh, struct session **slot)
{
    struct session *gone = *slot;
    *slot = gone->next;
    list_remove(&gone->age);
    sh->count--;
    return gone;
}

static void table_put(struct tls_sessions *s, struct session *fresh)
{
    struct shard *sh = shard_of(s, fresh->id);
    CLEANUP(session_cleanup) struct session *old = NULL;
    pthread_mutex_lock(&sh->lock);
    struct session **slot = slot_of(sh, fresh->id);
    if (*slot != NULL)
        old = unlink_slot(sh, slot);
    else if (sh->count >= sh->capacity)
        old = unlink_slot(sh, slot_of(sh, container_of(sh->ages.next, struct session, age)->id));
    slot = slot_of(sh, fresh->id);
    fresh->next = NULL;
    *slot = fresh;
    list_add_tail(&sh->ages, &fresh->age);
    sh->count++;
    pthread_mutex_unlock(&sh->lock);
}

static void table_remove(struct tls_sessions *s, const unsigned char *id)
{
    struct shard *sh = shard_of(s, id);
    CLEANUP(session_cleanup) struct session *gone = NULL;
    pthread_mutex_lock(&sh->lock);
    struct session **slot = slot_of(sh, id);
    if (*slot != NULL)
        gone = unlink_slot(sh, slot);
    pthread_mutex_unlock(&sh->lock);
}

/* A copy, because another thread may evict the original at once. NULL when there is none. */
static struct session *table_get(struct tls_sessions *s, const unsigned char *id)
{
    struct shard *sh = shard_of(s, id);
    struct session *copy = NULL;
    pthread_mutex_lock(&sh->lock);
    const struct session *found = *slot_of(sh, id);
    if (found != NULL) {
        size_t n = sizeof *found + found->data_n;
        copy = malloc(n);
        if (copy != NULL)
            memcpy(copy, found, n);
    }
    pthread_mutex_unlock(&sh->lock);
    return copy;
}

bool tls_sessions_has(struct tls_sessions *s, const unsigned char *id)
{
    if (s == NULL)
        return false;
    struct shard *sh = shard_of(s, id);
    pthread_mutex_lock(&sh->lock);
    bool found = *slot_of(sh, id) != NULL;
    pthread_mutex_unlock(&sh->lock);
    return found;
}

/* ---- life ---- */

static size_t round_up_pow2(size_t n)
{
    size_t p = 1;
    while (p < n)
        p *= 2;
    return p;
}

static int shard_init(struct shard *sh, size_t capacity)
{
    size_t buckets = round_up_pow2(capacity);
    sh->buckets = calloc(buckets, sizeof(struct session *));
    if (sh->buckets == NULL)
        return ERR_NOMEM;
    if (pthread_mutex_init(&sh->lock, NULL) != 0) {
        free(sh->buckets);
        return ERR_NOMEM;
    }
    sh->mask = buckets - 1;
    sh->capacity = capacity;
    list_init(&sh->ages);
    return 0;
}

static void shard_fini(struct shard *sh)
{
    list_for_each_safe(it, tmp, &sh->ages)
    {
        session_free(container_of(it, struct session, age));
    }
    pthread_mutex_destroy(&sh->lock);
    free(sh->buckets);
}

int tls_sessions_new(size_t capacity, int lifetime_s, struct tls_sessions **out, struct err *e)
{
    if (capacity < 1 || capacity > CAPACITY_MAX)
        return err_set(e, ERR_INVALID, "the session store's capacity %zu is not in 1..%u", capacity,
                       CAPACITY_MAX);
    if (lifetime_s < 1 || lifetime_s > LIFETIME_MAX)
        return err_set(e, ERR_INVALID, "the sessions' lifetime of %d s is not in 1..%d", lifetime_s,
                       LIFETIME_MAX);
    struct tls_sessions *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the session store");
    atomic_init(&s->refs, 1);
    s->lifetime_s = lifetime_s;
    size_t shards = 1;
    while (shards < SHARDS_MAX && capacity / (2 * shards) >= SHARD_LEAST)
        shards *= 2;
    for (; s->shard_count < shards; s->shard_count++) {
        /* The remainder goes to the first shards, so that the bound is the one asked for. */
        size_t part = capacity / shards + (s->shard_count < capacity % shards);
        if (shard_init(&s->shards[s->shard_count], part) != 0) {
            tls_sessions_free(s);
            return err_set(e, ERR_NOMEM, "no memory for a store of %zu sessions", capacity);
        }
    }
    *out = s;
    return 0;
}

struct tls_sessions *tls_sessions_ref(struct tls_sessions *s)
{
    if (s != NULL)
        atomic_fetch_add(&s->refs, 1);
    return s;
}

void tls_sessions_free(struct tls_sessions *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; i < s->shard_count; i++)
        shard_fini(&s->shards[i]);
    free(s);
}

size_t tls_sessions_count(struct tls_sessions *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->shard_count; i++) {
        pthread_mutex_lock(&s->shards[i].lock);
        n += s->shards[i].count;
        pthread_mutex_unlock(&s->shards[i].lock);
    }
    return n;
}

/* ---- what OpenSSL calls ---- */

static int on_new(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_rules *rules = tls_rules_of(SSL_get_SSL_CTX(ssl));
    struct tls_conn *conn = tls_conn_of(ssl);
    unsigned id_n = 0;
    const unsigned char *id = SSL_SESSION_get_id(session, &id_n);
    const SSL_CIPHER *cipher = SSL_SESSION_get0_cipher(session);
    /* TLS 1.2 (classical policy only) does not resume: its handshake is cheap and its sessions hold more. */
    if (rules == NULL || conn == NULL || cipher == NULL || id_n != SSL_MAX_SSL_SESSION_ID_LENGTH ||
        SSL_SESSION_get_protocol_version(session) != TLS1_3_VERSION)
        return 0;
    /* On a resumed connection the peer is the one the session came with. */
    if (SSL_session_reused(ssl) && tls_session_data_of(session, &conn->verified_at, &conn->info.peer) != 0)
        return 0;
    if (conn->verified_at == 0)
        conn->verified_at = tls_rules_now(rules); /* a peer without a certificate */
    unsigned char data[TLS_SESSION_DATA_MAX];
    size_t data_n = tls_session_data_encode(conn->verified_at, &conn->info.peer, data);
    CLEANUP(session_cleanup) struct session *s = calloc(1, sizeof *s + data_n);
    if (s == NULL)
        return 0; /* no resumption then: the next handshake is a full one */
    size_t psk_n = SSL_SESSION_get_master_key(session, s->psk, sizeof s->psk);
    if (psk_n == 0 || psk_n >= sizeof s->psk)
        return 0;
    s->psk_n = (unsigned char)psk_n;
    uint16_t code = SSL_CIPHER_get_protocol_id(cipher);
    s->cipher[0] = (unsigned char)(code >> 8);
    s->cipher[1] = (unsigned char)code;
    s->verified_at = conn->verified_at;
    memcpy(s->id, id, sizeof s->id);
    memcpy(s->scope, rules->scope, sizeof s->scope);
    memcpy(s->data, data, data_n);
    s->data_n = data_n;
    table_put(rules->sessions, take_ptr(s));
    return 0; /* the SSL_SESSION itself stays OpenSSL's */
}

/* Counted from the full handshake, so that a chain of resumptions does not outlive the proof it stands on. */
static bool still_good(const struct tls_rules *rules, const struct session *s, int64_t now)
{
    int64_t verified_at;
    struct tls_peer peer;
    if (memcmp(s->scope, rules->scope, sizeof s->scope) != 0)
        return false;
    if (now < s->verified_at || now - s->verified_at >= rules->sessions->lifetime_s)
        return false;
    if (tls_session_data_decode(s->data, s->data_n, &verified_at, &peer) != 0)
        return false;
    return !peer.present || peer.not_after >= now || rules->accept_expired_peer;
}

static SSL_SESSION *rebuild(SSL *ssl, const struct tls_rules *rules, const struct session *s, int64_t now)
{
    CLEANUP(ssl_session_cleanup) SSL_SESSION *out = SSL_SESSION_new();
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, s->cipher);
    if (out == NULL || cipher == NULL)
        return NULL;
    bool ok = SSL_SESSION_set1_id(out, s->id, sizeof s->id) &&
              SSL_SESSION_set1_master_key(out, s->psk, s->psk_n) && SSL_SESSION_set_cipher(out, cipher) &&
              SSL_SESSION_set_protocol_version(out, TLS1_3_VERSION) &&
              SSL_SESSION_set1_id_context(out, s->scope, sizeof s->scope) &&
              SSL_SESSION_set1_ticket_appdata(out, s->data, s->data_n) &&
              SSL_SESSION_set_time_ex(out, (time_t)now) != 0 &&
              SSL_SESSION_set_timeout(out, (long)(s->verified_at + rules->sessions->lifetime_s - now));
    return ok ? take_ptr(out) : NULL;
}

static SSL_SESSION *on_get(SSL *ssl, const unsigned char *id, int id_n, int *copy)
{
    *copy = 0; /* the caller takes over our reference */
    const struct tls_rules *rules = tls_rules_of(SSL_get_SSL_CTX(ssl));
    if (rules == NULL || id_n != SSL_MAX_SSL_SESSION_ID_LENGTH)
        return NULL;
    CLEANUP(session_cleanup) struct session *s = table_get(rules->sessions, id);
    int64_t now = tls_rules_now(rules);
    if (s == NULL || !still_good(rules, s, now))
        return NULL;
    return rebuild(ssl, rules, s, now);
}

static void on_remove(SSL_CTX *ssl_ctx, SSL_SESSION *session)
{
    const struct tls_rules *rules = tls_rules_of(ssl_ctx);
    unsigned id_n = 0;
    const unsigned char *id = SSL_SESSION_get_id(session, &id_n);
    if (rules != NULL && rules->sessions != NULL && id_n == SSL_MAX_SSL_SESSION_ID_LENGTH)
        table_remove(rules->sessions, id);
}

int tls_sessions_attach(struct tls_sessions *s, SSL_CTX *ssl_ctx, struct err *e)
{
    /* Without this option a ticket would be the session itself, sealed, with the peer's certificate in it. */
    SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_TICKET);
    if (!SSL_CTX_set_num_tickets(ssl_ctx, s != NULL ? 1 : 0))
        return err_set(e, ERR_CRYPTO, "cannot set the number of session tickets");
    if (s == NULL) {
        SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
        return 0;
    }
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL |
                                                SSL_SESS_CACHE_NO_AUTO_CLEAR);
    SSL_CTX_set_timeout(ssl_ctx, s->lifetime_s);
    SSL_CTX_sess_set_new_cb(ssl_ctx, on_new);
    SSL_CTX_sess_set_get_cb(ssl_ctx, on_get);
    SSL_CTX_sess_set_remove_cb(ssl_ctx, on_remove);
    return 0;
}
