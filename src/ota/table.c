#include "ota/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rand.h"

#define SIZE_FIRST 64
#define SWEEP_BUCKETS 4 /* looked at by one table_sweep */

int table_init(struct table *t, struct err *e)
{
    uint64_t seed;
    int rc = rand_bytes(&seed, sizeof seed, e);
    if (rc == 0)
        *t = (struct table){.seed = seed};
    return rc;
}

void table_fini(struct table *t)
{
    for (size_t i = 0; i < t->size; i++)
        for (struct table_entry *it = t->buckets[i], *next; it != NULL; it = next) {
            next = it->next;
            free(it);
        }
    free(t->buckets);
    *t = (struct table){.seed = t->seed};
}

static uint64_t hash_of(const struct table *t, const char *key)
{
    return hash_finish(hash_text(HASH_START ^ t->seed, key));
}

static struct table_entry **slot_of(const struct table *t, const char *key, uint64_t hash)
{
    struct table_entry **at = &t->buckets[hash & (t->size - 1)];
    while (*at != NULL && ((*at)->hash != hash || strcmp((*at)->key, key) != 0))
        at = &(*at)->next;
    return at;
}

static int grow(struct table *t, struct err *e)
{
    size_t size = t->size > 0 ? t->size * 2 : SIZE_FIRST;
    struct table_entry **buckets = calloc(size, sizeof(struct table_entry *));
    if (buckets == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a table of %zu entries", size);
    for (size_t i = 0; i < t->size; i++)
        for (struct table_entry *it = t->buckets[i], *next; it != NULL; it = next) {
            next = it->next;
            it->next = buckets[it->hash & (size - 1)];
            buckets[it->hash & (size - 1)] = it;
        }
    free(t->buckets);
    t->buckets = buckets;
    t->size = size;
    return 0;
}

int table_put(struct table *t, const char *key, int64_t value, const char *text, struct err *e)
{
    if (t->count >= t->size) {
        int rc = grow(t, e);
        if (rc != 0)
            return rc;
    }
    size_t key_size = strlen(key) + 1, text_size = text != NULL ? strlen(text) + 1 : 0;
    struct table_entry *it = malloc(sizeof *it + key_size + text_size);
    if (it == NULL)
        return err_set(e, ERR_NOMEM, "no memory for an entry of a table");
    uint64_t hash = hash_of(t, key);
    struct table_entry **at = slot_of(t, key, hash), *old = *at;
    it->next = old != NULL ? old->next : NULL;
    it->hash = hash;
    it->value = value;
    memcpy(it->key, key, key_size);
    it->text = NULL;
    if (text != NULL)
        it->text = memcpy(it->key + key_size, text, text_size);
    *at = it;
    if (old == NULL)
        t->count++;
    free(old);
    return 0;
}

struct table_entry *table_get(const struct table *t, const char *key)
{
    return t->count > 0 ? *slot_of(t, key, hash_of(t, key)) : NULL;
}

bool table_remove(struct table *t, const char *key)
{
    if (t->count == 0)
        return false;
    struct table_entry **at = slot_of(t, key, hash_of(t, key)), *it = *at;
    if (it == NULL)
        return false;
    *at = it->next;
    t->count--;
    free(it);
    return true;
}

struct table_entry *table_pop(struct table *t, size_t *at)
{
    if (t->count == 0)
        return NULL;
    for (size_t seen = 0; seen < t->size; seen++, (*at)++) {
        struct table_entry **slot = &t->buckets[*at & (t->size - 1)], *it = *slot;
        if (it == NULL)
            continue;
        *slot = it->next;
        t->count--;
        return it;
    }
    return NULL;
}

void table_sweep(struct table *t, size_t *at, int64_t least)
{
    for (int i = 0; i < SWEEP_BUCKETS && t->count > 0; i++, (*at)++) {
        struct table_entry **slot = &t->buckets[*at & (t->size - 1)];
        while (*slot != NULL) {
            struct table_entry *it = *slot;
            if (it->value >= least) {
                slot = &it->next;
                continue;
            }
            *slot = it->next;
            t->count--;
            free(it);
        }
    }
}
