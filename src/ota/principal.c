#include "ota/principal.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "model/operator.h"
#include "ota/table.h"
#include "store/certificates.h"
#include "store/devices.h"
#include "store/operators.h"

/* Keys are "<issuer>/<serial>". */
#define KEY_SIZE (SHA256_HEX_SIZE + 65 + 1)

/* A revoked certificate is forgotten this long after it stopped renewing. A clock that goes back by less
   brings none to life again; one that goes back by more is noticed. */
#define KEEP_S (7 * 86400)

/* What comes from the database. In `operators` the value is the role's bit, 0 when revoked, the text the
   fingerprint and the name after it; in `revoked` the value is when it ends, Unix seconds. */
struct facts {
    struct table operators, revoked, pending, devices; /* devices: ids of the revoked */
    size_t sweep_at;                                   /* in `revoked` */
    int64_t latest_s; /* the latest time by which a revoked one was left out */
};

/* In `roots` the value is DEVICE_ROOT or OPERATOR_ROOT bits. */
enum { DEVICE_ROOT = 1, OPERATOR_ROOT = 2 };

struct principals {
    pthread_rwlock_t lock;
    struct facts facts;
    struct table roots;
    int64_t grace_s;
    atomic_bool stale;
};

static int make_key(const char *issuer, const char *serial, char out[KEY_SIZE], struct err *e)
{
    size_t n = strlen(issuer), m = strlen(serial);
    if (n + m + 2 > KEY_SIZE)
        return err_set(e, ERR_INVALID, "a certificate's issuer or serial is longer than one of ours can be");
    memcpy(out, issuer, n);
    out[n] = '/';
    memcpy(out + n + 1, serial, m + 1);
    return 0;
}

static int facts_init(struct facts *f, struct err *e)
{
    *f = (struct facts){0};
    int rc = table_init(&f->operators, e);
    if (rc == 0)
        rc = table_init(&f->revoked, e);
    if (rc == 0)
        rc = table_init(&f->pending, e);
    if (rc == 0)
        rc = table_init(&f->devices, e);
    return rc;
}

static void facts_fini(struct facts *f)
{
    table_fini(&f->operators);
    table_fini(&f->revoked);
    table_fini(&f->pending);
    table_fini(&f->devices);
}

int principals_new(struct principals **out, struct err *e)
{
    struct principals *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the table of who counts");
    int rc = facts_init(&p->facts, e);
    if (rc == 0)
        rc = table_init(&p->roots, e);
    if (rc == 0 && pthread_rwlock_init(&p->lock, NULL) != 0)
        rc = err_set(e, ERR_NOMEM, "no memory for a lock");
    if (rc != 0) {
        free(p);
        return rc;
    }
    /* Until it was loaded nobody is known to be revoked: whoever forgets to load gets told by this. */
    atomic_init(&p->stale, true);
    *out = p;
    return 0;
}

void principals_free(struct principals *p)
{
    if (p == NULL)
        return;
    facts_fini(&p->facts);
    table_fini(&p->roots);
    pthread_rwlock_destroy(&p->lock);
    free(p);
}

static int add_roots(struct table *roots, const char *const *ids, size_t count, int64_t kind, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        const struct table_entry *have = table_get(roots, ids[i]);
        int rc = table_put(roots, ids[i], kind | (have != NULL ? have->value : 0), NULL, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int principals_set_roots(struct principals *p, const char *const *device_ids, size_t device_count,
                         const char *const *operator_ids, size_t operator_count, int64_t grace_days,
                         struct err *e)
{
    CLEANUP(table_fini) struct table roots = {0};
    int rc = table_init(&roots, e);
    if (rc == 0)
        rc = add_roots(&roots, device_ids, device_count, DEVICE_ROOT, e);
    if (rc == 0)
        rc = add_roots(&roots, operator_ids, operator_count, OPERATOR_ROOT, e);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < device_count; i++)
        if (table_get(&roots, device_ids[i])->value != DEVICE_ROOT)
            return err_set(e, ERR_CONFLICT,
                           "the same key is a root for devices and for operators; make two, so that what one "
                           "issues never counts as the other");
    pthread_rwlock_wrlock(&p->lock);
    struct table old = p->roots;
    p->roots = roots;
    if (grace_days * 86400 > p->grace_s)
        atomic_store(&p->stale, true); /* some that were left out may renew again */
    p->grace_s = grace_days * 86400;
    pthread_rwlock_unlock(&p->lock);
    roots = old;
    return 0;
}

/* --- loading ---------------------------------------------------------------------------------------- */

/* What ended before this is refused as expired, and not because it is revoked. */
static int64_t least_end(int64_t grace_s, int64_t now_s)
{
    return now_s - grace_s - KEEP_S;
}

struct loading {
    struct facts *facts;
    int64_t least;
};

static int load_revoked(void *ctx, const char *issuer, const char *serial, int64_t not_after, struct err *e)
{
    struct loading *l = ctx;
    char key[KEY_SIZE];
    if (not_after / 1000 < l->least)
        return 0;
    int rc = make_key(issuer, serial, key, e);
    return rc != 0 ? rc : table_put(&l->facts->revoked, key, not_after / 1000, NULL, e);
}

static int load_device(void *ctx, const char *id, struct err *e)
{
    struct facts *f = ctx;
    return table_put(&f->devices, id, 1, NULL, e);
}

static int load_pending(void *ctx, const char *issuer, const char *serial, int64_t not_after, struct err *e)
{
    struct loading *l = ctx;
    char key[KEY_SIZE];
    if (not_after / 1000 < l->least)
        return 0;
    int rc = make_key(issuer, serial, key, e);
    return rc != 0 ? rc : table_put(&l->facts->pending, key, 1, NULL, e);
}

static int put_operator(struct facts *f, const char *key, const char *fingerprint, const char *name,
                        int64_t role, struct err *e)
{
    char text[SHA256_HEX_SIZE + IDENTITY_ID_MAX];
    int n = snprintf(text, sizeof text, "%s%s", fingerprint, name);
    if (strlen(fingerprint) != SHA256_HEX_SIZE - 1 || n < 0 || (size_t)n >= sizeof text)
        return err_set(e, ERR_CORRUPT, "operator \"%s\" has a fingerprint or name that is none", name);
    return table_put(&f->operators, key, role, text, e);
}

static int load_operator(void *ctx, const struct operator_certificate *c, struct err *e)
{
    char key[KEY_SIZE];
    enum who who;
    int rc = make_key(c->issuer, c->serial, key, e);
    if (rc == 0)
        rc = role_parse(str_of(c->role), &who, e);
    return rc != 0 ? rc : put_operator(ctx, key, c->fingerprint, c->name, c->revoked ? 0 : (int64_t)who, e);
}

int principals_load(struct principals *p, struct db *db, int64_t now_s, struct err *e)
{
    CLEANUP(facts_fini) struct facts f = {0};
    /* Cleared first: what is marked stale while this reads stays so. */
    atomic_store(&p->stale, false);
    int rc = facts_init(&f, e);
    pthread_rwlock_rdlock(&p->lock);
    struct loading l = {.facts = &f, .least = least_end(p->grace_s, now_s)};
    pthread_rwlock_unlock(&p->lock);
    f.latest_s = now_s;
    if (rc == 0)
        rc = store_certificate_each(db, CERTIFICATE_REVOKED, load_revoked, &l, e);
    if (rc == 0)
        rc = store_certificate_each(db, CERTIFICATE_PENDING, load_pending, &l, e);
    if (rc == 0)
        rc = store_device_each_revoked(db, load_device, &f, e);
    if (rc == 0)
        rc = store_operator_each(db, load_operator, &f, e);
    if (rc != 0) {
        atomic_store(&p->stale, true);
        return err_context(e, "cannot read who counts from the database");
    }
    pthread_rwlock_wrlock(&p->lock);
    struct facts old = p->facts;
    p->facts = f;
    pthread_rwlock_unlock(&p->lock);
    f = old;
    return 0;
}

void principals_mark_stale(struct principals *p)
{
    atomic_store(&p->stale, true);
}

bool principals_stale(struct principals *p)
{
    return atomic_load(&p->stale);
}

/* --- asking ----------------------------------------------------------------------------------------- */

static int identify_device(const struct principals *p, const struct principal_certificate *cert,
                           const char *key, int64_t now_s, struct identity *out, struct err *e)
{
    if (!str_is_device_id(str_of(cert->common_name)))
        return err_set(e, ERR_UNAUTHENTICATED, "the device certificate's common name is no device id");
    if (table_get(&p->facts.devices, cert->common_name) != NULL)
        return err_set(e, ERR_UNAUTHENTICATED,
                       "device \"%s\" is revoked; it may enrol again with a new token that names it",
                       cert->common_name);
    if (table_get(&p->facts.revoked, key) != NULL)
        return err_set(
            e, ERR_UNAUTHENTICATED,
            "the certificate of device \"%s\" with serial %s is revoked; enrol the device again with a "
            "token that names it",
            cert->common_name, cert->serial);
    char end[CLOCK_TEXT_MAX];
    if (now_s > cert->not_after && now_s - cert->not_after > p->grace_s)
        return err_set(e, ERR_UNAUTHENTICATED,
                       "the certificate of device \"%s\" expired %s, more than %" PRId64
                       " days ago; enrol the device again with a token that names it",
                       cert->common_name, clock_format(cert->not_after * 1000, end), p->grace_s / 86400);
    out->who = now_s > cert->not_after ? WHO_EXPIRED : WHO_DEVICE;
    str_copy(str_of(cert->common_name), out->id, sizeof out->id);
    return 0;
}

static int identify_operator(const struct principals *p, const struct principal_certificate *cert,
                             const char *key, int64_t now_s, struct identity *out, struct err *e)
{
    const struct table_entry *it = table_get(&p->facts.operators, key);
    if (it == NULL)
        return err_set(
            e, ERR_UNAUTHENTICATED,
            "the operator certificate with serial %s is not registered here; an admin registers it",
            cert->serial);
    const char *name = it->text + SHA256_HEX_SIZE - 1;
    if (strncmp(it->text, cert->fingerprint, SHA256_HEX_SIZE - 1) != 0) {
        log_error("ota",
                  "an operator's serial on another certificate: has the operators' authority been stolen?",
                  LOG_STR("operator", name), LOG_STR("serial", cert->serial),
                  LOG_STR("fingerprint", cert->fingerprint));
        return err_set(e, ERR_UNAUTHENTICATED,
                       "the operator certificate with serial %s is not the one that is registered here under "
                       "that serial",
                       cert->serial);
    }
    if (it->value == 0)
        return err_set(e, ERR_UNAUTHENTICATED, "operator \"%s\"'s certificate with serial %s is revoked",
                       name, cert->serial);
    char end[CLOCK_TEXT_MAX];
    if (now_s > cert->not_after)
        return err_set(e, ERR_UNAUTHENTICATED, "operator \"%s\"'s certificate with serial %s expired %s",
                       name, cert->serial, clock_format(cert->not_after * 1000, end));
    out->who = (enum who)it->value;
    snprintf(out->id, sizeof out->id, "%s", name);
    return 0;
}

int principals_identify(struct principals *p, const struct principal_certificate *cert, int64_t now_s,
                        struct identity *out, struct err *e)
{
    char key[KEY_SIZE];
    struct identity id = {0};
    if (make_key(cert->issuer, cert->serial, key, e) != 0)
        return err_set(e, ERR_UNAUTHENTICATED, "the certificate's serial is longer than one of ours can be");
    pthread_rwlock_rdlock(&p->lock);
    if (now_s < p->facts.latest_s - KEEP_S)
        atomic_store(&p->stale, true);
    const struct table_entry *root = table_get(&p->roots, cert->issuer);
    int rc;
    if (root == NULL)
        rc = err_set(e, ERR_UNAUTHENTICATED,
                     "the certificate's issuer is neither a root for devices nor one for operators");
    else if (root->value == DEVICE_ROOT)
        rc = identify_device(p, cert, key, now_s, &id, e);
    else
        rc = identify_operator(p, cert, key, now_s, &id, e);
    id.pending = table_get(&p->facts.pending, key) != NULL;
    pthread_rwlock_unlock(&p->lock);
    if (rc != 0)
        return rc;
    out->who = id.who;
    out->pending = id.pending;
    out->not_after = cert->not_after;
    memcpy(out->id, id.id, sizeof out->id);
    str_copy(str_of(cert->issuer), out->issuer, sizeof out->issuer);
    str_copy(str_of(cert->serial), out->serial, sizeof out->serial);
    str_copy(str_of(cert->fingerprint), out->fingerprint, sizeof out->fingerprint);
    return 0;
}

bool principals_take_pending(struct principals *p, const char *issuer, const char *serial)
{
    char key[KEY_SIZE];
    if (make_key(issuer, serial, key, NULL) != 0)
        return false;
    pthread_rwlock_wrlock(&p->lock);
    bool taken = table_remove(&p->facts.pending, key);
    pthread_rwlock_unlock(&p->lock);
    return taken;
}

/* --- keeping in step --------------------------------------------------------------------------------- */

int principals_add_pending(struct principals *p, const char *issuer, const char *serial, struct err *e)
{
    char key[KEY_SIZE];
    int rc = make_key(issuer, serial, key, e);
    if (rc != 0)
        return rc;
    pthread_rwlock_wrlock(&p->lock);
    rc = table_put(&p->facts.pending, key, 1, NULL, e);
    pthread_rwlock_unlock(&p->lock);
    return rc;
}

/* Whose it is decides the table; one that is in neither goes to the devices', where it does no harm. */
int principals_revoke(struct principals *p, const char *issuer, const char *serial, int64_t not_after,
                      int64_t now_s, struct err *e)
{
    char key[KEY_SIZE];
    int rc = make_key(issuer, serial, key, e);
    if (rc != 0)
        return rc;
    pthread_rwlock_wrlock(&p->lock);
    struct facts *f = &p->facts;
    struct table_entry *it = table_get(&f->operators, key);
    if (it != NULL) {
        it->value = 0;
    } else {
        rc = table_put(&f->revoked, key, not_after, NULL, e);
        table_sweep(&f->revoked, &f->sweep_at, least_end(p->grace_s, now_s));
        if (now_s > f->latest_s)
            f->latest_s = now_s;
    }
    (void)table_remove(&f->pending, key);
    pthread_rwlock_unlock(&p->lock);
    return rc;
}

int principals_revoke_device(struct principals *p, const char *id, struct err *e)
{
    pthread_rwlock_wrlock(&p->lock);
    int rc = table_put(&p->facts.devices, id, 1, NULL, e);
    pthread_rwlock_unlock(&p->lock);
    return rc;
}

void principals_restore_device(struct principals *p, const char *id)
{
    pthread_rwlock_wrlock(&p->lock);
    (void)table_remove(&p->facts.devices, id);
    pthread_rwlock_unlock(&p->lock);
}

int principals_add_operator(struct principals *p, const char *issuer, const char *serial,
                            const char *fingerprint, const char *name, enum who role, struct err *e)
{
    char key[KEY_SIZE];
    int rc = make_key(issuer, serial, key, e);
    if (rc != 0)
        return rc;
    pthread_rwlock_wrlock(&p->lock);
    /* Revoked between the commit that registered it and this, and maybe loaded again since: it stays so. */
    const struct table_entry *known = table_get(&p->facts.operators, key);
    bool revoked = table_get(&p->facts.revoked, key) != NULL || (known != NULL && known->value == 0);
    rc = put_operator(&p->facts, key, fingerprint, name, revoked ? 0 : (int64_t)role, e);
    pthread_rwlock_unlock(&p->lock);
    return rc;
}
