#include "store/asking_memo.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "store/changes.h"
#include "store/db_open.h"

/* As many devices as hold connections to one loop: 16 384, each with some 350 bytes. */
#define SETS 4096 /* a power of two */
#define WAYS 4
#define TEXTS 6

struct remembered {
    uint64_t number; /* since when it holds, see store/changes.h */
    uint64_t hash;   /* of the id */
    enum asking_for what;
    struct asking k; /* its texts are in `text` */
    size_t size;     /* of text */
    char text[];
};

struct asking_memo {
    struct remembered *sets[SETS][WAYS];
    unsigned next; /* way to give up when all of a set are taken */
};

static void memo_fini(void *piece)
{
    struct asking_memo *m = piece;
    for (size_t i = 0; i < SETS; i++)
        for (size_t way = 0; way < WAYS; way++)
            free(m->sets[i][way]);
}

static struct asking_memo *memo_of(struct db *db)
{
    return db_attached(db, DB_ASKING, sizeof(struct asking_memo), memo_fini);
}

static uint64_t hash_of(const char *id)
{
    return hash_finish(hash_text(HASH_START, id));
}

/* Where it is, or where it would go. */
static struct remembered **place_of(struct asking_memo *m, const char *id, uint64_t hash)
{
    struct remembered **set = m->sets[hash & (SETS - 1)], **empty = NULL;
    for (size_t way = 0; way < WAYS; way++) {
        if (set[way] == NULL)
            empty = &set[way];
        else if (set[way]->hash == hash && strcmp(set[way]->k.device.id, id) == 0)
            return &set[way];
    }
    return empty != NULL ? empty : &set[m->next++ % WAYS];
}

static void texts_of(struct asking *k, const char **out[TEXTS])
{
    struct device *d = &k->device;
    const char **texts[TEXTS] = {&d->id, &d->model, &d->version, &d->name, &d->transport, &k->token_hash};
    memcpy(out, texts, sizeof texts);
}

bool asking_recall(struct db *db, struct arena *a, const char *id, enum asking_for what, struct asking *out)
{
    uint64_t number, hash = hash_of(id);
    const struct changes *changes = db_number(db, &number);
    struct asking_memo *m = changes != NULL ? memo_of(db) : NULL;
    const struct remembered *r = m != NULL ? *place_of(m, id, hash) : NULL;
    if (r == NULL || r->hash != hash || strcmp(r->k.device.id, id) != 0 || r->what < what ||
        changes_since(changes, r->k.device.pk, r->number))
        return false;
    const char **texts[TEXTS], *copy = arena_dup(a, r->text, r->size);
    if (copy == NULL)
        return false;
    *out = r->k;
    texts_of(out, texts);
    for (size_t i = 0; i < TEXTS; i++)
        if (*texts[i] != NULL)
            *texts[i] = copy + (*texts[i] - r->text);
    return true;
}

void asking_keep(struct db *db, uint64_t number, enum asking_for what, const struct asking *k)
{
    struct asking_memo *m = memo_of(db);
    struct asking copy = *k;
    const char **texts[TEXTS];
    size_t size = 0;
    texts_of(&copy, texts);
    for (size_t i = 0; i < TEXTS; i++)
        size += *texts[i] != NULL ? strlen(*texts[i]) + 1 : 0;
    struct remembered *r = m != NULL ? malloc(sizeof *r + size) : NULL;
    if (r == NULL)
        return;
    *r = (struct remembered){
        .number = number, .hash = hash_of(k->device.id), .what = what, .k = *k, .size = size};
    texts_of(&r->k, texts);
    char *end = r->text;
    for (size_t i = 0; i < TEXTS; i++)
        if (*texts[i] != NULL) {
            char *begin = end;
            end = stpcpy(begin, *texts[i]) + 1;
            *texts[i] = begin;
        }
    struct remembered **place = place_of(m, k->device.id, r->hash);
    free(*place);
    *place = r;
}
