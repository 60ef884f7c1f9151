#include "net/limits.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SHARDS 16
#define SLOTS_MIN 64 /* a power of two */

struct slot {
    struct address_key key;
    size_t count; /* 0: free */
};

/* Open addressing with linear probing; removal shifts the cluster back, so there are no tombstones. */
struct shard {
    pthread_mutex_t lock;
    struct slot *slots;
    size_t size, used;
};

struct address_counts {
    struct shard shards[SHARDS];
};

struct address_counts *address_counts_new(void)
{
    struct address_counts *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_init(&c->shards[i].lock, NULL);
    return c;
}

void address_counts_free(struct address_counts *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_destroy(&c->shards[i].lock);
        free(c->shards[i].slots);
    }
    free(c);
}

struct address_key address_key_of(const struct sockaddr_storage *ss)
{
    struct address_key key = {.bytes = {0}};
    if (ss->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, ss, sizeof in);
        key.bytes[0] = 4;
        memcpy(key.bytes + 1, &in.sin_addr, 4);
    } else if (ss->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, ss, sizeof in6);
        key.bytes[0] = 6;
        memcpy(key.bytes + 1, &in6.sin6_addr, 8);
    }
    return key;
}

/* The connection limit bounds the table, so chosen collisions cost an attacker more than us. */
static uint64_t hash_of(const struct address_key *key)
{
    uint64_t h = HASH_START;
    for (size_t i = 0; i < sizeof key->bytes; i++)
        h = hash_byte(h, key->bytes[i]);
    return hash_finish(h);
}

static struct slot *find(struct shard *s, const struct address_key *key, uint64_t h)
{
    for (size_t i = h & (s->size - 1);; i = (i + 1) & (s->size - 1))
        if (s->slots[i].count == 0 || memcmp(&s->slots[i].key, key, sizeof *key) == 0)
            return &s->slots[i];
}

static bool grow(struct shard *s)
{
    struct shard bigger = {.size = s->size == 0 ? SLOTS_MIN : s->size * 2};
    bigger.slots = calloc(bigger.size, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < s->size; i++)
        if (s->slots[i].count > 0)
            *find(&bigger, &s->slots[i].key, hash_of(&s->slots[i].key)) = s->slots[i];
    free(s->slots);
    s->slots = bigger.slots;
    s->size = bigger.size;
    return true;
}

static bool take_locked(struct shard *s, const struct address_key *key, uint64_t h, size_t max)
{
    if ((s->used + 1) * 4 > s->size * 3 && !grow(s))
        return false;
    struct slot *slot = find(s, key, h);
    if (slot->count >= max)
        return false;
    if (slot->count++ == 0) {
        slot->key = *key;
        s->used++;
    }
    return true;
}

bool address_counts_take(struct address_counts *c, const struct address_key *key, size_t max)
{
    uint64_t h = hash_of(key);
    struct shard *s = &c->shards[(h >> 48) % SHARDS];
    pthread_mutex_lock(&s->lock);
    bool ok = take_locked(s, key, h, max);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* Moves back what a freed slot would cut off from its home. */
static void close_gap(struct shard *s, size_t gap)
{
    size_t mask = s->size - 1;
    for (size_t i = (gap + 1) & mask; s->slots[i].count > 0; i = (i + 1) & mask) {
        size_t home = hash_of(&s->slots[i].key) & mask;
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            s->slots[gap] = s->slots[i];
            s->slots[i].count = 0;
            gap = i;
        }
    }
}

void address_counts_drop(struct address_counts *c, const struct address_key *key)
{
    uint64_t h = hash_of(key);
    struct shard *s = &c->shards[(h >> 48) % SHARDS];
    pthread_mutex_lock(&s->lock);
    if (s->size > 0) {
        struct slot *slot = find(s, key, h);
        if (slot->count > 0 && --slot->count == 0) {
            s->used--;
            close_gap(s, (size_t)(slot - s->slots));
        }
    }
    pthread_mutex_unlock(&s->lock);
}
