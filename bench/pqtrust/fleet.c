#include "pqtrust/fleet.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "ota/deploy.h"
#include "ota/director.h"
#include "ota/ota.h"
#include "ota/poll.h"
#include "ota/publish.h"
#include "ota/seen.h"
#include "ota/trust.h"
#include "store/db.h"
#include "store/devices.h"
#include "store/signed.h"
#include "store/store.h"

#define BATCH 64 /* devices whose writes share a commit, as they do when many ask at once */
#define LIFE_S (7 * 86400)
#define ARENA_MAX (64u << 20)
#define MODEL "gateway-07"
#define OPERATOR "bench"
#define FILE_HASH "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

struct fleet {
    char dir[64];
    struct store *store;
    struct db *reader;
    struct ota ota;
    struct arena arena; /* of a batch */
    size_t devices;
};

/* --- a server without its faces --------------------------------------------------------------------- */

static int make_key(struct fleet *f, char path[128], struct err *e)
{
    static const enum trust_scheme pair[] = {TRUST_ML_DSA_65, TRUST_ED25519};
    auto_keys struct sign_keys keys = {.count = 0};
    snprintf(path, 128, "%s/director.key", f->dir);
    int rc = keys_generate(pair, sizeof pair / sizeof pair[0], &f->arena, &keys, e);
    return rc != 0 ? rc : keys_save(&keys, path, NULL, e);
}

static int open_store(struct fleet *f, struct err *e)
{
    char data[128];
    snprintf(data, sizeof data, "%s/data", f->dir);
    const struct store_options options = {.dir = data, .clock = &clock_system};
    int rc = store_open(&options, &f->store, e);
    if (rc == 0)
        rc = store_reader_new(f->store, &f->reader, e);
    f->ota.store = f->store;
    return rc;
}

static void close_store(struct fleet *f)
{
    store_reader_free(f->reader);
    store_close(f->store);
    f->reader = NULL;
    f->store = NULL;
}

static int begin(struct fleet *f, struct err *e)
{
    char key[128];
    snprintf(f->dir, sizeof f->dir, "/tmp/pqtrust-XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        return err_errno(e, errno, "no folder in /tmp for a database");
    f->ota = (struct ota){
        .clock = &clock_system, .poll_seconds = 300, .status_max = 5, .event_days = 90, .action_days = 365};
    int rc = make_key(f, key, e);
    if (rc == 0)
        rc = trust_new(&f->ota.trust, e);
    if (rc == 0)
        rc = seen_new(&f->ota.seen, e);
    const struct trust_settings settings = {
        .key = {[TRUST_DIRECTOR] = key}, .life_s = {[TRUST_DIRECTOR] = LIFE_S}, .insecure_unsigned = true};
    struct trust_keys *keys = NULL;
    if (rc == 0)
        rc = trust_keys_read(&settings, true, &keys, e);
    if (rc == 0)
        trust_set(f->ota.trust, keys, settings.insecure_unsigned);
    return rc != 0 ? rc : open_store(f, e);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void end(struct fleet *f)
{
    close_store(f);
    seen_free(f->ota.seen);
    trust_free(f->ota.trust);
    arena_fini(&f->arena);
    if (f->dir[0] != '\0' && nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "pqtrust: %s could not be removed\n", f->dir);
}

/* --- devices and a release that all of them are to get ----------------------------------------------- */

struct batch {
    struct fleet *fleet;
    size_t first, count;
    struct director_work work[BATCH];
};

static void device_id(size_t i, char out[32])
{
    snprintf(out, 32, "gateway-%06zu", i);
}

static int add_devices(struct db *db, void *arg, struct err *e)
{
    struct fleet *f = arg;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < f->devices; i++) {
        char id[32];
        int64_t pk;
        device_id(i, id);
        rc = store_device_add(db, id, MODEL, clock_unix_ms(&clock_system), &pk, e);
    }
    return rc;
}

static int publish(struct db *db, void *arg, struct err *e)
{
    struct fleet *f = arg;
    const struct publish p = {.name = STR("gateway-os"),
                              .version = STR("2026.3.17"),
                              .filename = STR("gateway-os-2026.3.17.raucb"),
                              .models = STR(MODEL),
                              .sha256 = FILE_HASH,
                              .size = 67108864};
    const struct signed_terms terms = {.sequence = 1, .advisory = ""};
    struct release release;
    struct deployment deployment;
    bool made;
    int rc = ota_publish(&f->ota, db, &f->arena, OPERATOR, &p, &release, &made, e);
    if (rc == 0)
        rc = store_signed_set(db, release.pk, MODEL, &terms, e);
    const struct deploy d = {.release = release.pk,
                             .kind = TARGET_MODEL,
                             .target = STR(MODEL),
                             .policy = ota_default_policy(TARGET_MODEL)};
    return rc != 0 ? rc : ota_deploy(&f->ota, db, &f->arena, OPERATOR, &d, &deployment, e);
}

static int poll_one(struct fleet *f, struct db *db, bool writing, size_t i, struct err *e)
{
    char id[32];
    struct poll_answer answer;
    device_id(i, id);
    const struct poll_question q = {.device = id, .version = STR("2026.3.16")};
    return ota_poll(&f->ota, db, writing, &f->arena, &q, &answer, e);
}

static int poll_batch(struct db *db, void *arg, struct err *e)
{
    struct batch *b = arg;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < b->count; i++)
        rc = poll_one(b->fleet, db, true, b->first + i, e);
    return rc;
}

/* --- as the server answers, step by step: READ, WRITE, SIGN, WRITE ------------------------------------- */

static int look_again(struct db *db, void *arg, struct err *e)
{
    struct batch *b = arg;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < b->count; i++)
        if (b->work[i].text.p == NULL)
            rc = ota_director_look(&b->fleet->ota, db, true, &b->fleet->arena, &b->work[i], e);
    return rc;
}

static int store_all(struct db *db, void *arg, struct err *e)
{
    struct batch *b = arg;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < b->count; i++)
        if (b->work[i].text.p == NULL)
            rc = ota_director_store(&b->fleet->ota, db, &b->fleet->arena, &b->work[i], e);
    return rc;
}

/* *missing: how many must be signed. */
static int look(struct batch *b, size_t *missing, struct err *e)
{
    struct fleet *f = b->fleet;
    for (size_t i = 0; i < b->count; i++) {
        char id[32];
        device_id(b->first + i, id);
        b->work[i] =
            (struct director_work){.kind = DIRECTOR_TARGETS, .device = arena_dup_str(&f->arena, str_of(id))};
        if (b->work[i].device == NULL)
            return err_set(e, ERR_NOMEM, "no memory for a batch");
        int rc = ota_director_look(&f->ota, f->reader, false, &f->arena, &b->work[i], e);
        if (rc < 0)
            return rc;
        *missing += rc == DIRECTOR_UPGRADE;
    }
    return 0;
}

static int fetch_batch(struct batch *b, size_t *missing, struct err *e)
{
    struct fleet *f = b->fleet;
    int rc = look(b, missing, e);
    if (rc != 0 || *missing == 0)
        return rc;
    rc = store_write_now(f->store, look_again, b, e);
    for (size_t i = 0; rc == 0 && i < b->count; i++)
        if (b->work[i].text.p == NULL)
            rc = ota_director_sign(&f->ota, &f->arena, &b->work[i], e);
    return rc != 0 ? rc : store_write_now(f->store, store_all, b, e);
}

/* One round of all devices; `run` is given each batch. */
static int each_batch(struct fleet *f, int (*run)(struct batch *, size_t *, struct err *), size_t *sum,
                      struct err *e)
{
    struct batch b = {.fleet = f};
    int rc = 0;
    for (; rc == 0 && b.first < f->devices; b.first += BATCH) {
        size_t n = 0;
        b.count = f->devices - b.first < BATCH ? f->devices - b.first : BATCH;
        rc = run(&b, &n, e);
        *sum += n;
        arena_recycle(&f->arena);
    }
    return rc;
}

static int offer(struct batch *b, size_t *n, struct err *e)
{
    *n = b->count;
    return store_write_now(b->fleet->store, poll_batch, b, e);
}

/* A poll that finds nothing new, then the file. */
static int poll_and_fetch(struct batch *b, size_t *missing, struct err *e)
{
    for (size_t i = 0; i < b->count; i++) {
        int rc = poll_one(b->fleet, b->fleet->reader, false, b->first + i, e);
        if (rc != 0)
            return rc < 0 ? rc : err_set(e, ERR_INTERNAL, "a poll that brings nothing new wants to write");
    }
    return fetch_batch(b, missing, e);
}

/* --- measuring ---------------------------------------------------------------------------------------- */

static uint64_t process_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* Of the database, all of it in its file: closed and opened again. */
static int database_bytes(struct fleet *f, uint64_t *out, struct err *e)
{
    char path[128];
    struct stat st;
    close_store(f);
    snprintf(path, sizeof path, "%s/data/pqota.db", f->dir);
    if (stat(path, &st) != 0)
        return err_errno(e, errno, "%s cannot be looked at", path);
    *out = (uint64_t)st.st_size;
    return open_store(f, e);
}

static int fill(struct fleet *f, struct err *e)
{
    size_t polled = 0;
    int rc = store_write_now(f->store, add_devices, f, e);
    if (rc == 0)
        rc = store_write_now(f->store, publish, f, e);
    return rc != 0 ? rc : each_batch(f, offer, &polled, e);
}

static int measure(struct fleet *f, struct fleet_result *out, struct err *e)
{
    size_t signed_first = 0, signed_again = 0;
    uint64_t before, after;
    int rc = database_bytes(f, &before, e);
    if (rc != 0)
        return rc;
    uint64_t at = process_ns();
    rc = each_batch(f, poll_and_fetch, &signed_first, e);
    out->first_ns = process_ns() - at;
    at = process_ns();
    for (int i = 1; rc == 0 && i < FLEET_POLLS; i++)
        rc = each_batch(f, poll_and_fetch, &signed_again, e);
    out->again_ns = process_ns() - at;
    if (rc == 0)
        rc = database_bytes(f, &after, e);
    if (rc != 0)
        return rc;
    out->devices = f->devices;
    out->polls = f->devices * FLEET_POLLS;
    out->decisions = signed_first + signed_again;
    out->signatures = trust_counted(&f->ota, TRUST_DIRECTOR);
    out->stored_bytes = after - before;
    return 0;
}

int fleet_measure(size_t devices, struct fleet_result *out, struct err *e)
{
    if (devices < 1 || devices > FLEET_DEVICES_MAX)
        return err_set(e, ERR_INVALID, "a fleet has 1 to %d devices", FLEET_DEVICES_MAX);
    auto_free struct fleet *f = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a fleet");
    f->devices = devices;
    arena_init(&f->arena, ARENA_MAX);
    int rc = begin(f, e);
    if (rc == 0)
        rc = fill(f, e);
    if (rc == 0)
        rc = measure(f, out, e);
    end(f);
    return rc;
}
