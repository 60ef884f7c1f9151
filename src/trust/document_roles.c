/* Who may sign what: a root's roles and a targets file's delegations. */
#include "trust/canon.h"
#include "trust/internal.h"

static const enum tuf_type top_level[] = {TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS};

/* --- keys and roles, checked ---------------------------------------------------------------------------- */

/* Keys of kinds that nobody here knows are fine: they count for nothing. */
static int check_keys(yyjson_val *keys, struct err *e)
{
    if (!yyjson_is_obj(keys))
        return err_set(e, ERR_INVALID, "\"keys\" is missing or no object");
    if (yyjson_obj_size(keys) > TUF_KEYS_MAX)
        return err_set(e, ERR_INVALID, "more than %d keys", TUF_KEYS_MAX);
    yyjson_obj_iter it = yyjson_obj_iter_with(keys);
    yyjson_val *id;
    while ((id = yyjson_obj_iter_next(&it)) != NULL) {
        yyjson_val *key = yyjson_obj_iter_get_val(id);
        if (!yyjson_is_str(yyjson_obj_get(key, "keytype")) || !yyjson_is_str(yyjson_obj_get(key, "scheme")) ||
            !yyjson_is_obj(yyjson_obj_get(key, "keyval")))
            return err_set(e, ERR_INVALID,
                           "the key %s has no \"keytype\", \"scheme\" and \"keyval\" as the format has them",
                           trust_show(trust_text_of(id)).z);
    }
    return 0;
}

static int check_role(yyjson_val *role, struct str name, struct err *e)
{
    yyjson_val *ids = yyjson_obj_get(role, "keyids"), *sorted[TUF_ROLE_KEYS_MAX], *id;
    int64_t threshold;
    size_t n = 0;
    if (!yyjson_is_arr(ids) || yyjson_arr_size(ids) > TUF_ROLE_KEYS_MAX)
        return err_set(e, ERR_INVALID, "the role %s: \"keyids\" is missing or no list of at most %d",
                       trust_show(name).z, TUF_ROLE_KEYS_MAX);
    yyjson_arr_iter it = yyjson_arr_iter_with(ids);
    while ((id = yyjson_arr_iter_next(&it)) != NULL) {
        if (!yyjson_is_str(id))
            return err_set(e, ERR_INVALID, "the role %s: a key id that is no text", trust_show(name).z);
        sorted[n++] = id;
    }
    if (!canon_sort(sorted, n))
        return err_set(e, ERR_INVALID, "the role %s names a key id twice", trust_show(name).z);
    if (!trust_is_count(yyjson_obj_get(role, "threshold"), 1, &threshold))
        return err_set(e, ERR_INVALID, "the role %s: \"threshold\" is missing or no integer from 1 up",
                       trust_show(name).z);
    return 0;
}

int doc_check_root(yyjson_val *body, struct trust_space *space, struct err *e)
{
    (void)space;
    yyjson_val *roles = yyjson_obj_get(body, "roles");
    yyjson_val *consistent = yyjson_obj_get(body, "consistent_snapshot");
    if (consistent != NULL && !yyjson_is_bool(consistent))
        return err_set(e, ERR_INVALID, "\"consistent_snapshot\" is neither true nor false");
    int rc = check_keys(yyjson_obj_get(body, "keys"), e);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < sizeof top_level / sizeof top_level[0]; i++) {
        const char *word = tuf_type_word(top_level[i]);
        yyjson_val *role = yyjson_obj_get(roles, word);
        if (!yyjson_is_obj(role))
            return err_set(e, ERR_INVALID, "the role %s is missing or no object", word);
        rc = check_role(role, str_of(word), e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* --- delegations and targets, checked ------------------------------------------------------------------- */

static int check_texts(yyjson_val *list, struct str name, struct err *e)
{
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > TUF_PATHS_MAX)
        return err_set(e, ERR_INVALID, "the role %s: its paths are no list of at most %d", trust_show(name).z,
                       TUF_PATHS_MAX);
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    yyjson_val *one;
    while ((one = yyjson_arr_iter_next(&it)) != NULL)
        if (!yyjson_is_str(one) || yyjson_get_len(one) > TUF_PATTERN_MAX)
            return err_set(e, ERR_INVALID, "the role %s: a path that is no text of at most %d bytes",
                           trust_show(name).z, TUF_PATTERN_MAX);
    return 0;
}

static bool is_top_level(struct str name)
{
    for (size_t i = 0; i < sizeof top_level / sizeof top_level[0]; i++)
        if (str_is(name, tuf_type_word(top_level[i])))
            return true;
    return false;
}

static int check_delegation(yyjson_val *role, struct err *e)
{
    struct str name = trust_text_at(role, "name");
    yyjson_val *paths = yyjson_obj_get(role, "paths"), *terminating = yyjson_obj_get(role, "terminating");
    yyjson_val *prefixes = yyjson_obj_get(role, "path_hash_prefixes");
    if (name.n == 0 || name.n > TUF_ROLE_NAME_MAX || is_top_level(name))
        return err_set(e, ERR_INVALID,
                       "a delegated role has no name, one of more than %d bytes, or a top-level role's",
                       TUF_ROLE_NAME_MAX);
    int rc = check_role(role, name, e);
    if (rc != 0)
        return rc;
    if (terminating != NULL && !yyjson_is_bool(terminating))
        return err_set(e, ERR_INVALID, "the role %s: \"terminating\" is neither true nor false",
                       trust_show(name).z);
    if ((paths != NULL) == (prefixes != NULL))
        return err_set(e, ERR_INVALID, "the role %s: there must be one of \"paths\", \"path_hash_prefixes\"",
                       trust_show(name).z);
    return check_texts(paths != NULL ? paths : prefixes, name, e);
}

static int check_delegations(yyjson_val *delegations, struct trust_space *space, struct err *e)
{
    yyjson_val *roles = yyjson_obj_get(delegations, "roles"), *one;
    if (!yyjson_is_obj(delegations))
        return err_set(e, ERR_INVALID, "\"delegations\" is no object");
    if (yyjson_obj_get(delegations, "succinct_roles") != NULL)
        return err_set(e, ERR_UNSUPPORTED, "delegations by \"succinct_roles\" (TAP 15) are not supported");
    int rc = check_keys(yyjson_obj_get(delegations, "keys"), e);
    if (rc != 0)
        return rc;
    size_t count = yyjson_arr_size(roles), n = 0, mark = space_mark(space);
    if (!yyjson_is_arr(roles) || count > TUF_DELEGATIONS_MAX)
        return err_set(e, ERR_INVALID, "\"roles\" of the delegations is no list of at most %d",
                       TUF_DELEGATIONS_MAX);
    yyjson_val **names = space_take(space, count * sizeof *names);
    if (names == NULL)
        return err_set(e, ERR_NOMEM, "the memory given is too small to check the delegations");
    yyjson_arr_iter it = yyjson_arr_iter_with(roles);
    while (rc == 0 && (one = yyjson_arr_iter_next(&it)) != NULL) {
        rc = check_delegation(one, e);
        names[n++] = yyjson_obj_get(one, "name");
    }
    if (rc == 0 && !canon_sort(names, n))
        rc = err_set(e, ERR_INVALID, "a role is delegated to twice");
    space_release(space, mark);
    return rc;
}

int doc_check_targets(yyjson_val *body, struct trust_space *space, struct err *e)
{
    yyjson_val *targets = yyjson_obj_get(body, "targets"), *key;
    yyjson_val *delegations = yyjson_obj_get(body, "delegations");
    if (!yyjson_is_obj(targets))
        return err_set(e, ERR_INVALID, "\"targets\" is missing or no object");
    yyjson_obj_iter it = yyjson_obj_iter_with(targets);
    while ((key = yyjson_obj_iter_next(&it)) != NULL) {
        yyjson_val *entry = yyjson_obj_iter_get_val(key), *custom = yyjson_obj_get(entry, "custom");
        int rc = doc_check_sums(entry, trust_text_of(key), false, e);
        if (rc != 0)
            return rc;
        if (custom != NULL && !yyjson_is_obj(custom) && !yyjson_is_null(custom))
            return err_set(e, ERR_INVALID, "%s: \"custom\" is no object", trust_show(trust_text_of(key)).z);
    }
    return delegations != NULL ? check_delegations(delegations, space, e) : 0;
}

/* --- asked ---------------------------------------------------------------------------------------------- */

static struct tuf_role role_of(yyjson_val *role, yyjson_val *keys, struct str name)
{
    struct tuf_role r = {.name = name,
                         .keys = keys,
                         .keyids = yyjson_obj_get(role, "keyids"),
                         .threshold = yyjson_get_sint(yyjson_obj_get(role, "threshold"))};
    yyjson_val *counts = yyjson_obj_get(role, "pqota");
    r.counts.given =
        trust_is_count(yyjson_obj_get(counts, "ml-dsa"), 0, &r.counts.need[TRUST_POST_QUANTUM]) &&
        trust_is_count(yyjson_obj_get(counts, "classical"), 0, &r.counts.need[TRUST_CLASSICAL]);
    return r;
}

int tuf_root_role(const struct tuf_doc *root, enum tuf_type role, struct tuf_role *out, struct err *e)
{
    const char *word = tuf_type_word(role);
    yyjson_val *v = yyjson_obj_get(yyjson_obj_get(root->body, "roles"), word);
    if (root->type != TUF_ROOT || !yyjson_is_obj(v))
        return err_set(e, ERR_INVALID, "the role %s is missing", word);
    *out = role_of(v, yyjson_obj_get(root->body, "keys"), str_of(word));
    return 0;
}

struct str tuf_root_repository(const struct tuf_doc *root)
{
    return trust_text_at(yyjson_obj_get(root->body, "pqota"), "repository");
}

bool tuf_root_consistent(const struct tuf_doc *root)
{
    return yyjson_get_bool(yyjson_obj_get(root->body, "consistent_snapshot"));
}

static struct tuf_delegation delegation_of(yyjson_val *delegations, yyjson_val *role)
{
    return (struct tuf_delegation){
        .role = role_of(role, yyjson_obj_get(delegations, "keys"), trust_text_at(role, "name")),
        .terminating = yyjson_get_bool(yyjson_obj_get(role, "terminating")),
        .paths = yyjson_obj_get(role, "paths"),
        .prefixes = yyjson_obj_get(role, "path_hash_prefixes"),
    };
}

size_t tuf_delegation_count(const struct tuf_doc *targets)
{
    return yyjson_arr_size(yyjson_obj_get(yyjson_obj_get(targets->body, "delegations"), "roles"));
}

int tuf_delegation_at(const struct tuf_doc *targets, size_t i, struct tuf_delegation *out, struct err *e)
{
    yyjson_val *delegations = yyjson_obj_get(targets->body, "delegations");
    yyjson_val *role = yyjson_arr_get(yyjson_obj_get(delegations, "roles"), i);
    if (role == NULL)
        return err_set(e, ERR_NOT_FOUND, "there are fewer delegations");
    *out = delegation_of(delegations, role);
    return 0;
}

int tuf_delegation_find(const struct tuf_doc *targets, struct str role, struct tuf_delegation *out,
                        struct err *e)
{
    yyjson_val *delegations = yyjson_obj_get(targets->body, "delegations"), *one;
    yyjson_arr_iter it = yyjson_arr_iter_with(yyjson_obj_get(delegations, "roles"));
    while ((one = yyjson_arr_iter_next(&it)) != NULL)
        if (str_eq(trust_text_at(one, "name"), role)) {
            *out = delegation_of(delegations, one);
            return 0;
        }
    return err_set(e, ERR_NOT_FOUND, "nothing is delegated to the role %s", trust_show(role).z);
}

int tuf_delegation_fits(const struct tuf_delegation *d, struct str target, const struct trust_crypto *crypto,
                        bool *out, struct err *e)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(d->paths != NULL ? d->paths : d->prefixes);
    yyjson_val *one;
    char hex[SHA256_HEX_SIZE];
    bool fits = false;
    if (d->prefixes != NULL) {
        unsigned char hash[TRUST_SHA256_SIZE];
        if (crypto->hash(crypto->ctx, TRUST_SHA256, target.p, target.n, hash) != 0)
            return err_set(e, ERR_CRYPTO, "the hash of a target's name cannot be made");
        hex_encode(hash, sizeof hash, hex);
    }
    while (!fits && (one = yyjson_arr_iter_next(&it)) != NULL) {
        struct str s = trust_text_of(one);
        if (d->prefixes == NULL)
            fits = trust_glob(s, target);
        else
            fits = s.n < sizeof hex && memcmp(hex, s.p, s.n) == 0;
    }
    *out = fits;
    return 0;
}

/* --- the same keys -------------------------------------------------------------------------------------- */

static bool same_text(yyjson_val *a, yyjson_val *b, const char *key)
{
    return str_eq(trust_text_at(a, key), trust_text_at(b, key));
}

/* A key without a text "public" is of a kind that is not known: told by its id. */
static bool same_key(yyjson_val *a, struct str a_id, yyjson_val *b, struct str b_id)
{
    yyjson_val *x = yyjson_obj_get(a, "keyval"), *y = yyjson_obj_get(b, "keyval");
    if (trust_text_at(x, "public").p == NULL || trust_text_at(y, "public").p == NULL)
        return str_eq(a_id, b_id);
    return same_text(x, y, "public") && same_text(a, b, "keytype") && same_text(a, b, "scheme");
}

/* Each key of a is one of b. An id without a key is nobody's. */
static bool all_in(const struct tuf_role *a, const struct tuf_role *b)
{
    yyjson_arr_iter outer = yyjson_arr_iter_with(a->keyids);
    yyjson_val *x, *y;
    while ((x = yyjson_arr_iter_next(&outer)) != NULL) {
        yyjson_val *key = yyjson_obj_getn(a->keys, yyjson_get_str(x), yyjson_get_len(x));
        yyjson_arr_iter inner = yyjson_arr_iter_with(b->keyids);
        bool found = key == NULL;
        while (!found && (y = yyjson_arr_iter_next(&inner)) != NULL) {
            yyjson_val *other = yyjson_obj_getn(b->keys, yyjson_get_str(y), yyjson_get_len(y));
            found = other != NULL && same_key(key, trust_text_of(x), other, trust_text_of(y));
        }
        if (!found)
            return false;
    }
    return true;
}

bool tuf_same_keys(const struct tuf_role *a, const struct tuf_role *b)
{
    return all_in(a, b) && all_in(b, a);
}
