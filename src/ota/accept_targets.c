/* What targets a file brings beside those that were there, and which of those it leaves out. */
#include <stdlib.h>

#include "base/hex.h"
#include "base/json.h"
#include "ota/accept_impl.h"
#include "trust/manifest_make.h"

int accept_no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to look through the signed file");
}

int accept_no_room(struct err *e)
{
    return err_set(
        e, ERR_TOO_LARGE,
        "the file, with what it follows on, takes more memory than there is for checking one: sign "
        "fewer documents at once, or less in them");
}

static int cut_path(struct trust_accept *t, struct str path, struct accept_path *out, struct err *e)
{
    struct str rest = path, part[5];
    size_t n = 0;
    while (n < 5 && str_split(&rest, '/', &part[n]))
        n++;
    bool ok = n == 4;
    for (size_t i = 0; ok && i < n; i++)
        ok = str_is_name(part[i]);
    if (!ok)
        return err_set(e, ERR_INVALID, "the target " STR_FMT " is not written as MODEL/NAME/VERSION/FILENAME",
                       (int)(path.n < 200 ? path.n : 200), path.p);
    struct accept_path made = {
        .model = arena_dup_str(&t->arena, part[0]),
        .name = arena_dup_str(&t->arena, part[1]),
        .version = arena_dup_str(&t->arena, part[2]),
        .filename = arena_dup_str(&t->arena, part[3]),
    };
    if (made.model == NULL || made.name == NULL || made.version == NULL || made.filename == NULL)
        return accept_no_room(e);
    *out = made;
    return 0;
}

/* --- a new one ------------------------------------------------------------------------------------------ */

/* Its role may sign for it: the vendor's "targets", or the model's own. */
static int check_role(const struct trust_accept *t, const struct accept_doc *d, const struct accept_path *p,
                      struct str path, struct err *e)
{
    struct tuf_delegation delegation;
    char own[TUF_ROLE_NAME_MAX];
    bool fits;
    if (strcmp(d->role, "targets") == 0 &&
        (!trust_model_role(str_of(p->model), own, sizeof own) ||
         tuf_delegation_find(&t->targets, str_of(own), &delegation, NULL) != 0))
        return 0;
    if (strcmp(d->role, "targets") == 0)
        return err_set(e, ERR_MISMATCH, "the model %s has a role of its own, %s, which alone signs for it",
                       p->model, own);
    int rc = tuf_delegation_fits(&d->by, path, &keys_crypto, &fits, e);
    if (rc == 0 && !fits)
        rc = err_set(e, ERR_MISMATCH, "the role %s may not sign for the model %s", d->role, p->model);
    return rc;
}

static int read_terms(struct trust_accept *t, const struct trust_custom *c, struct accept_target *out,
                      struct err *e)
{
    const char *advisory = c->advisory.n > 0 ? arena_dup_str(&t->arena, c->advisory) : "";
    const char *type = arena_dup_str(&t->arena, c->type);
    if (advisory == NULL || type == NULL)
        return accept_no_room(e);
    out->type = type;
    out->terms = (struct signed_terms){
        .sequence = c->sequence,
        .unpacked_size = c->unpacked_size,
        .upgrade_from = c->upgrade_from,
        .counter = c->counter,
        .security = c->security,
        .advisory = advisory,
    };
    return 0;
}

static int read_fresh(struct trust_accept *t, const struct accept_doc *d, const struct tuf_target *target,
                      struct accept_target *out, struct err *e)
{
    struct accept_target made = {.length = target->length};
    struct trust_custom c;
    int rc = cut_path(t, target->name, &made.part, e);
    if (rc == 0)
        rc = check_role(t, d, &made.part, target->name, e);
    if (rc == 0 && !target->has_sha256)
        rc = err_set(e, ERR_INVALID, "it has no SHA-256");
    if (rc == 0)
        rc = target->custom != NULL
                 ? trust_custom_read(target->custom, &c, e)
                 : err_set(e, ERR_INVALID, "it lacks \"custom\": name, version, model, sequence");
    if (rc != 0)
        return rc;
    if (!str_is(c.name, made.part.name) || !str_is(c.version, made.part.version) ||
        !str_is(c.model, made.part.model))
        return err_set(e, ERR_MISMATCH, "its path and its \"custom\" name different releases");
    if (c.sequence < 1)
        return err_set(e, ERR_INVALID, "its sequence is below 1");
    if (c.sequence > UINT32_MAX || c.counter > UINT32_MAX || c.upgrade_from > UINT32_MAX)
        return err_set(e, ERR_INVALID, "it has numbers beyond 32 bits, which devices refuse");
    made.path = arena_dup_str(&t->arena, target->name);
    hex_encode(target->sha256, sizeof target->sha256, made.sha256);
    if (made.path == NULL)
        return accept_no_room(e);
    rc = read_terms(t, &c, &made, e);
    if (rc == 0)
        *out = made;
    return rc;
}

/* --- the targets of a document, by name ----------------------------------------------------------------- */

static int compare(struct str a, struct str b)
{
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static int by_name(const void *a, const void *b)
{
    const struct accept_place *x = a, *y = b;
    return compare(json_text(x->key), json_text(y->key));
}

static int list_targets(struct trust_accept *t, const struct tuf_doc *doc, struct accept_list *out,
                        struct err *e)
{
    struct tuf_target_iter it;
    struct accept_list list = {.count = doc->body != NULL ? tuf_target_count(doc) : 0};
    list.places = arena_array(&t->arena, struct accept_place, list.count);
    if (list.places == NULL)
        return accept_no_room(e);
    if (list.count > 0)
        tuf_target_iter_begin(doc, &it);
    for (size_t i = 0; i < list.count; i++) {
        list.places[i].at = it;
        list.places[i].key = yyjson_obj_iter_next(&it.inner);
    }
    qsort(list.places, list.count, sizeof *list.places, by_name);
    *out = list;
    return 0;
}

static int read_place(const struct accept_place *p, struct tuf_target *out, struct err *e)
{
    struct tuf_target_iter at = p->at;
    return tuf_target_iter_next(&at, out, e);
}

static int for_name(const void *name, const void *place)
{
    return compare(*(const struct str *)name, json_text(((const struct accept_place *)place)->key));
}

static const struct accept_place *find_place(const struct accept_list *list, struct str name)
{
    return bsearch(&name, list->places, list->count, sizeof *list->places, for_name);
}

/* --- the two lists side by side ------------------------------------------------------------------------- */

static int add_fresh(struct trust_accept *t, const struct accept_doc *d, const struct accept_place *p,
                     struct err *e)
{
    struct tuf_target target;
    struct str name = json_text(p->key);
    if (t->fresh_count == ACCEPT_FRESH_MAX)
        return err_set(e, ERR_TOO_LARGE, "the file brings more than %d new targets", ACCEPT_FRESH_MAX);
    int rc = read_place(p, &target, e);
    if (rc == 0)
        rc = read_fresh(t, d, &target, &t->fresh[t->fresh_count], e);
    if (rc != 0)
        return err_context(e, DOC_FMT ": target " STR_FMT, DOC_ARG(d), (int)(name.n < 200 ? name.n : 200),
                           name.p);
    t->fresh_count++;
    return 0;
}

static int add_gone(struct trust_accept *t, const struct accept_doc *d, const struct accept_place *p,
                    struct err *e)
{
    if (t->gone_count == ACCEPT_RELEASES_MAX)
        return err_set(e, ERR_TOO_LARGE, DOC_FMT ": more than %d targets are left out", DOC_ARG(d),
                       ACCEPT_RELEASES_MAX);
    int rc = cut_path(t, json_text(p->key), &t->gone[t->gone_count], e);
    t->gone_count += rc == 0;
    return rc;
}

static int check_same(const struct accept_doc *d, const struct accept_place *was,
                      const struct accept_place *is, struct err *e)
{
    struct str name = json_text(is->key);
    if (yyjson_equals(yyjson_obj_iter_get_val(was->key), yyjson_obj_iter_get_val(is->key)))
        return 0;
    return err_set(e, ERR_CONFLICT,
                   DOC_FMT ": the target " STR_FMT " says something else than before: a release does "
                           "not change, publish a new version",
                   DOC_ARG(d), (int)(name.n < 200 ? name.n : 200), name.p);
}

static int compare_lists(struct trust_accept *t, struct accept_doc *d, struct err *e)
{
    struct accept_list was;
    int rc = list_targets(t, &d->old, &was, e);
    if (rc == 0)
        rc = list_targets(t, &d->doc, &d->list, e);
    for (size_t i = 0, k = 0; rc == 0 && (i < was.count || k < d->list.count);) {
        const struct accept_place *x = i < was.count ? &was.places[i] : NULL;
        const struct accept_place *y = k < d->list.count ? &d->list.places[k] : NULL;
        int order = x == NULL ? 1 : y == NULL ? -1 : by_name(x, y);
        if (order < 0)
            rc = add_gone(t, d, x, e);
        else if (order > 0)
            rc = add_fresh(t, d, y, e);
        else
            rc = check_same(d, x, y, e);
        i += order <= 0;
        k += order >= 0;
    }
    return rc;
}

int accept_targets(struct trust_accept *t, struct err *e)
{
    t->fresh = arena_array(&t->arena, struct accept_target, ACCEPT_FRESH_MAX);
    t->gone = arena_array(&t->arena, struct accept_path, ACCEPT_RELEASES_MAX);
    int rc = t->fresh == NULL || t->gone == NULL ? accept_no_memory(e) : 0;
    for (size_t i = 0; rc == 0 && i < t->doc_count; i++)
        if (t->docs[i].type == TUF_TARGETS)
            rc = compare_lists(t, &t->docs[i], e);
    return rc;
}

/* --- the vendor's entries for manifests ----------------------------------------------------------------- */

static int vendor_key(struct trust_accept *t, unsigned char *out, struct err *e)
{
    int rc = tuf_manifest_key_raw(&t->root[REPOSITORY_IMAGE], "vendor", out, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_UNSUPPORTED,
                       "the file has entries for manifests, and the image root names no key that signs them");
    return rc;
}

/* NULL: the file does not bring it. */
static const struct accept_doc *doc_of(const struct trust_accept *t, const char *role)
{
    for (size_t i = 0; i < t->doc_count; i++)
        if (t->docs[i].type == TUF_TARGETS && strcmp(t->docs[i].role, role) == 0)
            return &t->docs[i];
    return NULL;
}

/* The model's own role signs for it, or "targets". */
int accept_find_target(const struct trust_accept *t, struct str name, const char *model,
                       struct tuf_target *out, struct err *e)
{
    char own[TUF_ROLE_NAME_MAX];
    const char *const roles[] = {trust_model_role(str_of(model), own, sizeof own) ? own : "targets",
                                 "targets"};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        const struct accept_doc *d = doc_of(t, roles[i]);
        const struct accept_place *p = d != NULL ? find_place(&d->list, name) : NULL;
        if (p != NULL)
            return read_place(p, out, e);
    }
    return err_set(e, ERR_CONFLICT, "no document of the file that could have it has that target");
}

static int check_entry(struct trust_accept *t, const struct request_entry *r, const unsigned char *key,
                       struct accept_entry *out, struct err *e)
{
    struct tuf_target target;
    struct trust_custom custom;
    struct manifest_entry says, signed_entry;
    struct accept_entry made = {.cose = r->cose};
    int rc = cut_path(t, str_of(r->target), &made.part, e);
    if (rc == 0)
        rc = accept_find_target(t, str_of(r->target), made.part.model, &target, e);
    if (rc == 0 && target.custom == NULL)
        rc = err_set(e, ERR_INVALID, "its target lacks \"custom\"");
    if (rc == 0)
        rc = trust_custom_read(target.custom, &custom, e);
    if (rc == 0)
        rc = manifest_entry_of(&target, &custom, &says, e);
    if (rc == 0)
        rc = manifest_entry_read(r->cose, &keys_crypto, key, &signed_entry, e);
    if (rc == 0 && !manifest_entry_same(&says, &signed_entry))
        rc = err_set(e, ERR_MISMATCH, "it says something else than its target");
    if (rc == 0)
        *out = made;
    return rc;
}

int accept_entries(struct trust_accept *t, struct err *e)
{
    unsigned char key[TRUST_SPKI_MAX];
    size_t count = t->request.entry_count;
    if (count == 0)
        return 0;
    if (t->root[REPOSITORY_IMAGE].body == NULL)
        return err_set(e, ERR_CONFLICT, "this server has no root of the image repository yet");
    t->entries = arena_array(&t->arena, struct accept_entry, count);
    int rc = t->entries == NULL ? accept_no_memory(e) : vendor_key(t, key, e);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = check_entry(t, &t->request.entries[i], key, &t->entries[i], e);
        if (rc != 0)
            err_context(e, "entry of %s", t->request.entries[i].target);
    }
    if (rc == 0)
        t->entry_count = count;
    return rc;
}
