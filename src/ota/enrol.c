#include "ota/enrol.h"

#include "base/rand.h"
#include "ota/announce.h"
#include "ota/issue.h"
#include "ota/principal.h"
#include "ota/token.h"
#include "store/certificates.h"
#include "store/devices.h"
#include "store/events.h"
#include "store/tokens.h"

#define ID_TRIES 8

/* One text for all of them: it tells nothing about which tokens there are. */
static int refused(struct err *e)
{
    return err_set(
        e, ERR_UNAUTHENTICATED,
        "this enrolment token does not count: it is mistyped, expired, used up or revoked; ask for a "
        "new one (pqota token new)");
}

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to enrol a device");
}

static int find_token(struct db *db, struct arena *a, const struct enrolment *en, struct token *out,
                      struct err *e)
{
    int rc = store_token_by_hash(db, a, en->token_hash, out, e);
    if (rc == ERR_NOT_FOUND)
        return refused(e);
    if (rc != 0)
        return rc;
    /* The index compared hashes, not tokens, so its timing tells nothing; this one counts nevertheless. */
    if (strlen(out->hash) != SHA256_HEX_SIZE - 1 ||
        !mem_eq_consttime(out->hash, en->token_hash, SHA256_HEX_SIZE - 1) || out->revoked_at != 0)
        return refused(e);
    return 0;
}

int ota_enrol_look(struct db *db, struct arena *a, struct enrolment *en, struct err *e)
{
    if (en->proposed_id != NULL && !str_is_device_id(str_of(en->proposed_id)))
        return err_set(
            e, ERR_INVALID,
            "\"id\" is no device id: it begins with a letter or digit, then letters, digits and . _ : -, "
            "64 bytes at most");
    int rc = ota_token_hash(en->token, en->token_hash, e);
    /* Used up or expired it may still be good for a lost reply: that depends on the key. */
    struct token t;
    return rc != 0 ? rc : find_token(db, a, en, &t, e);
}

int ota_enrol_check(struct enrolment *en, struct err *e)
{
    return issue_check(en->csr, en->key_id, e);
}

/* This key took a use of this token before: what became of it? */
static int resume(struct db *db, struct arena *a, const struct token *t, int64_t device, int64_t used_at,
                  int64_t now, struct enrolment *en, struct err *e)
{
    struct device d;
    int rc = store_device_by_pk(db, a, device, &d, e);
    if (rc != 0)
        return rc;
    if (d.revoked_at != 0)
        return refused(e);
    struct certificate c;
    rc = store_certificate_for_key(db, a, device, en->key_id, &c, e);
    if (rc != 0 && rc != ERR_NOT_FOUND)
        return rc;
    bool have = rc == 0 && c.issued_at >= used_at;
    if (have && issue_is_unused(&c, now)) {
        issue_again(&c, &en->pem, &en->cert);
        en->again = true;
    } else if (have && (c.first_used_at != 0 || c.revoked_at != 0)) {
        return err_set(
            e, ERR_CONFLICT,
            "device \"%s\" enrolled with this token and this key already and uses its certificate; "
            "it can renew that",
            d.id);
    } else if (now >= t->expires_at) {
        return refused(e); /* nothing new is signed under an expired token */
    }
    en->device = d.pk;
    en->id = d.id;
    en->model = d.model;
    return 0;
}

static int generate_id(struct db *db, struct arena *a, const char *model, const char **out, struct err *e)
{
    for (int i = 0; i < ID_TRIES; i++) {
        uint32_t random;
        char id[DEVICE_ID_MAX];
        struct device d;
        int rc = rand_bytes(&random, sizeof random, e);
        if (rc != 0)
            return rc;
        device_id_make(str_of(model), random, id);
        rc = store_device_by_id(db, a, id, &d, e);
        if (rc == ERR_NOT_FOUND) {
            *out = arena_dup_str(a, str_of(id));
            return *out != NULL ? 0 : no_memory(e);
        }
        if (rc != 0)
            return rc;
    }
    return err_set(e, ERR_BUSY, "%d random ids for model \"%s\" were all taken; try again or propose one",
                   ID_TRIES, model);
}

/* The token names an existing device: it gets a new certificate, and if it was revoked before the token
   was made, that is over. (What was revoked of its certificates stays so.) */
static int readmit(struct db *db, const struct token *t, const struct device *d, int64_t now, bool *restored,
                   struct err *e)
{
    if (strcmp(d->model, t->model) != 0)
        return err_set(e, ERR_CONFLICT, "the token is for model \"%s\", but device \"%s\" is of model \"%s\"",
                       t->model, d->id, d->model);
    if (d->revoked_at == 0)
        return 0;
    if (t->created_at <= d->revoked_at)
        return refused(e);
    int rc = store_device_set_revoked(db, d->pk, 0, e);
    /* Who began to enrol before the revocation and got no certificate yet gets none afterwards. */
    if (rc == 0)
        rc = store_token_uses_forget(db, d->pk, e);
    if (rc == 0)
        rc = store_event_add(db, now, "device.readmitted", t->created_by, d->id,
                             "its revocation is over: a token made after it names the device", e);
    if (rc == 0)
        *restored = true;
    return rc;
}

static int choose_device(struct db *db, struct arena *a, const struct token *t, int64_t now,
                         struct enrolment *en, bool *restored, struct err *e)
{
    if (t->device_id != NULL && en->proposed_id != NULL && strcmp(t->device_id, en->proposed_id) != 0)
        return err_set(e, ERR_DENIED, "this token is for another device than \"%s\"", en->proposed_id);
    const char *id = t->device_id != NULL ? t->device_id : en->proposed_id;
    int rc = id == NULL ? generate_id(db, a, t->model, &id, e) : 0;
    if (rc != 0)
        return rc;
    struct device d;
    rc = store_device_by_id(db, a, id, &d, e);
    if (rc == 0 && t->device_id == NULL)
        return err_set(e, ERR_CONFLICT,
                       "there is a device \"%s\" already; to enrol it again, use a token that names it "
                       "(pqota token new --device %s)",
                       id, id);
    if (rc == 0) {
        rc = readmit(db, t, &d, now, restored, e);
    } else if (rc == ERR_NOT_FOUND) {
        d = (struct device){.id = id, .model = t->model};
        rc = store_device_add(db, id, t->model, now, &d.pk, e);
    }
    if (rc != 0)
        return rc;
    en->device = d.pk;
    en->id = d.id;
    en->model = d.model;
    return 0;
}

int ota_enrol_reserve(struct ota *ota, struct db *db, struct arena *a, struct enrolment *en, struct err *e)
{
    struct token t;
    int64_t now = clock_unix_ms(ota->clock), device = 0, used_at = 0;
    int rc = find_token(db, a, en, &t, e);
    if (rc == 0)
        rc = store_token_use_get(db, t.id, en->key_id, &device, &used_at, e);
    if (rc != 0)
        return rc;
    if (device != 0)
        return resume(db, a, &t, device, used_at, now, en, e);
    if (now >= t.expires_at || t.uses >= t.uses_max)
        return refused(e);
    bool restored = false, taken = false;
    rc = choose_device(db, a, &t, now, en, &restored, e);
    if (rc == 0)
        rc = store_token_use_take(db, t.id, en->key_id, en->device, now, &taken, e);
    if (rc == 0 && !taken)
        return refused(e);
    if (rc == 0 && restored)
        principals_restore_device(ota->principals, en->id);
    return rc;
}

int ota_enrol_sign(struct ota *ota, struct arena *a, struct enrolment *en, struct err *e)
{
    if (en->again)
        return 0;
    return issue_sign(ota, a, en->csr, en->id, &en->pem, &en->cert, e);
}

int ota_enrol_store(struct ota *ota, struct db *db, struct arena *a, struct enrolment *en, struct err *e)
{
    if (en->again)
        return 0;
    struct device d;
    int rc = store_device_by_pk(db, a, en->device, &d, e);
    if (rc != 0)
        return rc;
    if (d.revoked_at != 0)
        return refused(e); /* revoked while its certificate was being signed */
    rc = issue_store(ota, db, a, en->device, "", &en->pem, &en->cert, &en->again, e);
    if (rc != 0 || en->again)
        return rc;
    rc = store_device_set_certified(db, d.pk, clock_unix_ms(ota->clock), e);
    if (rc != 0)
        return rc;
    char end[CLOCK_TEXT_MAX];
    const char *detail = arena_printf(a, "model %s, certificate %s until %s", d.model, en->cert.serial,
                                      clock_format(en->cert.not_after * 1000, end));
    if (detail == NULL)
        return no_memory(e);
    rc = store_event_add(db, clock_unix_ms(ota->clock), "device.enrolled", d.id, d.id, detail, e);
    return rc != 0 ? rc : announce_device(ota, db, d.pk, e);
}
