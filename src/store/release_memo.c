/* The latest release of each model and the sequences of versions, kept with a connection for as long as the
   database stays as it was: devices ask for them over and over, and there are few. */
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "store/db.h"
#include "store/devices.h"
#include "store/releases.h"

#define MEMO_MODELS 64
#define MEMO_BYTES (1u << 20)

struct release_memo {
    uint32_t view; /* of the database, see db_view */
    struct arena arena;
    size_t count;
    struct remembered {
        const char *model;
        struct release release;
    } list[MEMO_MODELS];
};

static void memo_fini(void *piece)
{
    struct release_memo *m = piece;
    arena_fini(&m->arena);
}

static void forget(struct release_memo *m, uint32_t view)
{
    arena_reset(&m->arena);
    m->arena.max = MEMO_BYTES;
    m->count = 0;
    m->view = view;
}

static const struct release *recall(const struct release_memo *m, uint32_t view, const char *model)
{
    if (m->view != view)
        return NULL;
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->list[i].model, model) == 0)
            return &m->list[i].release;
    return NULL;
}

/* What does not fit is not kept: the next one reads it again. */
static void keep(struct release_memo *m, uint32_t view, const char *model, const struct release *r)
{
    if (m->view != view || m->count == MEMO_MODELS)
        forget(m, view);
    struct remembered *slot = &m->list[m->count];
    slot->model = arena_dup(&m->arena, model, strlen(model));
    if (slot->model != NULL && release_copy(r, &m->arena, &slot->release) == 0)
        m->count++;
}

static int read_latest(struct db *db, struct arena *a, const char *model, struct release *out, struct err *e)
{
    struct release r;
    int rc = store_release_latest(db, a, model, &r, e);
    int64_t sequence = rc == 0 ? r.sequence : 0;
    if (rc == 0)
        rc = store_release_details(db, a, &r, e);
    if (rc != 0)
        return rc;
    r.sequence = sequence;
    *out = r;
    return 0;
}

int store_release_latest_whole(struct db *db, struct arena *a, const char *model, struct release *out,
                               struct err *e)
{
    uint32_t view;
    struct release_memo *m = db_attached(db, DB_RELEASE_MEMO, sizeof *m, memo_fini);
    const struct release *known = m != NULL && db_view(db, &view) ? recall(m, view, model) : NULL;
    if (known != NULL)
        return release_copy(known, a, out) == 0 ? 0 : err_set(e, ERR_NOMEM, "no memory to read a release");
    int rc = read_latest(db, a, model, out, e);
    if (rc == 0 && m != NULL && db_view(db, &view)) /* the first question begins a view */
        keep(m, view, model, out);
    return rc;
}

int store_release_latest_of(struct db *db, struct arena *a, const char *device_id, struct release *out,
                            struct err *e)
{
    auto_stmt struct stmt s = {0};
    const char *model;
    int rc = store_device_model_at(db, &s, a, device_id, &model, e);
    return rc != 0 ? rc : store_release_latest_whole(db, a, model, out, e);
}

/* --- sequences ----------------------------------------------------------------------------------------- */

#define SLOTS 64 /* a power of two */
#define NAME_SIZE 129

struct sequence_memo {
    uint32_t view;
    struct slot {
        bool used;
        char model[NAME_SIZE], version[NAME_SIZE];
        int64_t sequence;
    } slots[SLOTS];
};

static void sequences_fini(void *piece)
{
    (void)piece;
}

static struct slot *slot_of(struct sequence_memo *m, const char *model, const char *version)
{
    return &m->slots[hash_finish(hash_text(hash_text(HASH_START, model), version)) & (SLOTS - 1)];
}

static void keep_sequence(struct sequence_memo *m, uint32_t view, const char *model, const char *version,
                          int64_t sequence)
{
    struct slot *s = slot_of(m, model, version);
    if (strlen(model) >= NAME_SIZE || strlen(version) >= NAME_SIZE)
        return;
    for (size_t i = 0; i < SLOTS && m->view != view; i++)
        m->slots[i].used = false;
    m->view = view;
    s->used = true;
    s->sequence = sequence;
    memcpy(s->model, model, strlen(model) + 1);
    memcpy(s->version, version, strlen(version) + 1);
}

static int read_sequence(struct db *db, const char *model, const char *version, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT max(sequence) FROM release_model WHERE model = ? AND version = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    stmt_text(&s, 2, version);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *out = rc == STMT_ROW ? stmt_get_i64(&s, 0) : 0;
    return 0;
}

int store_sequence_of_version(struct db *db, const char *model, const char *version, int64_t *out,
                              struct err *e)
{
    uint32_t view;
    struct sequence_memo *m = db_attached(db, DB_SEQUENCES, sizeof *m, sequences_fini);
    const struct slot *s =
        m != NULL && db_view(db, &view) && view == m->view ? slot_of(m, model, version) : NULL;
    if (s != NULL && s->used && strcmp(s->model, model) == 0 && strcmp(s->version, version) == 0) {
        *out = s->sequence;
        return 0;
    }
    int rc = read_sequence(db, model, version, out, e);
    if (rc == 0 && m != NULL && db_view(db, &view))
        keep_sequence(m, view, model, version, *out);
    return rc;
}
