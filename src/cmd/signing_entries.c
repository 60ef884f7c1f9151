/* The vendor's entries for manifests of microcontrollers: which a request wants, and making them. */
#include <string.h>

#include "cmd/signing.h"
#include "trust/manifest_make.h"

static const struct tuf_doc *latest_root(const struct signing *s)
{
    return s->image.next != NULL ? s->image.next : s->image.present;
}

static struct str vendor_key(const struct signing *s)
{
    return signing_manifest_key(latest_root(s), "vendor");
}

bool signing_is_vendor_key(const struct signing *s, const char *keyid)
{
    struct str id = vendor_key(s);
    return id.p != NULL && str_is(id, keyid);
}

/* Another key than before: what was signed with that one has to be signed anew. */
static bool vendor_changes(const struct signing *s)
{
    return !str_eq(vendor_key(s), signing_manifest_key(s->image.present, "vendor"));
}

static bool same_in_base(const struct tuf_doc *base, const struct tuf_doc *doc, const struct tuf_target *t)
{
    yyjson_val *then =
        base != NULL ? yyjson_obj_getn(yyjson_obj_get(base->body, "targets"), t->name.p, t->name.n) : NULL;
    yyjson_val *now = yyjson_obj_getn(yyjson_obj_get(doc->body, "targets"), t->name.p, t->name.n);
    return then != NULL && yyjson_equals(then, now);
}

/* Says the same, and is signed by the key that counts from now on. */
static bool has_entry(const struct signing *s, const struct tuf_target *t, const struct manifest_entry *want,
                      const unsigned char *key)
{
    struct manifest_entry got;
    for (size_t i = 0; i < s->request.entry_count; i++)
        if (str_is(t->name, s->request.entries[i].target))
            return manifest_entry_read(s->request.entries[i].cose, &keys_crypto, key, &got, NULL) == 0 &&
                   manifest_entry_same(&got, want);
    return false;
}

typedef int entry_fn(struct signing *s, const struct tuf_target *t, const struct manifest_entry *entry,
                     void *ctx, struct err *e);

/* ERR_UNSUPPORTED: no manifest can name it. */
static int entry_of(const struct tuf_target *t, struct manifest_entry *out, struct err *e)
{
    struct trust_custom custom;
    if (t->custom == NULL || trust_custom_read(t->custom, &custom, NULL) != 0)
        return err_set(e, ERR_UNSUPPORTED, "a target that does not say what it is");
    return manifest_entry_of(t, &custom, out, e);
}

static int each_in(struct signing *s, const struct tuf_doc *doc, const struct tuf_doc *base, entry_fn *fn,
                   void *ctx, struct err *e)
{
    bool all = vendor_changes(s);
    struct tuf_target_iter it;
    struct tuf_target t;
    struct manifest_entry entry;
    int rc;
    tuf_target_iter_begin(doc, &it);
    while ((rc = tuf_target_iter_next(&it, &t, e)) == 0) {
        if (!all && same_in_base(base, doc, &t))
            continue;
        rc = entry_of(&t, &entry, e);
        if (rc == 0 || rc == ERR_UNSUPPORTED)
            rc = fn(s, &t, rc == 0 ? &entry : NULL, ctx, e);
        if (rc != 0)
            return rc;
    }
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Calls fn for each target that wants an entry: new and changed ones; all, when the key is another. entry
   NULL: no manifest can name it. */
static int each_wanted(struct signing *s, entry_fn *fn, void *ctx, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->count; i++)
        if (s->items[i].doc.type == TUF_TARGETS)
            rc = each_in(s, &s->items[i].doc, s->items[i].base, fn, ctx, e);
    return rc;
}

struct counting {
    const unsigned char *key;
    struct signing_entries n;
};

static int count_one(struct signing *s, const struct tuf_target *t, const struct manifest_entry *entry,
                     void *ctx, struct err *e)
{
    struct counting *c = ctx;
    (void)e;
    if (entry == NULL)
        c->n.impossible++;
    else
        c->n.wanted++;
    if (entry != NULL && !has_entry(s, t, entry, c->key))
        c->n.missing++;
    return 0;
}

int signing_entries_count(struct signing *s, struct signing_entries *out, struct err *e)
{
    unsigned char key[TRUST_SPKI_MAX];
    struct counting c = {.key = key};
    if (vendor_key(s).p == NULL) {
        *out = c.n;
        return 0;
    }
    int rc = tuf_manifest_key_raw(latest_root(s), "vendor", key, e);
    if (rc == 0)
        rc = each_wanted(s, count_one, &c, e);
    if (rc == 0)
        *out = c.n;
    return rc;
}

struct making {
    const struct sign_key *key;
    const unsigned char *public;
    size_t made;
};

static int make_one(struct signing *s, const struct tuf_target *t, const struct manifest_entry *entry,
                    void *ctx, struct err *e)
{
    struct making *m = ctx;
    if (entry == NULL || has_entry(s, t, entry, m->public))
        return 0;
    struct manifest_draft draft;
    struct str sig, cose;
    const char *target = arena_dup_str(s->arena, t->name);
    int rc = target != NULL ? manifest_draft_entry(entry, s->arena, &draft, e)
                            : err_set(e, ERR_NOMEM, "no memory for a manifest's entry");
    if (rc == 0)
        rc = keys_sign_raw(m->key, draft.to_be_signed, s->arena, &sig, e);
    if (rc == 0)
        rc = manifest_seal(&draft, sig, s->arena, &cose, e);
    if (rc == 0)
        rc = request_put_entry(&s->request, target, cose, s->arena, e);
    m->made += rc == 0;
    return rc;
}

int signing_entries_make(struct signing *s, const struct sign_key *key, size_t *made, struct err *e)
{
    unsigned char public[TRUST_SPKI_MAX];
    struct making m = {.key = key, .public = public};
    int rc = tuf_manifest_key_raw(latest_root(s), "vendor", public, e);
    if (rc == 0)
        rc = each_wanted(s, make_one, &m, e);
    if (rc == 0)
        *made = m.made;
    return rc;
}
