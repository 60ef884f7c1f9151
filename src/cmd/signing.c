#include "cmd/signing.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/trust.h"

static const struct tuf_rules rules = {.both_families = true};

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for a signing request");
}

/* --- what the file has ------------------------------------------------------------------------------ */

static struct signing_root *root_of(struct signing *s, const char *repository)
{
    return strcmp(repository, "image") == 0 ? &s->image : &s->director;
}

/* Its body must say what it is put down as here: a holder may care less for one repository than the other. */
static int check_repository(const struct tuf_doc *root, const char *repository, struct err *e)
{
    if (str_is(tuf_root_repository(root), repository))
        return 0;
    return err_set(e, ERR_INVALID,
                   "a root in this file does not say that it is the root of the repository %s", repository);
}

static int read_root(struct signing *s, struct str text, const char *repository, struct tuf_doc *doc,
                     struct err *e)
{
    if (text.p == NULL)
        return 0;
    struct err why = {0};
    struct tuf_role role;
    int rc = tuf_doc_read(text, TUF_ROOT, &s->space, doc, &why);
    if (rc == 0)
        rc = tuf_root_role(doc, TUF_ROOT, &role, &why);
    if (rc == 0)
        rc = tuf_verify(doc, &role, &rules, &keys_crypto, &s->space, &why);
    if (rc != 0)
        return err_set(e, rc, "the present root of the %s repository in this file is not one: %s", repository,
                       why.text);
    root_of(s, repository)->present = doc;
    return check_repository(doc, repository, e);
}

static int read_all(struct signing *s, struct err *e)
{
    int rc = read_root(s, s->request.image_root, "image", &s->roots[0], e);
    if (rc == 0)
        rc = read_root(s, s->request.director_root, "director", &s->roots[1], e);
    for (size_t i = 0; rc == 0 && i < s->request.base_count; i++)
        if ((rc = request_open(&s->request.base[i], &s->space, &s->base[i], e)) != 0)
            (void)err_context(e, "what this file compares with");
    for (size_t i = 0; rc == 0 && i < s->request.document_count; i++) {
        struct signing_item *item = &s->items[i];
        item->document = &s->request.documents[i];
        rc = request_open(item->document, &s->space, &item->doc, e);
        if (rc == 0 && item->doc.type == TUF_ROOT) {
            root_of(s, item->document->repository)->next = &item->doc;
            rc = check_repository(&item->doc, item->document->repository, e);
        }
        s->count += rc == 0;
    }
    return rc;
}

/* --- who must sign ---------------------------------------------------------------------------------- */

static int add_root_role(struct signing_item *item, const struct tuf_doc *root, enum tuf_type role,
                         const char *words, struct err *e)
{
    struct signing_role *r = &item->roles[item->role_count];
    int rc = tuf_root_role(root, role, &r->role, e);
    if (rc != 0)
        return rc;
    r->words = words;
    item->role_count++;
    return 0;
}

/* Section 5.3.4: the holders that the present root names, and those that it names itself. */
static int root_roles(struct signing *s, struct signing_item *item, struct err *e)
{
    const struct tuf_doc *present = root_of(s, item->document->repository)->present;
    item->base = present;
    item->base_vouched = present != NULL;
    int rc = 0;
    if (present != NULL)
        rc = add_root_role(item, present, TUF_ROOT, "the present root's holders", e);
    if (rc == 0)
        rc = add_root_role(item, &item->doc, TUF_ROOT,
                           present != NULL ? "the new root's holders" : "the root's holders", e);
    if (rc != 0 || item->role_count < 2)
        return rc;
    const struct tuf_role *old = &item->roles[0].role, *new = &item->roles[1].role;
    if (tuf_same_keys(old, new) && old->threshold == new->threshold &&
        memcmp(&old->counts.need, &new->counts.need, sizeof old->counts.need) == 0) {
        item->role_count = 1;
        item->roles[0].words = "the root's holders";
    }
    return 0;
}

static const struct tuf_doc *base_of(const struct signing *s, const char *repository, const char *role)
{
    for (size_t i = 0; i < s->request.base_count; i++)
        if (strcmp(s->request.base[i].repository, repository) == 0 &&
            strcmp(s->request.base[i].role, role) == 0)
            return &s->base[i];
    return NULL;
}

/* The document of that role: the new one where there is one, else the present one. NULL: neither. */
static const struct tuf_doc *latest_of(const struct signing *s, const char *repository, const char *role)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->items[i].document->repository, repository) == 0 &&
            strcmp(s->items[i].document->role, role) == 0)
            return &s->items[i].doc;
    return base_of(s, repository, role);
}

/* Who signs a targets file by that root and that top-level targets file (for delegated ones). */
static int targets_role(const char *name, const struct tuf_doc *root, const struct tuf_doc *targets,
                        struct tuf_role *out, struct err *e)
{
    struct tuf_delegation d;
    if (strcmp(name, "targets") == 0)
        return root != NULL ? tuf_root_role(root, TUF_TARGETS, out, e)
                            : err_set(e, ERR_INVALID, "the file has no root that says who signs targets");
    if (targets == NULL)
        return err_set(e, ERR_INVALID, "the file has no targets that say who signs %s", name);
    int rc = tuf_delegation_find(targets, str_of(name), &d, e);
    if (rc == 0)
        *out = d.role;
    return rc;
}

static int targets_roles(struct signing *s, struct signing_item *item, struct err *e)
{
    const char *repository = item->document->repository, *name = item->document->role;
    const struct signing_root *root = root_of(s, repository);
    struct tuf_role was;
    int rc = targets_role(name, root->next != NULL ? root->next : root->present,
                          latest_of(s, repository, "targets"), &item->roles[0].role, e);
    if (rc != 0)
        return rc;
    item->roles[0].words = "its holders";
    item->role_count = 1;
    item->base = base_of(s, repository, name);
    if (item->base != NULL &&
        targets_role(name, root->present, base_of(s, repository, "targets"), &was, NULL) == 0)
        item->base_vouched = tuf_verify(item->base, &was, &rules, &keys_crypto, &s->space, NULL) == 0;
    return 0;
}

static int find_roles(struct signing *s, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->count; i++) {
        struct signing_item *item = &s->items[i];
        rc = item->doc.type == TUF_ROOT ? root_roles(s, item, e) : targets_roles(s, item, e);
    }
    return rc;
}

int signing_open(struct signing *s, struct str text, struct arena *a, struct err *e)
{
    *s = (struct signing){.arena = a, .memory = malloc(TRUST_SPACE_SIZE)};
    if (s->memory == NULL)
        return no_memory(e);
    space_init(&s->space, s->memory, TRUST_SPACE_SIZE);
    int rc = request_read(text, a, &s->request, e);
    if (rc == 0)
        rc = read_all(s, e);
    return rc == 0 ? find_roles(s, e) : rc;
}

void signing_close(struct signing *s)
{
    free(s->memory);
    s->memory = NULL;
}

/* --- who did ---------------------------------------------------------------------------------------- */

bool signing_may(const struct signing_item *item, const char *keyid)
{
    for (size_t r = 0; r < item->role_count; r++) {
        struct tuf_key key;
        if (tuf_role_key_find(&item->roles[r].role, str_of(keyid), &key))
            return true;
    }
    return false;
}

int signing_count(const struct tuf_doc *doc, const struct tuf_role *role, struct trust_space *space,
                  struct signing_tally *out, struct err *e)
{
    struct signing_tally t = {.threshold = role->threshold};
    int rc = tuf_signers(doc, role, &keys_crypto, space, t.signer, TUF_ROLE_KEYS_MAX, &t.count, e);
    if (rc != 0)
        return rc;
    memcpy(t.need, role->counts.need, sizeof t.need);
    for (size_t i = 0; i < t.count; i++) {
        if (t.signer[i].signed_it && !t.signer[i].scheme->old)
            t.have[t.signer[i].scheme->family]++;
    }
    /* The last word: keys under several ids and the like count once. */
    t.complete = tuf_verify(doc, role, &rules, &keys_crypto, space, NULL) == 0;
    *out = t;
    return 0;
}

struct str signing_manifest_key(const struct tuf_doc *root, const char *whose)
{
    return root != NULL ? tuf_manifest_keyid(root, whose) : (struct str){.p = NULL, .n = 0};
}

int signing_is_complete(struct str text, struct arena *a, bool *complete, struct err *e)
{
    auto_signing struct signing s = {0};
    int rc = signing_open(&s, text, a, e);
    bool all = true;
    for (size_t i = 0; rc == 0 && i < s.count; i++)
        for (size_t r = 0; rc == 0 && r < s.items[i].role_count; r++) {
            struct signing_tally t;
            rc = signing_count(&s.items[i].doc, &s.items[i].roles[r].role, &s.space, &t, e);
            all = all && rc == 0 && t.complete;
        }
    if (rc == 0)
        *complete = all;
    return rc;
}
