#include "tls/bounded.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/list.h"

#define SHARDS_MAX 16
#define SHARD_LEAST 64 /* entries a shard holds at least, so that "oldest first" means something */

struct entry {
    struct list age;    /* in the shard, oldest first */
    struct entry *next; /* in the bucket */
    unsigned char key[BOUNDED_KEY];
    unsigned short n;
    unsigned char bytes[];
};

struct shard {
    pthread_mutex_t lock;
    struct list ages;
    size_t count, capacity;
    struct entry **buckets;
    size_t mask;
};

struct bounded {
    size_t shard_count; /* a power of two */
    struct shard shards[SHARDS_MAX];
};

static void entry_free(struct entry *en)
{
    if (en == NULL)
        return;
    OPENSSL_cleanse(en->bytes, en->n);
    free(en);
}
CLEANUP_DEFINE(entry, struct entry, entry_free);

static struct shard *shard_of(struct bounded *b, const unsigned char *key)
{
    return &b->shards[key[0] & (b->shard_count - 1)];
}

static struct entry **slot_of(struct shard *sh, const unsigned char *key)
{
    size_t h;
    memcpy(&h, key + 1, sizeof h);
    struct entry **p = &sh->buckets[h & sh->mask];
    while (*p != NULL && CRYPTO_memcmp((*p)->key, key, BOUNDED_KEY) != 0)
        p = &(*p)->next;
    return p;
}

/* Takes the entry at a slot out of the table; the caller frees it. */
static struct entry *unlink_slot(struct shard *sh, struct entry **slot)
{
    struct entry *gone = *slot;
    *slot = gone->next;
    list_remove(&gone->age);
    sh->count--;
    return gone;
}

int bounded_put(struct bounded *b, const unsigned char key[BOUNDED_KEY], const void *p, size_t n)
{
    struct shard *sh = shard_of(b, key);
    CLEANUP(entry_cleanup) struct entry *old = NULL;
    struct entry *fresh = malloc(sizeof *fresh + n);
    if (fresh == NULL)
        return ERR_NOMEM;
    assert(n <= 65535);
    fresh->n = (unsigned short)n;
    fresh->next = NULL;
    memcpy(fresh->key, key, BOUNDED_KEY);
    memcpy(fresh->bytes, p, n);
    pthread_mutex_lock(&sh->lock);
    struct entry **slot = slot_of(sh, key);
    if (*slot != NULL)
        old = unlink_slot(sh, slot);
    else if (sh->count >= sh->capacity)
        old = unlink_slot(sh, slot_of(sh, container_of(sh->ages.next, struct entry, age)->key));
    slot = slot_of(sh, key);
    *slot = fresh;
    list_add_tail(&sh->ages, &fresh->age);
    sh->count++;
    pthread_mutex_unlock(&sh->lock);
    return 0;
}

void bounded_remove(struct bounded *b, const unsigned char key[BOUNDED_KEY])
{
    struct shard *sh = shard_of(b, key);
    CLEANUP(entry_cleanup) struct entry *gone = NULL;
    pthread_mutex_lock(&sh->lock);
    struct entry **slot = slot_of(sh, key);
    if (*slot != NULL)
        gone = unlink_slot(sh, slot);
    pthread_mutex_unlock(&sh->lock);
}

size_t bounded_get(struct bounded *b, const unsigned char key[BOUNDED_KEY], void *out, size_t max)
{
    struct shard *sh = shard_of(b, key);
    pthread_mutex_lock(&sh->lock);
    const struct entry *found = *slot_of(sh, key);
    size_t n = found != NULL ? found->n : 0;
    if (n > 0)
        memcpy(out, found->bytes, n < max ? n : max); /* another thread may evict it at once */
    pthread_mutex_unlock(&sh->lock);
    return n;
}

bool bounded_has(struct bounded *b, const unsigned char key[BOUNDED_KEY])
{
    struct shard *sh = shard_of(b, key);
    pthread_mutex_lock(&sh->lock);
    bool found = *slot_of(sh, key) != NULL;
    pthread_mutex_unlock(&sh->lock);
    return found;
}

size_t bounded_count(struct bounded *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->shard_count; i++) {
        pthread_mutex_lock(&b->shards[i].lock);
        n += b->shards[i].count;
        pthread_mutex_unlock(&b->shards[i].lock);
    }
    return n;
}

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
    sh->buckets = calloc(buckets, sizeof(struct entry *));
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
        entry_free(container_of(it, struct entry, age));
    }
    pthread_mutex_destroy(&sh->lock);
    free(sh->buckets);
}

struct bounded *bounded_new(size_t capacity)
{
    struct bounded *b = calloc(1, sizeof *b);
    size_t shards = 1;
    while (shards < SHARDS_MAX && capacity / (2 * shards) >= SHARD_LEAST)
        shards *= 2;
    for (; b != NULL && b->shard_count < shards; b->shard_count++) {
        /* The remainder goes to the first shards, so that the bound is the one asked for. */
        size_t part = capacity / shards + (b->shard_count < capacity % shards);
        if (shard_init(&b->shards[b->shard_count], part) != 0) {
            bounded_free(b);
            return NULL;
        }
    }
    return b;
}

void bounded_free(struct bounded *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->shard_count; i++)
        shard_fini(&b->shards[i]);
    free(b);
}
