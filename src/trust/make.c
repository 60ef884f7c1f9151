#include "trust/make.h"

#include <stdio.h>

#include "base/json.h"

#define KEYID_WORK 65536 /* bytes; a key is 5 kB at most */

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for new metadata");
}

/* --- bodies ----------------------------------------------------------------------------------------- */

static int check_life(int64_t version, int64_t expires_s, struct err *e)
{
    if (version < 1 || expires_s < 1)
        return err_set(e, ERR_INVALID, "metadata begin with version 1 and end after 1970, not %lld and %lld",
                       (long long)version, (long long)expires_s);
    return 0;
}

int make_body(enum tuf_type type, int64_t version, int64_t expires_s, yyjson_mut_doc **out, struct err *e)
{
    int rc = check_life(version, expires_s, e);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *body = doc != NULL ? yyjson_mut_obj(doc) : NULL;
    char expires[TUF_TIME_SIZE];
    tuf_time_write(expires_s, expires);
    bool ok = body != NULL && yyjson_mut_obj_add_str(doc, body, "_type", tuf_type_word(type)) &&
              yyjson_mut_obj_add_str(doc, body, "spec_version", TUF_SPEC_VERSION) &&
              yyjson_mut_obj_add_sint(doc, body, "version", version) &&
              yyjson_mut_obj_add_strcpy(doc, body, "expires", expires);
    if (ok && type != TUF_ROOT)
        ok = yyjson_mut_obj_add_obj(doc, body, type == TUF_TARGETS ? "targets" : "meta") != NULL;
    if (!ok)
        return no_memory(e);
    yyjson_mut_doc_set_root(doc, body);
    *out = doc;
    doc = NULL;
    return 0;
}

/* Sets a member, in the place of one of that name. */
static bool put(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, yyjson_mut_val *val)
{
    yyjson_mut_val *name = yyjson_mut_strcpy(doc, key);
    return name != NULL && val != NULL && yyjson_mut_obj_put(obj, name, val);
}

/* The object that is the member; made when there is none. NULL: no memory, or it is something else. */
static yyjson_mut_val *object_at(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(obj, key);
    if (v == NULL)
        return put(doc, obj, key, yyjson_mut_obj(doc)) ? yyjson_mut_obj_get(obj, key) : NULL;
    return yyjson_mut_is_obj(v) ? v : NULL;
}

int make_named(yyjson_mut_doc *doc, const char *role, struct err *e)
{
    yyjson_mut_val *own = object_at(doc, yyjson_mut_doc_get_root(doc), "pqota");
    if (own == NULL || !put(doc, own, "role", yyjson_mut_strcpy(doc, role)))
        return no_memory(e);
    return 0;
}

int make_next(const struct tuf_doc *now, int64_t expires_s, yyjson_mut_doc **out, struct err *e)
{
    int rc = check_life(now->version < INT64_MAX ? now->version + 1 : 0, expires_s, e);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *body = doc != NULL ? yyjson_val_mut_copy(doc, now->body) : NULL;
    char expires[TUF_TIME_SIZE];
    tuf_time_write(expires_s, expires);
    if (body == NULL || !put(doc, body, "version", yyjson_mut_sint(doc, now->version + 1)) ||
        !put(doc, body, "expires", yyjson_mut_strcpy(doc, expires)))
        return no_memory(e);
    yyjson_mut_doc_set_root(doc, body);
    *out = doc;
    doc = NULL;
    return 0;
}

/* --- keys and roles --------------------------------------------------------------------------------- */

static yyjson_mut_val *key_object(yyjson_mut_doc *doc, const struct trust_scheme_row *scheme,
                                  const char *public_text)
{
    yyjson_mut_val *key = yyjson_mut_obj(doc), *val = yyjson_mut_obj(doc);
    bool ok = key != NULL && val != NULL && yyjson_mut_obj_add_strcpy(doc, val, "public", public_text) &&
              yyjson_mut_obj_add_str(doc, key, "keytype", scheme->keytype) &&
              yyjson_mut_obj_add_str(doc, key, "scheme", scheme->name) &&
              yyjson_mut_obj_add_val(doc, key, "keyval", val);
    return ok ? key : NULL;
}

int make_keyid(const struct trust_scheme_row *scheme, const char *public_text,
               const struct trust_crypto *crypto, char keyid[SHA256_HEX_SIZE], struct err *e)
{
    unsigned char hash[TRUST_SHA256_SIZE];
    auto_arena struct arena arena;
    arena_init(&arena, KEYID_WORK);
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *key = doc != NULL ? key_object(doc, scheme, public_text) : NULL;
    if (key == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a key's id");
    yyjson_mut_doc_set_root(doc, key);
    struct str canon;
    int rc = make_canon(doc, &arena, &canon, e);
    if (rc == 0 && crypto->hash(crypto->ctx, TRUST_SHA256, canon.p, canon.n, hash) != 0)
        rc = err_set(e, ERR_CRYPTO, "cannot hash a public key");
    if (rc == 0)
        hex_encode(hash, sizeof hash, keyid);
    return rc;
}

/* Where the keys of a file stand (see enum tuf_place). standard NULL: no memory, or it is no object. */
struct keys {
    yyjson_mut_val *standard, *own;
};

/* parent: the body of a root, or the delegations of a targets body. Members that are not there are made. */
static struct keys keys_of(yyjson_mut_doc *doc, yyjson_mut_val *parent)
{
    yyjson_mut_val *mine = object_at(doc, yyjson_mut_doc_get_root(doc), "pqota");
    yyjson_mut_val *own = mine != NULL ? object_at(doc, mine, "keys") : NULL;
    return (struct keys){.standard = own != NULL ? object_at(doc, parent, "keys") : NULL, .own = own};
}

static bool is_own(const struct make_key *k)
{
    return k->scheme->family == TRUST_POST_QUANTUM;
}

static bool put_key(yyjson_mut_doc *doc, struct keys keys, const struct make_key *k)
{
    return put(doc, is_own(k) ? keys.own : keys.standard, k->keyid,
               key_object(doc, k->scheme, k->public_text));
}

/* A role that its keys can fill, each named once. */
static int check_role(const struct make_role *r, struct err *e)
{
    int64_t have[TRUST_FAMILIES] = {0};
    if (r->threshold < 1)
        return err_set(e, ERR_INVALID, "the role %s needs a threshold of at least 1", r->name);
    if (r->key_count > TUF_ROLE_KEYS_MAX)
        return err_set(e, ERR_TOO_LARGE, "the role %s has %zu keys; at most %d are possible", r->name,
                       r->key_count, TUF_ROLE_KEYS_MAX);
    for (size_t i = 0; i < r->key_count; i++) {
        for (size_t j = 0; j < i; j++)
            if (strcmp(r->keys[i].keyid, r->keys[j].keyid) == 0)
                return err_set(e, ERR_INVALID, "the key %.16s... is given twice for the role %s",
                               r->keys[i].keyid, r->name);
        if (!r->keys[i].scheme->old)
            have[r->keys[i].scheme->family]++;
    }
    if (have[TRUST_POST_QUANTUM] < r->threshold || have[TRUST_CLASSICAL] < r->threshold)
        return err_set(e, ERR_INVALID,
                       "the role %s needs %lld ML-DSA and as many classical keys (Ed25519, for one), but has "
                       "%lld and %lld",
                       r->name, (long long)r->threshold, (long long)have[TRUST_POST_QUANTUM],
                       (long long)have[TRUST_CLASSICAL]);
    return 0;
}

/* Key ids, threshold and both families' counts of a role's object; its keys among the file's. */
static bool fill_role(yyjson_mut_doc *doc, yyjson_mut_val *obj, struct keys keys, const struct make_role *r)
{
    yyjson_mut_val *ids = yyjson_mut_arr(doc), *own_ids = yyjson_mut_arr(doc), *own = yyjson_mut_obj(doc);
    bool ok = ids != NULL && own_ids != NULL && own != NULL;
    for (size_t i = 0; ok && i < r->key_count; i++)
        ok = put_key(doc, keys, &r->keys[i]) &&
             yyjson_mut_arr_add_strcpy(doc, is_own(&r->keys[i]) ? own_ids : ids, r->keys[i].keyid);
    return ok && yyjson_mut_obj_add_val(doc, own, "keyids", own_ids) &&
           yyjson_mut_obj_add_sint(doc, own, "ml-dsa", r->threshold) &&
           yyjson_mut_obj_add_sint(doc, own, "classical", r->threshold) && put(doc, obj, "keyids", ids) &&
           put(doc, obj, "threshold", yyjson_mut_sint(doc, r->threshold)) && put(doc, obj, "pqota", own);
}

/* Copies the key of that id from `keys` into `kept`. */
static bool keep_key(yyjson_mut_doc *doc, yyjson_mut_val *id, yyjson_mut_val *keys, yyjson_mut_val *kept)
{
    const char *name = yyjson_mut_get_str(id);
    yyjson_mut_val *key = name != NULL ? yyjson_mut_obj_get(keys, name) : NULL;
    if (key == NULL || yyjson_mut_obj_get(kept, name) != NULL)
        return true;
    return put(doc, kept, name, yyjson_mut_val_mut_copy(doc, key));
}

/* Those keys that a list of ids names. */
static bool keep_keys(yyjson_mut_doc *doc, yyjson_mut_val *ids, yyjson_mut_val *keys, yyjson_mut_val *kept)
{
    bool ok = true;
    size_t i, max;
    yyjson_mut_val *id;
    yyjson_mut_arr_foreach(ids, i, max, id)
    {
        ok = ok && keep_key(doc, id, keys, kept);
    }
    return ok;
}

struct keeping {
    struct keys from, to;
};

static bool keep_role(yyjson_mut_doc *doc, yyjson_mut_val *role, const struct keeping *k)
{
    yyjson_mut_val *own = yyjson_mut_obj_get(role, "pqota");
    return keep_keys(doc, yyjson_mut_obj_get(role, "keyids"), k->from.standard, k->to.standard) &&
           keep_keys(doc, yyjson_mut_obj_get(own, "keyids"), k->from.own, k->to.own);
}

/* Leaves only those keys that the parent's roles (an object or an array) or the root's manifests name. */
static int drop_keys(yyjson_mut_doc *doc, yyjson_mut_val *parent, struct err *e)
{
    yyjson_mut_val *mine = yyjson_mut_obj_get(yyjson_mut_doc_get_root(doc), "pqota");
    yyjson_mut_val *roles = yyjson_mut_obj_get(parent, "roles"), *name, *v;
    struct keeping k = {.from = keys_of(doc, parent), .to = {yyjson_mut_obj(doc), yyjson_mut_obj(doc)}};
    bool ok = k.from.standard != NULL && k.to.standard != NULL && k.to.own != NULL;
    size_t i, max;
    if (yyjson_mut_is_arr(roles)) {
        yyjson_mut_arr_foreach(roles, i, max, v)
        {
            ok = ok && keep_role(doc, v, &k);
        }
    } else {
        yyjson_mut_obj_foreach(roles, i, max, name, v)
        {
            ok = ok && keep_role(doc, v, &k);
        }
    }
    yyjson_mut_obj_foreach(yyjson_mut_obj_get(mine, "manifest"), i, max, name, v)
    {
        ok = ok && keep_key(doc, v, k.from.own, k.to.own) && keep_key(doc, v, k.from.standard, k.to.standard);
    }
    return ok && put(doc, parent, "keys", k.to.standard) && put(doc, mine, "keys", k.to.own) ? 0
                                                                                             : no_memory(e);
}

/* A root's role as it is from now on; its keys beside those that are there. */
static int put_role(yyjson_mut_doc *doc, const struct make_role *r, struct err *e)
{
    int rc = check_role(r, e);
    if (rc != 0)
        return rc;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *obj = yyjson_mut_obj(doc);
    yyjson_mut_val *roles = object_at(doc, root, "roles");
    struct keys keys = keys_of(doc, root);
    if (obj == NULL || keys.standard == NULL || roles == NULL || !fill_role(doc, obj, keys, r) ||
        !put(doc, roles, r->name, obj))
        return no_memory(e);
    return 0;
}

int make_root(yyjson_mut_doc *doc, const char *repository, const struct make_role *roles, size_t count,
              struct err *e)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *own = object_at(doc, root, "pqota");
    if (own == NULL || !put(doc, own, "repository", yyjson_mut_strcpy(doc, repository)) ||
        !put(doc, root, "consistent_snapshot", yyjson_mut_bool(doc, true)))
        return no_memory(e);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = put_role(doc, &roles[i], e);
    return rc;
}

int make_root_role(yyjson_mut_doc *doc, const struct make_role *role, struct err *e)
{
    int rc = put_role(doc, role, e);
    return rc == 0 ? drop_keys(doc, yyjson_mut_doc_get_root(doc), e) : rc;
}

int make_root_manifest(yyjson_mut_doc *doc, const struct make_key *vendor, const struct make_key *director,
                       struct err *e)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *own = object_at(doc, root, "pqota");
    yyjson_mut_val *manifest = yyjson_mut_obj(doc);
    struct keys keys = keys_of(doc, root);
    bool ok = own != NULL && keys.standard != NULL && manifest != NULL;
    if (ok && vendor != NULL)
        ok =
            put_key(doc, keys, vendor) && put(doc, manifest, "vendor", yyjson_mut_strcpy(doc, vendor->keyid));
    if (ok && director != NULL)
        ok = put_key(doc, keys, director) &&
             put(doc, manifest, "director", yyjson_mut_strcpy(doc, director->keyid));
    if (!ok || !put(doc, own, "manifest", manifest))
        return no_memory(e);
    return drop_keys(doc, root, e);
}

/* --- targets and metadata files --------------------------------------------------------------------- */

/* In the place of the delegation of that name, or after all others. */
static bool put_delegation(yyjson_mut_val *roles, yyjson_mut_val *role, const char *name)
{
    size_t i, max;
    yyjson_mut_val *v;
    yyjson_mut_arr_foreach(roles, i, max, v)
    {
        if (yyjson_mut_equals_str(yyjson_mut_obj_get(v, "name"), name))
            return yyjson_mut_arr_replace(roles, i, role) != NULL;
    }
    return yyjson_mut_arr_append(roles, role);
}

int make_delegation(yyjson_mut_doc *doc, struct str model, const struct make_role *role, struct err *e)
{
    char name[TUF_ROLE_NAME_MAX], pattern[TUF_ROLE_NAME_MAX];
    if (!trust_model_role(model, name, sizeof name) ||
        snprintf(pattern, sizeof pattern, STR_FMT "/*/*/*", STR_ARG(model)) >= (int)sizeof pattern)
        return err_set(e, ERR_INVALID, "\"%.*s\" is no model's name", model.n < 64 ? (int)model.n : 64,
                       model.p);
    struct make_role r = *role;
    r.name = name;
    int rc = check_role(&r, e);
    if (rc != 0)
        return rc;
    yyjson_mut_val *all = object_at(doc, yyjson_mut_doc_get_root(doc), "delegations");
    struct keys keys = all != NULL ? keys_of(doc, all) : (struct keys){NULL, NULL};
    if (keys.standard != NULL && yyjson_mut_obj_get(all, "roles") == NULL &&
        !put(doc, all, "roles", yyjson_mut_arr(doc)))
        return no_memory(e);
    yyjson_mut_val *roles = yyjson_mut_obj_get(all, "roles"), *obj = yyjson_mut_obj(doc);
    yyjson_mut_val *paths = yyjson_mut_arr(doc);
    bool ok = keys.standard != NULL && obj != NULL && paths != NULL &&
              yyjson_mut_arr_add_strcpy(doc, paths, pattern) &&
              put(doc, obj, "name", yyjson_mut_strcpy(doc, name)) && put(doc, obj, "paths", paths) &&
              put(doc, obj, "terminating", yyjson_mut_bool(doc, true)) && fill_role(doc, obj, keys, &r) &&
              put_delegation(roles, obj, name);
    return ok ? drop_keys(doc, all, e) : no_memory(e);
}

static bool add_text(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, struct str text)
{
    return text.n == 0 || yyjson_mut_obj_add_strncpy(doc, obj, key, text.p, text.n);
}

static bool add_number(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, int64_t n)
{
    return n == 0 || yyjson_mut_obj_add_sint(doc, obj, key, n);
}

/* What is zero or empty is left out: an older reader gives it the same meaning. */
static yyjson_mut_val *custom_object(yyjson_mut_doc *doc, const struct trust_custom *c)
{
    yyjson_mut_val *obj = yyjson_mut_obj(doc);
    bool ok = obj != NULL && add_text(doc, obj, "name", c->name) &&
              add_text(doc, obj, "version", c->version) && add_text(doc, obj, "model", c->model) &&
              add_text(doc, obj, "type", c->type) && add_number(doc, obj, "sequence", c->sequence) &&
              add_number(doc, obj, "unpacked_size", c->unpacked_size) &&
              add_number(doc, obj, "upgrade_from", c->upgrade_from) &&
              add_number(doc, obj, "counter", c->counter) &&
              (!c->security || yyjson_mut_obj_add_bool(doc, obj, "security", true)) &&
              add_text(doc, obj, "advisory", c->advisory);
    return ok ? obj : NULL;
}

static yyjson_mut_val *hashes_object(yyjson_mut_doc *doc, const char *sha256)
{
    yyjson_mut_val *obj = yyjson_mut_obj(doc);
    return obj != NULL && yyjson_mut_obj_add_strcpy(doc, obj, "sha256", sha256) ? obj : NULL;
}

int make_target(yyjson_mut_doc *doc, const char *path, int64_t length, const char *sha256,
                const struct trust_custom *custom, struct err *e)
{
    unsigned char hash[SHA256_SIZE];
    size_t n = strlen(path);
    if (n == 0 || n > TUF_TARGET_NAME_MAX || length < 0 || hex_decode(str_of(sha256), hash, sizeof hash) != 0)
        return err_set(e, ERR_INVALID, "the target %.128s lacks a path, a length or a SHA-256", path);
    yyjson_mut_val *targets = object_at(doc, yyjson_mut_doc_get_root(doc), "targets");
    yyjson_mut_val *t = yyjson_mut_obj(doc), *more = custom != NULL ? custom_object(doc, custom) : NULL;
    bool ok = targets != NULL && t != NULL && (custom == NULL || more != NULL) &&
              yyjson_mut_obj_add_sint(doc, t, "length", length) &&
              put(doc, t, "hashes", hashes_object(doc, sha256)) &&
              (more == NULL || put(doc, t, "custom", more)) && put(doc, targets, path, t);
    return ok ? 0 : no_memory(e);
}

int make_meta_known(yyjson_mut_doc *doc, const char *name, int64_t version, int64_t length,
                    const char *sha256, struct err *e)
{
    yyjson_mut_val *meta = object_at(doc, yyjson_mut_doc_get_root(doc), "meta"), *m = yyjson_mut_obj(doc);
    bool ok = meta != NULL && m != NULL && yyjson_mut_obj_add_sint(doc, m, "version", version) &&
              yyjson_mut_obj_add_sint(doc, m, "length", length) &&
              put(doc, m, "hashes", hashes_object(doc, sha256)) && put(doc, meta, name, m);
    return ok ? 0 : no_memory(e);
}

int make_meta(yyjson_mut_doc *doc, const char *name, int64_t version, struct str text,
              const struct trust_crypto *crypto, struct err *e)
{
    unsigned char hash[TRUST_SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    int rc = crypto->hash(crypto->ctx, TRUST_SHA256, text.p, text.n, hash);
    if (rc != 0)
        return err_set(e, rc, "cannot hash the metadata of %s", name);
    hex_encode(hash, sizeof hash, hex);
    return make_meta_known(doc, name, version, (int64_t)text.n, hex, e);
}
