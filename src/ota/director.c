#include "ota/director.h"

#include <inttypes.h>

#include "base/log.h"
#include "ota/director_file.h"
#include "ota/director_select.h"
#include "ota/ota.h"
#include "store/actions.h"
#include "store/db.h"
#include "store/devices.h"
#include "store/releases.h"
#include "store/signed.h"
#include "trust/client.h"

_Static_assert(TUF_DECISION_MAX >= RELEASE_ARTIFACTS_MAX, "all files of a release");

#define CLOCK_SLACK_MS 3600000 /* a file may be this much younger than the clock says: that went back */

/* What is known when a file is asked for. */
struct scene {
    struct ota *ota;
    struct db *db;
    struct arena *arena;
    enum director_kind kind;
    int64_t now_ms;
    int64_t unsure; /* devices may know versions up to this one that the database does not; 0: none */
    struct device device;
    struct release release; /* the one that was decided on, with its files */
    struct director_decision decision;
    struct director_row row;  /* signed last */
    struct trust_named named; /* the keys that the root in force names */
    struct director_order order;
};

/* --- what should it say --------------------------------------------------------------------------------- */

static int is_vouched(struct scene *s, int64_t release, bool *out, struct err *e)
{
    struct signed_terms terms;
    struct err why;
    int rc = store_signed_terms(s->db, s->arena, release, s->device.model, out, &terms, &why);
    if (rc == ERR_NOT_FOUND) { /* the device has another model by now */
        *out = false;
        return 0;
    }
    return rc == 0 ? 0 : err_set(e, rc, "%s", why.text);
}

static int read_release(struct scene *s, int64_t pk, struct director_release *out, struct err *e)
{
    struct release *r = &s->release;
    bool vouched = false;
    int rc = store_release_by_pk(s->db, s->arena, pk, r, e);
    if (rc == 0)
        rc = store_release_details(s->db, s->arena, r, e);
    if (rc == 0)
        rc = is_vouched(s, pk, &vouched, e);
    if (rc == 0)
        *out = (struct director_release){
            .pk = pk, .deleted = r->deleted_at != 0, .vouched = vouched, .files = r->artifact_count};
    return rc;
}

/* The open action's release, 0 for none: what was called off counts no more, unless it is being installed. */
static int read_open(struct scene *s, int64_t *release, struct err *e)
{
    struct action open;
    int rc = store_action_open(s->db, s->arena, s->device.pk, &open, e);
    if (rc == 0)
        *release = open.pk != 0 && !(open.called_off && action_may_cancel(open.state)) ? open.release : 0;
    return rc;
}

static int decide(struct scene *s, struct err *e)
{
    int64_t open = 0, succeeded = 0;
    struct director_release known;
    struct director_facts facts = {.one_file = s->kind == DIRECTOR_MANIFEST};
    int rc = read_open(s, &open, e);
    if (rc == 0 && open == 0) /* only asked where it counts */
        rc = store_action_succeeded(s->db, s->device.pk, &succeeded, e);
    int64_t named = open != 0 ? open : succeeded;
    if (rc == 0 && named != 0) {
        rc = read_release(s, named, &known, e);
        *(open != 0 ? &facts.open : &facts.succeeded) = &known;
    }
    if (rc != 0)
        return rc;
    s->decision = ota_director_select(&facts);
    s->order = (struct director_order){.device = s->device.id};
    if (s->decision.release != NULL)
        s->order.release = named;
    s->decision.release = NULL; /* it was on this stack */
    return 0;
}

static int describe_file(struct scene *s, const struct artifact *f, struct director_target *out,
                         struct err *e)
{
    const struct release *r = &s->release;
    char path[TUF_TARGET_NAME_MAX + 1];
    if (!trust_target_path(str_of(s->device.model), str_of(r->name), str_of(r->version), str_of(f->filename),
                           path, sizeof path))
        return err_set(e, ERR_CORRUPT, "%s %s has no path in the image repository", r->name, r->version);
    *out = (struct director_target){
        .path = arena_dup_str(s->arena, str_of(path)), .sha256 = f->sha256, .size = f->size};
    return out->path != NULL ? 0 : err_set(e, ERR_NOMEM, "no memory for a director's file");
}

static int describe_files(struct scene *s, struct err *e)
{
    const struct release *r = &s->release;
    struct director_target *list = arena_array(s->arena, struct director_target, r->artifact_count);
    int rc = list == NULL ? err_set(e, ERR_NOMEM, "no memory for a director's file") : 0;
    for (size_t i = 0; rc == 0 && i < r->artifact_count; i++)
        rc = describe_file(s, &r->artifacts[i], &list[i], e);
    s->order.targets = list;
    s->order.target_count = rc == 0 ? r->artifact_count : 0;
    return rc;
}

static int describe(struct scene *s, struct err *e)
{
    if (s->order.release == 0)
        return 0;
    if (s->kind == DIRECTOR_TARGETS)
        return describe_files(s, e);
    const struct release *r = &s->release;
    int rc = store_signed_entry(s->db, s->arena, r->pk, s->device.model, &s->order.entry, e);
    if (rc == 0 && s->order.entry.n == 0)
        rc = err_set(e, ERR_NOT_FOUND,
                     "%s %s was not signed for small devices: no manifest can be made; the vendor's manifest "
                     "key signs it with pqota trust sign",
                     r->name, r->version);
    return rc;
}

static int read_scene(struct scene *s, const char *device_id, struct err *e)
{
    int rc = store_device_by_id(s->db, s->arena, device_id, &s->device, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, rc, "there is no device \"%s\"", device_id);
    if (rc == 0 && s->device.revoked_at != 0)
        rc = err_set(e, ERR_GONE, "device \"%s\" is revoked: nothing is signed for it", device_id);
    if (rc == 0)
        rc = decide(s, e);
    if (rc == 0)
        rc = describe(s, e);
    if (rc == 0)
        rc = store_restored_at(s->db, &s->unsure, e);
    if (rc == 0 && s->unsure != 0)
        s->unsure += DIRECTOR_AHEAD_S;
    if (rc == 0)
        rc = trust_named_read(s->ota, s->db, s->arena, &s->named, e);
    return rc == 0 ? store_director_get(s->db, s->arena, s->kind, s->device.pk, &s->row, e) : rc;
}

/* --- does what there is say that ------------------------------------------------------------------------ */

/* Whom devices would believe; NULL: nobody here. */
static const struct sign_keys *signer(const struct scene *s, const struct trust_keys *keys)
{
    enum trust_online role = director_role(s->kind);
    const struct sign_keys *own = trust_keys_of(keys, role);
    return trust_named_all(&s->named, role, own) ? own : NULL;
}

static int no_signer(const struct scene *s, const struct trust_keys *keys, struct director_work *w,
                     struct err *e)
{
    enum trust_online role = director_role(s->kind);
    if (trust_keys_of(keys, role) == NULL)
        return err_set(e, ERR_NOT_FOUND, "this server signs nothing for devices: it has no [trust] %s_key",
                       trust_online_word(role));
    w->unnamed = true;
    return err_set(e, ERR_BUSY,
                   "the director's root in force, version %" PRId64 ", does not name this server's [trust] "
                   "%s_key: nothing is signed with it until a root that does is uploaded",
                   s->named.root, trust_online_word(role));
}

/* Old enough to be made anew? A server that has lost its key hands out what it has to the end. */
static bool lives(const struct scene *s, const struct trust_keys *keys, const struct sign_keys *role)
{
    int64_t life_ms = trust_life_s(keys, director_role(s->kind)) * 1000;
    int64_t left = s->row.expires_at - s->now_ms;
    if (role == NULL)
        return left > 0;
    return left > life_ms / 3 && left <= life_ms + CLOCK_SLACK_MS;
}

/* Signed now, at its version and with its end, it would be the same bytes by the same keys. */
static int is_fresh(struct scene *s, const struct trust_keys *keys, bool *out, struct err *e)
{
    const struct sign_keys *role = signer(s, keys);
    const struct director_row *row = &s->row;
    struct manifest_draft draft;
    *out = false;
    if (row->version == 0 || row->version <= s->unsure || !lives(s, keys, role) ||
        (role != NULL && !director_signed_by(row->signatures, role)) ||
        !director_signed_by_named(s->kind, row->signatures, &s->named))
        return 0;
    int rc = director_draft(s->kind, &s->order, row->version, row->expires_at / 1000, s->arena, &draft, e);
    if (rc == 0)
        *out = str_eq(draft.payload, row->body);
    return rc;
}

static int serve(struct scene *s, struct director_work *w, struct err *e)
{
    struct str text;
    int rc = director_file(s->kind, s->row.body, s->row.signatures, s->arena, &text, e);
    if (rc != 0)
        return rc;
    w->text = text;
    w->version = s->row.version;
    return 0;
}

/* --- the steps ------------------------------------------------------------------------------------------ */

/* Above all that devices may have seen, also before a backup was put back. */
static int64_t next_version(const struct scene *s)
{
    int64_t version = s->now_ms / 1000;
    version = s->row.version >= version ? s->row.version + 1 : version;
    return s->unsure >= version ? s->unsure + 1 : version;
}

static int prepare(struct scene *s, const struct trust_keys *keys, struct director_work *w, struct err *e)
{
    if (s->decision.hindered)
        log_warn("director", "a device is told that there is nothing to run", LOG_STR("device", s->device.id),
                 LOG_STR("name", s->release.name), LOG_STR("version", s->release.version),
                 LOG_STR("because", s->decision.reason));
    w->device_pk = s->device.pk;
    w->release = s->order.release;
    w->version = next_version(s);
    w->expires_s = s->now_ms / 1000 + trust_life_s(keys, director_role(s->kind));
    return director_draft(s->kind, &s->order, w->version, w->expires_s, s->arena, &w->draft, e);
}

static int look(struct scene *s, bool writing, struct director_work *w, struct err *e)
{
    auto_trust_keys struct trust_keys *keys = trust_keys_get(s->ota);
    bool fresh = false;
    int rc = read_scene(s, w->device, e);
    if (rc != 0)
        return rc;
    if (keys != NULL)
        rc = is_fresh(s, keys, &fresh, e);
    if (rc != 0 || fresh)
        return rc != 0 ? rc : serve(s, w, e);
    if (signer(s, keys) == NULL)
        return no_signer(s, keys, w, e);
    return writing ? prepare(s, keys, w, e) : DIRECTOR_UPGRADE;
}

int ota_director_look(struct ota *ota, struct db *db, bool writing, struct arena *a, struct director_work *w,
                      struct err *e)
{
    struct scene s = {.ota = ota, .db = db, .arena = a, .kind = w->kind, .now_ms = clock_unix_ms(ota->clock)};
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = look(&s, writing, w, e);
    db_read_end(db);
    return rc;
}

int ota_director_sign(struct ota *ota, struct arena *a, struct director_work *w, struct err *e)
{
    auto_trust_keys struct trust_keys *keys = trust_keys_get(ota);
    enum trust_online role = director_role(w->kind);
    const struct sign_keys *own = trust_keys_of(keys, role);
    if (own == NULL)
        return err_set(e, ERR_BUSY, "the director's key was taken away just now");
    int rc = director_signatures(w->kind, own, w->draft.to_be_signed, a, &w->signatures, e);
    if (rc == 0)
        trust_count(ota, role, own->count);
    return rc;
}

static int store(struct scene *s, struct director_work *w, struct err *e)
{
    auto_trust_keys struct trust_keys *keys = trust_keys_get(s->ota);
    struct manifest_draft now;
    bool fresh = false;
    int rc = read_scene(s, w->device, e);
    if (rc == 0)
        rc = is_fresh(s, keys, &fresh, e);
    if (rc != 0 || fresh)
        return rc != 0 ? rc : serve(s, w, e);
    rc = director_draft(s->kind, &s->order, w->version, w->expires_s, s->arena, &now, e);
    if (rc != 0)
        return rc;
    if (s->device.pk != w->device_pk || s->row.version >= w->version ||
        !str_eq(now.payload, w->draft.payload) ||
        !director_signed_by_named(s->kind, w->signatures, &s->named))
        return err_set(e, ERR_BUSY, "what device \"%s\" should run has changed just now", w->device);
    s->row = (struct director_row){
        .version = w->version,
        .expires_at = w->expires_s * 1000,
        .release = w->release,
        .body = w->draft.payload,
        .signatures = w->signatures,
    };
    rc = store_director_put(s->db, s->kind, s->device.pk, &s->row, e);
    return rc != 0 ? rc : serve(s, w, e);
}

int ota_director_store(struct ota *ota, struct db *db, struct arena *a, struct director_work *w,
                       struct err *e)
{
    struct scene s = {.ota = ota, .db = db, .arena = a, .kind = w->kind, .now_ms = clock_unix_ms(ota->clock)};
    return store(&s, w, e);
}
