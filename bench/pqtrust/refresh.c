#include "pqtrust/refresh.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pqtrust/device.h"
#include "pqtrust/shelf.h"
#include "trust/canon.h"

#define FILES_READ_MAX 64             /* by one refresh */
#define COPIES_MAX ((size_t)64 << 20) /* bytes of them */

/* A device. With `copies` the files that it reads are kept, to be read once more. */
struct bed {
    struct shelf shelf;
    struct device device;
    struct arena *copies;
    struct str read[FILES_READ_MAX];
    enum tuf_type types[FILES_READ_MAX];
    size_t read_count;
};

static enum tuf_type type_of(struct str name)
{
    static const enum tuf_type types[] = {TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const char *word = tuf_type_word(types[i]);
        if (memmem(name.p, name.n, word, strlen(word)) != NULL)
            return types[i];
    }
    return TUF_TARGETS;
}

static int keep(struct bed *b, struct str name, const void *p, size_t n, struct err *e)
{
    if (b->copies == NULL || n == 0)
        return 0;
    const char *copy = b->read_count < FILES_READ_MAX ? arena_dup(b->copies, p, n) : NULL;
    if (copy == NULL)
        return err_set(e, ERR_NOMEM, "a refresh reads too much for its profile");
    b->types[b->read_count] = type_of(name);
    b->read[b->read_count++] = (struct str){.p = copy, .n = n};
    return 0;
}

static int load(void *ctx, bool director, struct str role, void *buf, size_t size, size_t *n, struct err *e)
{
    struct bed *b = ctx;
    int rc = shelf_load(&b->shelf, director, role, buf, size, n, e);
    return rc != 0 ? rc : keep(b, role, buf, *n, e);
}

static int save(void *ctx, bool director, struct str role, struct str text, struct err *e)
{
    return shelf_save(&((struct bed *)ctx)->shelf, director, role, text, e);
}

static int get(void *ctx, bool director, const char *name, void *buf, size_t size, size_t *n, struct err *e)
{
    struct bed *b = ctx;
    int rc = shelf_get(&b->shelf, director, name, buf, size, n, e);
    return rc != 0 ? rc : keep(b, str_of(name), buf, *n, e);
}

/* --- one refresh ------------------------------------------------------------------------------------ */

static int timed(struct bed *b, uint64_t *ns, struct err *e)
{
    b->shelf.requests = 0;
    b->shelf.bytes = 0;
    uint64_t begin = probe_cpu_ns();
    int rc = device_refresh(&b->device, e);
    *ns = probe_cpu_ns() - begin;
    return rc;
}

/* A device as it leaves the factory. */
static int renew(struct bed *b, struct repo *repo, struct err *e)
{
    shelf_clear(&b->shelf);
    return shelf_begin(&b->shelf, repo, e);
}

/* The next version of the timestamp, where the present one is served. */
static int next_timestamp(struct repo *repo, int64_t *version, struct err *e)
{
    struct repo_file *f = repo_find(repo->image, repo->image_count, "timestamp.json");
    struct str text;
    if (f == NULL)
        return err_set(e, ERR_NOT_FOUND, "the repository has no timestamp");
    int rc = repo_timestamp(repo, *version + 1, &repo->arena, &text, e);
    if (rc == 0) {
        f->text = text;
        (*version)++;
    }
    return rc;
}

/* What comes before a refresh that is timed. */
static int prepare(struct bed *b, struct repo *repo, int64_t *version, bool steady, struct err *e)
{
    return steady ? next_timestamp(repo, version, e) : renew(b, repo, e);
}

/* --- where the time goes ---------------------------------------------------------------------------- */

static int read_again(const struct bed *b, struct refresh_result *out, struct err *e)
{
    struct trust_space space;
    struct tuf_doc doc;
    struct str canon;
    for (size_t i = 0; i < b->read_count; i++) {
        space_init(&space, b->device.memory, b->device.size);
        uint64_t begin = probe_cpu_ns();
        int rc = tuf_doc_read(b->read[i], b->types[i], &space, &doc, e);
        uint64_t middle = probe_cpu_ns();
        if (rc == 0)
            rc = canon_write(doc.body, &space, &canon, e);
        if (rc != 0)
            return rc;
        uint64_t canon_ns = probe_cpu_ns() - middle;
        out->canon_ns += canon_ns;
        out->read_ns += middle - begin > canon_ns ? middle - begin - canon_ns : 0;
    }
    return 0;
}

static int profile(struct bed *b, struct refresh_result *out, struct err *e)
{
    auto_arena struct arena copies;
    arena_init(&copies, COPIES_MAX);
    b->copies = &copies;
    b->read_count = 0;
    b->device.crypto = probe_crypto(&out->probe);
    int rc = timed(b, &out->total_ns, e);
    b->device.crypto = keys_crypto;
    b->copies = NULL;
    return rc != 0 ? rc : read_again(b, out, e);
}

/* --- many ------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int measure(struct bed *b, struct repo *repo, size_t repeat, int64_t *version, bool steady,
                   struct refresh_result *out, struct err *e)
{
    uint64_t times[REFRESH_REPEAT_MAX];
    *out = (struct refresh_result){0};
    int rc = prepare(b, repo, version, steady, e);
    if (rc == 0)
        rc = timed(b, &times[0], e); /* caches are warm from here on */
    for (size_t i = 0; rc == 0 && i < repeat; i++) {
        rc = prepare(b, repo, version, steady, e);
        if (rc == 0)
            rc = timed(b, &times[i], e);
    }
    if (rc != 0)
        return rc;
    qsort(times, repeat, sizeof times[0], compare);
    out->least_ns = times[0];
    out->median_ns = times[repeat / 2];
    out->requests = b->shelf.requests;
    out->bytes = b->shelf.bytes;
    rc = prepare(b, repo, version, steady, e);
    return rc != 0 ? rc : profile(b, out, e);
}

int refresh_measure(struct repo *repo, size_t repeat, struct refresh_result *first,
                    struct refresh_result *steady, struct err *e)
{
    if (repeat < 1 || repeat > REFRESH_REPEAT_MAX)
        return err_set(e, ERR_INVALID, "a refresh is repeated 1 to %d times", REFRESH_REPEAT_MAX);
    auto_free struct bed *b = calloc(1, sizeof *b);
    auto_free void *memory = malloc(DEVICE_MEMORY);
    if (b == NULL || memory == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a device");
    b->device = (struct device){.link = {.ctx = b, .load = load, .save = save, .get = get},
                                .crypto = keys_crypto,
                                .target = repo->target,
                                .now_s = repo->plan.now_s,
                                .memory = memory,
                                .size = DEVICE_MEMORY};
    int64_t version = 1;
    int rc = measure(b, repo, repeat, &version, false, first, e);
    if (rc == 0)
        rc = measure(b, repo, repeat, &version, true, steady, e);
    shelf_clear(&b->shelf);
    return rc;
}
