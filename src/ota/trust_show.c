#include "ota/trust_show.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "keys/keys.h"
#include "ota/catalogue.h"
#include "ota/trust.h"
#include "store/db.h"
#include "store/releases.h"
#include "trust/custom.h"

/* --- a file --------------------------------------------------------------------------------------------- */

static bool is_role_name(struct str s)
{
    return str_is_name(s) || trust_role_model(s).p != NULL;
}

/* "3.root.json": version and role. */
static int read_name(struct str name, struct arena *a, const char **role, int64_t *version, struct err *e)
{
    static const struct str end = {.p = ".json", .n = 5};
    struct str rest = name, number;
    uint64_t v = 0;
    bool ok = name.n > end.n && memcmp(name.p + name.n - end.n, end.p, end.n) == 0;
    if (ok)
        rest.n -= end.n;
    bool versioned = ok && !str_is(rest, "timestamp");
    if (versioned)
        ok = str_split(&rest, '.', &number) && str_to_u64(number, INT64_MAX, &v) == 0 && v > 0 &&
             number.p[0] != '0';
    if (!ok || !is_role_name(rest))
        return err_set(e, ERR_NOT_FOUND, "there is no such file: timestamp.json, or VERSION.ROLE.json");
    const char *kept = arena_dup_str(a, rest);
    if (kept == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a file's name");
    *role = kept;
    *version = (int64_t)v;
    return 0;
}

static int find_file(struct db *db, struct arena *a, enum repository r, const char *role, int64_t version,
                     struct metadata *out, struct err *e)
{
    struct metadata m;
    if (version != 0)
        return store_metadata_get(db, a, r, role, version, false, out, e);
    int rc = store_metadata_current(db, a, r, role, false, &m, e);
    if (rc == 0 && m.version == 0)
        rc = err_set(e, ERR_NOT_FOUND, "the %s repository has no %s yet", repository_word(r), role);
    if (rc == 0)
        *out = m;
    return rc;
}

int ota_trust_file(struct db *db, struct arena *a, enum repository r, struct str name, struct metadata *out,
                   struct err *e)
{
    const char *role = "";
    int64_t version = 0;
    int rc = read_name(name, a, &role, &version, e);
    /* The director's other files are each device's own, and its unversioned ones do not exist. */
    if (rc == 0 && r == REPOSITORY_DIRECTOR && strcmp(role, "root") != 0)
        rc = err_set(e, ERR_NOT_FOUND, "there is no such file: VERSION.root.json, or DEVICE/targets.json");
    return rc != 0 ? rc : find_file(db, a, r, role, version, out, e);
}

/* --- who signed ----------------------------------------------------------------------------------------- */

struct look {
    struct db *db;
    struct arena *a;
    struct trust_space space;
    struct tuf_doc root, targets; /* .body NULL: none */
};

static int read_doc(struct look *l, const struct metadata *m, enum tuf_type type, struct tuf_doc *out,
                    struct err *e)
{
    auto_arena struct arena own; /* one body at a time: several would not fit a request's memory */
    arena_init(&own, (size_t)m->size + 65536);
    struct metadata whole;
    int rc = store_metadata_get(l->db, &own, m->repository, m->role, m->version, true, &whole, e);
    return rc != 0 ? rc : tuf_doc_read(whole.body, type, &l->space, out, e);
}

static enum tuf_type type_of(const char *role)
{
    for (int i = TUF_ROOT; i <= TUF_TARGETS; i++)
        if (strcmp(role, tuf_type_word((enum tuf_type)i)) == 0)
            return (enum tuf_type)i;
    return TUF_TARGETS;
}

/* What names its keys. ERR_NOT_FOUND: nothing does. */
static int find_role(struct look *l, const struct metadata *m, struct tuf_role *out, struct err *e)
{
    enum tuf_type type = type_of(m->role);
    struct tuf_delegation delegation;
    if (strcmp(m->role, tuf_type_word(type)) == 0)
        return tuf_root_role(&l->root, type, out, e);
    if (l->targets.body == NULL)
        return err_set(e, ERR_NOT_FOUND, "there are no targets metadata");
    int rc = tuf_delegation_find(&l->targets, str_of(m->role), &delegation, e);
    if (rc == 0)
        *out = delegation.role;
    return rc;
}

static int keep_signers(struct arena *a, const struct tuf_signer *found, size_t count,
                        struct trust_role_view *v, struct err *e)
{
    v->signers = arena_array(a, struct trust_signer_view, count + 1);
    if (v->signers == NULL)
        return err_set(e, ERR_NOMEM, "no memory to list who signed");
    for (size_t i = 0; i < count; i++) {
        if (!found[i].signed_it)
            continue;
        const char *keyid = arena_dup_str(a, found[i].keyid);
        if (keyid == NULL)
            return err_set(e, ERR_NOMEM, "no memory to list who signed");
        v->signers[v->signer_count++] = (struct trust_signer_view){
            .keyid = keyid, .scheme = found[i].scheme != NULL ? found[i].scheme->name : NULL};
    }
    v->looked = true;
    return 0;
}

static int view_role(struct look *l, struct trust_role_view *v, struct err *e)
{
    struct tuf_signer found[TUF_ROLE_KEYS_MAX];
    struct tuf_role role;
    struct tuf_doc doc;
    size_t count = 0, mark = space_mark(&l->space);
    struct err nobody = {0};
    int rc = find_role(l, &v->m, &role, &nobody);
    if (rc != 0)
        return rc == ERR_NOT_FOUND ? 0 : err_set(e, rc, "%s", nobody.text);
    v->threshold = role.threshold;
    v->counts = role.counts;
    rc = read_doc(l, &v->m, type_of(v->m.role), &doc, e);
    if (rc == 0)
        rc = tuf_signers(&doc, &role, &keys_crypto, &l->space, found, TUF_ROLE_KEYS_MAX, &count, e);
    if (rc == 0)
        rc = keep_signers(l->a, found, count, v, e);
    space_release(&l->space, mark);
    return rc;
}

/* --- all of it ------------------------------------------------------------------------------------------ */

static int read_namers(struct look *l, const struct metadata *list, size_t count, struct err *e)
{
    int rc = 0;
    l->root.body = l->targets.body = NULL;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (strcmp(list[i].role, "root") == 0)
            rc = read_doc(l, &list[i], TUF_ROOT, &l->root, e);
        else if (strcmp(list[i].role, "targets") == 0)
            rc = read_doc(l, &list[i], TUF_TARGETS, &l->targets, e);
    }
    return rc;
}

static int view_repository(struct look *l, enum repository r, struct trust_overview *o, struct err *e)
{
    struct metadata *list;
    size_t count;
    int rc = store_metadata_list(l->db, l->a, r, &list, &count, e);
    struct trust_role_view *views = rc == 0 ? arena_array(l->a, struct trust_role_view, count + 1) : NULL;
    if (rc == 0 && views == NULL)
        rc = err_set(e, ERR_NOMEM, "no memory to list the roles");
    if (rc == 0)
        rc = read_namers(l, list, count, e);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        views[i].m = list[i];
        bool first = i < TRUST_SHOW_SIGNERS_MAX || trust_role_model(str_of(list[i].role)).p == NULL;
        if (first && l->root.body != NULL)
            rc = view_role(l, &views[i], e);
    }
    if (rc != 0)
        return rc;
    o->roles[r] = views;
    o->count[r] = count;
    return 0;
}

static int view_drafts(struct db *db, struct arena *a, struct trust_overview *o, struct err *e)
{
    int64_t *pks;
    size_t count;
    int rc = store_release_drafts(db, a, TRUST_SHOW_DRAFTS_MAX, &pks, &count, e);
    o->drafts = rc == 0 ? arena_array(a, struct release, count + 1) : NULL;
    if (rc == 0 && o->drafts == NULL)
        rc = err_set(e, ERR_NOMEM, "no memory to list the drafts");
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = store_release_by_pk(db, a, pks[i], &o->drafts[i], e);
        if (rc == 0)
            rc = store_release_details(db, a, &o->drafts[i], e);
    }
    o->draft_count = rc == 0 ? count : 0;
    return rc;
}

#define SHOW_SPACE_BYTES ((size_t)1 << 28) /* touched as it is used: two files at a time */

static int show(struct db *db, struct arena *a, struct trust_overview *o, struct err *e)
{
    auto_free void *memory = malloc(SHOW_SPACE_BYTES);
    struct look l = {.db = db, .a = a};
    if (memory == NULL)
        return err_set(e, ERR_NOMEM, "no memory to look at the update metadata");
    int rc = 0;
    for (int r = 0; rc == 0 && r < REPOSITORIES; r++) {
        space_init(&l.space, memory, SHOW_SPACE_BYTES);
        rc = view_repository(&l, (enum repository)r, o, e);
    }
    return rc != 0 ? rc : view_drafts(db, a, o, e);
}

int ota_trust_show(struct ota *ota, struct db *db, struct arena *a, struct trust_overview *out, struct err *e)
{
    struct trust_overview o = {.unsigned_allowed = trust_unsigned_allowed(ota)};
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = show(db, a, &o, e);
    db_read_end(db);
    if (rc == 0)
        *out = o;
    return rc;
}

/* --- a target ------------------------------------------------------------------------------------------- */

/* The release's file under its name in the repository, HASH.FILENAME, or NULL. */
static struct artifact *find_target_file(const struct release *r, struct str name)
{
    struct str rest = name, hash;
    if (!str_split(&rest, '.', &hash))
        return NULL;
    for (size_t i = 0; i < r->artifact_count; i++)
        if (str_is(hash, r->artifacts[i].sha256) && str_is(rest, r->artifacts[i].filename))
            return &r->artifacts[i];
    return NULL;
}

int ota_trust_target(struct db *db, struct arena *a, const struct str path[4], const char *model,
                     struct release *out, struct err *e)
{
    struct release r;
    const char *of = arena_dup_str(a, path[0]);
    if (of == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a model's name");
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = store_release_by_name(db, a, path[1], path[2], &r, e);
    if (rc == 0)
        rc = store_release_details(db, a, &r, e);
    db_read_end(db);
    if (rc != 0 && rc != ERR_NOT_FOUND)
        return rc;
    struct artifact *file = rc == 0 ? find_target_file(&r, path[3]) : NULL;
    if (file == NULL || r.deleted_at != 0 || !release_fits(&r, of) ||
        (model != NULL && (strcmp(model, of) != 0 || r.state != RELEASE_PUBLISHED)))
        return err_set(e, ERR_NOT_FOUND, "the image repository has no such target");
    r.artifacts = file;
    r.artifact_count = 1;
    *out = r;
    return 0;
}

/* --- what is to be signed of a release ------------------------------------------------------------------ */

static int standing_of(struct db *db, struct arena *a, int64_t release, const char *model,
                       struct trust_standing *out, struct err *e)
{
    struct trust_standing made = {0};
    int64_t last = 0;
    int rc = store_signed_terms(db, a, release, model, &made.signed_it, &made.terms, e);
    if (rc == 0 && made.terms.sequence == 0)
        rc = store_sequence_last(db, model, &last, e);
    if (rc != 0)
        return rc;
    made.sequence = made.terms.sequence != 0 ? made.terms.sequence : last + 1;
    *out = made;
    return 0;
}

int ota_trust_standings(struct db *db, struct arena *a, const struct release *r, struct trust_standing **out,
                        struct err *e)
{
    struct trust_standing *list = arena_array(a, struct trust_standing, r->model_count);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory for what was signed of a release");
    int rc = db_read_begin(db, e);
    for (size_t i = 0; rc == 0 && i < r->model_count; i++)
        rc = standing_of(db, a, r->pk, r->models[i], &list[i], e);
    db_read_end(db);
    if (rc == 0)
        *out = list;
    return rc;
}
