#include "ota/trust.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "ota/ota.h"
#include "ota/trust_files.h"
#include "ota/trust_named.h"
#include "ota/trust_view.h"

#define KEYS_BYTES (1u << 18) /* of the public halves of one generation */

struct trust_keys {
    atomic_uint refs;
    struct arena arena;
    struct sign_keys keys[TRUST_ONLINE];
    int64_t life_s[TRUST_ONLINE];
};

struct trust {
    pthread_mutex_t lock;
    struct trust_keys *keys; /* under lock */
    atomic_bool insecure_unsigned;
    atomic_flag accepting;
    _Atomic uint64_t counted[TRUST_ONLINE];
    struct trust_view view;
    struct trust_named_kept named;
    struct trust_files files;
};

const char *trust_online_word(enum trust_online role)
{
    static const char *const words[TRUST_ONLINE] = {
        [TRUST_TIMESTAMP] = "timestamp",
        [TRUST_SNAPSHOT] = "snapshot",
        [TRUST_DIRECTOR] = "director",
        [TRUST_MANIFEST] = "manifest",
    };
    return words[role];
}

int trust_new(struct trust **out, struct err *e)
{
    struct trust *t = calloc(1, sizeof *t);
    bool lock = t != NULL && pthread_mutex_init(&t->lock, NULL) == 0;
    bool view = lock && trust_view_init(&t->view) == 0;
    bool named = view && trust_named_init(&t->named) == 0;
    if (named && trust_files_init(&t->files) == 0) {
        atomic_flag_clear(&t->accepting);
        *out = t;
        return 0;
    }
    if (named)
        trust_named_fini(&t->named);
    if (view)
        trust_view_fini(&t->view);
    if (lock)
        pthread_mutex_destroy(&t->lock);
    free(t);
    return err_set(e, ERR_NOMEM, "no memory for the keys and the state of update metadata");
}

void trust_free(struct trust *t)
{
    if (t == NULL)
        return;
    trust_keys_unref(t->keys);
    trust_files_fini(&t->files);
    trust_named_fini(&t->named);
    trust_view_fini(&t->view);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

struct trust_view *trust_view_of(const struct ota *ota)
{
    return &ota->trust->view;
}

struct trust_named_kept *trust_named_of(const struct ota *ota)
{
    return &ota->trust->named;
}

struct trust_files *trust_files_of(const struct ota *ota)
{
    return &ota->trust->files;
}

/* --- loading -------------------------------------------------------------------------------------------- */

void trust_keys_unref(struct trust_keys *k)
{
    if (k == NULL || atomic_fetch_sub(&k->refs, 1) != 1)
        return;
    for (int i = 0; i < TRUST_ONLINE; i++)
        keys_fini(&k->keys[i]);
    arena_fini(&k->arena);
    free(k);
}

/* One without which the server still serves. */
static void complain(enum trust_online role, const char *uri, const struct err *e)
{
    log_warn("trust", "a key of update metadata cannot be used: what it signs is not made anew",
             LOG_STR("role", trust_online_word(role)), LOG_STR("key", uri), LOG_ERR(e));
}

static int load_one(struct trust_keys *k, enum trust_online role, const struct trust_settings *s, bool strict,
                    struct err *e)
{
    struct err why = {0};
    if (s->key[role] == NULL)
        return 0;
    int rc = keys_load(s->key[role], NULL, &k->arena, &k->keys[role], &why);
    if (rc == 0)
        return 0;
    if (strict && rc != ERR_NOT_FOUND)
        return err_set(e, rc, "[trust] %s_key: %s", trust_online_word(role), why.text);
    if (rc != ERR_NOT_FOUND || !s->insecure_unsigned) /* who vouches for nothing needs no keys */
        complain(role, s->key[role], &why);
    return 0;
}

int trust_keys_read(const struct trust_settings *s, bool strict, struct trust_keys **out, struct err *e)
{
    struct trust_keys *k = calloc(1, sizeof *k);
    if (k == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the keys of update metadata");
    atomic_init(&k->refs, 1);
    arena_init(&k->arena, KEYS_BYTES);
    int rc = 0;
    for (int i = 0; rc == 0 && i < TRUST_ONLINE; i++) {
        k->life_s[i] = s->life_s[i];
        rc = load_one(k, (enum trust_online)i, s, strict, e);
    }
    if (rc != 0) {
        trust_keys_unref(k);
        return rc;
    }
    *out = k;
    return 0;
}

void trust_set(struct trust *t, struct trust_keys *k, bool insecure_unsigned)
{
    pthread_mutex_lock(&t->lock);
    struct trust_keys *old = t->keys;
    t->keys = k;
    pthread_mutex_unlock(&t->lock);
    trust_keys_unref(old);
    atomic_store(&t->insecure_unsigned, insecure_unsigned);
    trust_view_touch(&t->view, true);
}

/* --- asking --------------------------------------------------------------------------------------------- */

bool trust_unsigned_allowed(const struct ota *ota)
{
    return atomic_load(&ota->trust->insecure_unsigned);
}

bool trust_accept_enter(struct ota *ota)
{
    return !atomic_flag_test_and_set(&ota->trust->accepting);
}

void trust_accept_leave(struct ota *ota)
{
    atomic_flag_clear(&ota->trust->accepting);
}

struct trust_keys *trust_keys_get(struct ota *ota)
{
    struct trust *t = ota->trust;
    pthread_mutex_lock(&t->lock);
    struct trust_keys *k = t->keys;
    if (k != NULL)
        atomic_fetch_add(&k->refs, 1);
    pthread_mutex_unlock(&t->lock);
    return k;
}

const struct sign_keys *trust_keys_of(const struct trust_keys *k, enum trust_online role)
{
    return k != NULL && k->keys[role].count > 0 ? &k->keys[role] : NULL;
}

int64_t trust_life_s(const struct trust_keys *k, enum trust_online role)
{
    return k->life_s[role];
}

void trust_count(struct ota *ota, enum trust_online role, uint64_t signatures)
{
    atomic_fetch_add(&ota->trust->counted[role], signatures);
}

uint64_t trust_counted(struct ota *ota, enum trust_online role)
{
    return atomic_load(&ota->trust->counted[role]);
}
