#include "tls/session_store.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tls/bounded.h"

#define LIFETIME_MAX (7 * 24 * 3600) /* RFC 8446 section 4.6.1 */
#define HASHES_MAX 255
#define HEADER_SIZE 5
#define PACKED_MAX (HEADER_SIZE + TLS_PSK_MAX + TLS_SESSION_DATA_MAX)

/* Hashes that many sessions share, kept once: a session has their number, from 1. Only ever added to. */
struct hashes {
    pthread_mutex_t lock;
    unsigned count;
    unsigned char value[HASHES_MAX][SHA256_SIZE];
};

struct tls_sessions {
    atomic_int refs;
    int lifetime_s;
    struct hashes scopes, issuers;
    struct bounded *table;
};

/* 0 when there are too many: then there is nothing to resume. */
static unsigned char number_of(struct hashes *h, const unsigned char hash[SHA256_SIZE])
{
    pthread_mutex_lock(&h->lock);
    unsigned i = 0;
    while (i < h->count && memcmp(h->value[i], hash, SHA256_SIZE) != 0)
        i++;
    if (i == h->count && i < HASHES_MAX)
        memcpy(h->value[h->count++], hash, SHA256_SIZE);
    pthread_mutex_unlock(&h->lock);
    return i < HASHES_MAX ? (unsigned char)(i + 1) : 0;
}

/* Whoever has the number has it from the table, into which it was put after the hash was. */
static const unsigned char *hash_of(const struct hashes *h, unsigned char number)
{
    return h->value[number - 1];
}

static void put(unsigned char **at, const void *p, size_t n)
{
    memcpy(*at, p, n);
    *at += n;
}

/* Cipher, numbers of scope and issuer (0: no certificate), the key with its length, the data without its
   issuer. Bytes used; 0 when it cannot be kept. */
static size_t pack(struct tls_sessions *s, const struct tls_session *from, unsigned char out[PACKED_MAX])
{
    bool has_issuer = from->data_n >= TLS_SESSION_PRESENT_MIN;
    const unsigned char *issuer = from->data + TLS_SESSION_ISSUER_AT;
    const unsigned char header[HEADER_SIZE] = {
        from->cipher[0], from->cipher[1], number_of(&s->scopes, from->scope),
        has_issuer ? number_of(&s->issuers, issuer) : 0, (unsigned char)from->psk_n};
    size_t before = has_issuer ? TLS_SESSION_ISSUER_AT : from->data_n;
    unsigned char *at = out;
    if (header[2] == 0 || (has_issuer && header[3] == 0))
        return 0;
    put(&at, header, sizeof header);
    put(&at, from->psk, from->psk_n);
    put(&at, from->data, before);
    if (has_issuer)
        put(&at, issuer + SHA256_SIZE, from->data_n - before - SHA256_SIZE);
    return (size_t)(at - out);
}

static void unpack(const struct tls_sessions *s, const unsigned char *p, size_t n, struct tls_session *out)
{
    const unsigned char *data = p + HEADER_SIZE + p[4];
    size_t data_n = n - HEADER_SIZE - p[4];
    size_t before = p[3] != 0 ? TLS_SESSION_ISSUER_AT : data_n;
    memcpy(out->cipher, p, sizeof out->cipher);
    memcpy(out->scope, hash_of(&s->scopes, p[2]), sizeof out->scope);
    out->psk_n = p[4];
    memcpy(out->psk, p + HEADER_SIZE, out->psk_n);
    unsigned char *at = out->data;
    put(&at, data, before);
    if (p[3] != 0)
        put(&at, hash_of(&s->issuers, p[3]), SHA256_SIZE);
    put(&at, data + before, data_n - before);
    out->data_n = (size_t)(at - out->data);
}

int tls_sessions_put(struct tls_sessions *s, const struct tls_session *session)
{
    unsigned char packed[PACKED_MAX];
    size_t n = pack(s, session, packed);
    int rc = n > 0 ? bounded_put(s->table, session->id, packed, n) : ERR_BUSY;
    OPENSSL_cleanse(packed, sizeof packed);
    return rc;
}

bool tls_sessions_get(struct tls_sessions *s, const unsigned char *id, struct tls_session *out)
{
    unsigned char packed[PACKED_MAX];
    size_t n = bounded_get(s->table, id, packed, sizeof packed);
    if (n == 0)
        return false;
    memcpy(out->id, id, sizeof out->id);
    unpack(s, packed, n, out);
    OPENSSL_cleanse(packed, sizeof packed);
    return true;
}

bool tls_sessions_has(struct tls_sessions *s, const unsigned char *id)
{
    return s != NULL && bounded_has(s->table, id);
}

void tls_sessions_remove(struct tls_sessions *s, const unsigned char *id)
{
    bounded_remove(s->table, id);
}

int tls_sessions_new(size_t capacity, int lifetime_s, struct tls_sessions **out, struct err *e)
{
    if (capacity < 1 || capacity > BOUNDED_CAPACITY_MAX)
        return err_set(e, ERR_INVALID, "the session store's capacity %zu is not in 1..%u", capacity,
                       BOUNDED_CAPACITY_MAX);
    if (lifetime_s < 1 || lifetime_s > LIFETIME_MAX)
        return err_set(e, ERR_INVALID, "the sessions' lifetime of %d s is not in 1..%d", lifetime_s,
                       LIFETIME_MAX);
    struct tls_sessions *s = calloc(1, sizeof *s);
    if (s == NULL || (s->table = bounded_new(capacity)) == NULL) {
        free(s);
        return err_set(e, ERR_NOMEM, "no memory for a store of %zu sessions", capacity);
    }
    atomic_init(&s->refs, 1);
    pthread_mutex_init(&s->scopes.lock, NULL);
    pthread_mutex_init(&s->issuers.lock, NULL);
    s->lifetime_s = lifetime_s;
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
    bounded_free(s->table);
    pthread_mutex_destroy(&s->scopes.lock);
    pthread_mutex_destroy(&s->issuers.lock);
    free(s);
}

int tls_sessions_lifetime(const struct tls_sessions *s)
{
    return s->lifetime_s;
}

size_t tls_sessions_count(struct tls_sessions *s)
{
    return bounded_count(s->table);
}
