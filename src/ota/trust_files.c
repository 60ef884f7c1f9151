#include "ota/trust_files.h"

#include <stdatomic.h>
#include <stdlib.h>

#define ROW_BYTES 65536 /* what reading takes beside the body */

struct trust_file {
    atomic_uint refs;
    char sha256[SHA256_HEX_SIZE];
    size_t n;
    char bytes[];
};

int trust_files_init(struct trust_files *k)
{
    *k = (struct trust_files){.count = 0};
    return pthread_mutex_init(&k->lock, NULL);
}

void trust_files_fini(struct trust_files *k)
{
    for (size_t i = 0; i < k->count; i++)
        trust_file_unref(k->kept[i].file);
    pthread_mutex_destroy(&k->lock);
}

struct str trust_file_body(const struct trust_file *f)
{
    return (struct str){.p = f->bytes, .n = f->n};
}

void trust_file_unref(struct trust_file *f)
{
    if (f != NULL && atomic_fetch_sub(&f->refs, 1) == 1)
        free(f);
}

/* --- under the lock ------------------------------------------------------------------------------------- */

static struct trust_file *find(struct trust_files *k, const char *sha256)
{
    for (size_t i = 0; i < k->count; i++)
        if (strcmp(k->kept[i].file->sha256, sha256) == 0) {
            k->kept[i].used = ++k->turn;
            atomic_fetch_add(&k->kept[i].file->refs, 1);
            return k->kept[i].file;
        }
    return NULL;
}

static void drop_oldest(struct trust_files *k)
{
    size_t oldest = 0;
    for (size_t i = 1; i < k->count; i++)
        if (k->kept[i].used < k->kept[oldest].used)
            oldest = i;
    k->bytes -= k->kept[oldest].file->n;
    trust_file_unref(k->kept[oldest].file);
    k->kept[oldest] = k->kept[--k->count];
}

static void keep(struct trust_files *k, struct trust_file *f)
{
    while (k->count > 0 && (k->count == TRUST_FILES_MAX || k->bytes + f->n > TRUST_FILES_BYTES))
        drop_oldest(k);
    atomic_fetch_add(&f->refs, 1);
    k->kept[k->count].file = f;
    k->kept[k->count++].used = ++k->turn;
    k->bytes += f->n;
}

/* --- asking --------------------------------------------------------------------------------------------- */

struct trust_file *trust_file_find(struct trust_files *k, const char *sha256)
{
    pthread_mutex_lock(&k->lock);
    struct trust_file *f = find(k, sha256);
    pthread_mutex_unlock(&k->lock);
    return f;
}

/* Takes the reference over; who read the same file meanwhile was first. */
static struct trust_file *share(struct trust_files *k, struct trust_file *f)
{
    pthread_mutex_lock(&k->lock);
    struct trust_file *first = find(k, f->sha256);
    if (first == NULL)
        keep(k, f);
    pthread_mutex_unlock(&k->lock);
    if (first == NULL)
        return f;
    trust_file_unref(f);
    return first;
}

static int read_file(struct trust_files *k, struct db *db, const struct metadata *m, struct trust_file **out,
                     struct err *e)
{
    auto_arena struct arena a;
    struct metadata whole;
    arena_init(&a, (size_t)m->size + ROW_BYTES);
    int rc = store_metadata_get(db, &a, m->repository, m->role, m->version, true, &whole, e);
    if (rc != 0)
        return rc;
    struct trust_file *f = malloc(sizeof *f + whole.body.n);
    if (f == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a file of update metadata");
    atomic_init(&f->refs, 1);
    memcpy(f->sha256, m->sha256, SHA256_HEX_SIZE);
    f->n = whole.body.n;
    memcpy(f->bytes, whole.body.p, f->n);
    *out = share(k, f);
    return 0;
}

int trust_file_get(struct trust_files *k, struct db *db, const struct metadata *m, struct trust_file **out,
                   struct err *e)
{
    struct trust_file *f = trust_file_find(k, m->sha256);
    int rc = f == NULL ? read_file(k, db, m, &f, e) : 0;
    if (rc == 0)
        *out = f;
    return rc;
}
