/* Who may sign what: a root's roles and a targets file's delegations. */
#include "trust/canon.h"
#include "trust/internal.h"

static const enum tuf_type top_level[] = {TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS};

/* --- roles, checked ------------------------------------------------------------------------------------- */

static int check_role(yyjson_val *role, struct str name, struct err *e)
{
    int64_t threshold;
    int rc = doc_check_ids(role, name, e);
    if (rc == 0 && !trust_is_count(yyjson_obj_get(role, "threshold"), 1, &threshold))
        rc = err_set(e, ERR_INVALID, "the role %s: \"threshold\" is missing or no integer from 1 up",
                     trust_show(name).z);
    return rc;
}

int doc_check_root(yyjson_val *body, struct err *e)
{
    yyjson_val *roles = yyjson_obj_get(body, "roles");
    yyjson_val *consistent = yyjson_obj_get(body, "consistent_snapshot");
    if (consistent != NULL && !yyjson_is_bool(consistent))
        return err_set(e, ERR_INVALID, "\"consistent_snapshot\" is neither true nor false");
    int rc = doc_check_keys(yyjson_obj_get(body, "keys"), e);
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
    int rc = doc_check_keys(yyjson_obj_get(delegations, "keys"), e);
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
        int rc = doc_check_sums(entry, json_text(key), false, e);
        if (rc != 0)
            return rc;
        if (custom != NULL && !yyjson_is_obj(custom) && !yyjson_is_null(custom))
            return err_set(e, ERR_INVALID, "%s: \"custom\" is no object", trust_show(json_text(key)).z);
    }
    return delegations != NULL ? check_delegations(delegations, space, e) : 0;
}

/* --- asked ---------------------------------------------------------------------------------------------- */

/* keys: those that the specification has in the document for it. */
static struct tuf_role role_of(const struct tuf_doc *doc, yyjson_val *role, yyjson_val *keys, struct str name)
{
    yyjson_val *own = yyjson_obj_get(role, "pqota");
    struct tuf_role r = {.name = name, .threshold = yyjson_get_sint(yyjson_obj_get(role, "threshold"))};
    r.place[TUF_STANDARD].keys = keys;
    r.place[TUF_STANDARD].keyids = yyjson_obj_get(role, "keyids");
    r.place[TUF_OWN].keys = yyjson_obj_get(yyjson_obj_get(doc->body, "pqota"), "keys");
    r.place[TUF_OWN].keyids = yyjson_obj_get(own, "keyids");
    r.counts.given = trust_is_count(yyjson_obj_get(own, "ml-dsa"), 0, &r.counts.need[TRUST_POST_QUANTUM]) &&
                     trust_is_count(yyjson_obj_get(own, "classical"), 0, &r.counts.need[TRUST_CLASSICAL]);
    return r;
}

bool tuf_root_role_named(const struct tuf_doc *root, struct str name, struct tuf_role *out)
{
    yyjson_val *v = yyjson_obj_getn(yyjson_obj_get(root->body, "roles"), name.p, name.n);
    if (root->type != TUF_ROOT || !yyjson_is_obj(v))
        return false;
    *out = role_of(root, v, yyjson_obj_get(root->body, "keys"), name);
    return true;
}

int tuf_root_role(const struct tuf_doc *root, enum tuf_type role, struct tuf_role *out, struct err *e)
{
    const char *word = tuf_type_word(role);
    if (!tuf_root_role_named(root, str_of(word), out))
        return err_set(e, ERR_INVALID, "the role %s is missing", word);
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

static struct tuf_delegation delegation_of(const struct tuf_doc *targets, yyjson_val *role)
{
    yyjson_val *keys = yyjson_obj_get(yyjson_obj_get(targets->body, "delegations"), "keys");
    return (struct tuf_delegation){
        .role = role_of(targets, role, keys, trust_text_at(role, "name")),
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
    *out = delegation_of(targets, role);
    return 0;
}

int tuf_delegation_find(const struct tuf_doc *targets, struct str role, struct tuf_delegation *out,
                        struct err *e)
{
    yyjson_val *delegations = yyjson_obj_get(targets->body, "delegations"), *one;
    yyjson_arr_iter it = yyjson_arr_iter_with(yyjson_obj_get(delegations, "roles"));
    while ((one = yyjson_arr_iter_next(&it)) != NULL)
        if (str_eq(trust_text_at(one, "name"), role)) {
            *out = delegation_of(targets, one);
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
        struct str s = json_text(one);
        if (d->prefixes == NULL)
            fits = trust_glob(s, target);
        else
            fits = s.n < sizeof hex && memcmp(hex, s.p, s.n) == 0;
    }
    *out = fits;
    return 0;
}
