/* Keys of a file, and which of them are a role's. */
#include "trust/internal.h"

/* --- checked -------------------------------------------------------------------------------------------- */

/* Keys of kinds that nobody here knows are fine: they count for nothing. */
int doc_check_keys(yyjson_val *keys, struct err *e)
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
                           trust_show(json_text(id)).z);
    }
    return 0;
}

struct ids {
    yyjson_val *id[TUF_ROLE_KEYS_MAX];
    size_t n;
};

static int add_ids(struct ids *ids, yyjson_val *list, struct str name, struct err *e)
{
    yyjson_val *id;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > TUF_ROLE_KEYS_MAX - ids->n)
        return err_set(e, ERR_INVALID, "the role %s: \"keyids\" is missing or no list of at most %d",
                       trust_show(name).z, TUF_ROLE_KEYS_MAX);
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((id = yyjson_arr_iter_next(&it)) != NULL) {
        if (!yyjson_is_str(id))
            return err_set(e, ERR_INVALID, "the role %s: a key id that is no text", trust_show(name).z);
        ids->id[ids->n++] = id;
    }
    return 0;
}

static int check_each_once(struct ids *ids, struct str name, struct err *e)
{
    return canon_sort(ids->id, ids->n)
               ? 0
               : err_set(e, ERR_INVALID, "the role %s names a key id twice", trust_show(name).z);
}

int doc_check_ids(yyjson_val *role, struct str name, struct err *e)
{
    struct ids ids = {.n = 0};
    int rc = add_ids(&ids, yyjson_obj_get(role, "keyids"), name, e);
    return rc == 0 ? check_each_once(&ids, name, e) : rc;
}

int doc_check_own(const struct tuf_role *role, struct err *e)
{
    struct ids ids = {.n = 0};
    int rc = role->place[TUF_OWN].keys != NULL ? doc_check_keys(role->place[TUF_OWN].keys, e) : 0;
    if (rc == 0 && role->place[TUF_OWN].keyids != NULL) {
        rc = add_ids(&ids, role->place[TUF_STANDARD].keyids, role->name, e);
        if (rc == 0)
            rc = add_ids(&ids, role->place[TUF_OWN].keyids, role->name, e);
        if (rc == 0)
            rc = check_each_once(&ids, role->name, e);
    }
    if (rc != 0)
        (void)err_context(e, "member \"pqota\"");
    return rc;
}

/* --- asked ---------------------------------------------------------------------------------------------- */

struct tuf_role trust_role_under(const struct tuf_role *role, const struct tuf_rules *rules)
{
    struct tuf_role r = *role;
    if (!rules->both_families) {
        r.place[TUF_OWN].keys = r.place[TUF_OWN].keyids = NULL;
        r.counts = (struct tuf_counts){.given = false};
    }
    return r;
}

/* Of pqota's own members nothing is known yet: what is of another type is as good as not there. */
static bool read_key(yyjson_val *keys, struct str id, struct tuf_key *out)
{
    yyjson_val *object = id.p != NULL ? yyjson_obj_getn(keys, id.p, id.n) : NULL;
    *out = (struct tuf_key){.id = id, .object = object};
    if (object == NULL)
        return false;
    out->scheme = trust_scheme_find(trust_text_at(object, "keytype"), trust_text_at(object, "scheme"));
    out->public_text = trust_text_at(yyjson_obj_get(object, "keyval"), "public");
    return true;
}

size_t tuf_role_key_count(const struct tuf_role *role)
{
    return yyjson_arr_size(role->place[TUF_STANDARD].keyids) + yyjson_arr_size(role->place[TUF_OWN].keyids);
}

bool tuf_role_key_at(const struct tuf_role *role, size_t i, struct tuf_key *out)
{
    size_t standard = yyjson_arr_size(role->place[TUF_STANDARD].keyids);
    enum tuf_place place = i < standard ? TUF_STANDARD : TUF_OWN;
    yyjson_val *id = yyjson_arr_get(role->place[place].keyids, place == TUF_STANDARD ? i : i - standard);
    return read_key(role->place[place].keys, json_text(id), out);
}

bool tuf_role_key_find(const struct tuf_role *role, struct str keyid, struct tuf_key *out)
{
    size_t n = tuf_role_key_count(role);
    struct tuf_key key;
    for (size_t i = 0; i < n; i++)
        if (tuf_role_key_at(role, i, &key) && str_eq(key.id, keyid)) {
            *out = key;
            return true;
        }
    return false;
}

struct str tuf_manifest_keyid(const struct tuf_doc *root, const char *whose)
{
    return trust_text_at(yyjson_obj_get(yyjson_obj_get(root->body, "pqota"), "manifest"), whose);
}

bool tuf_manifest_key(const struct tuf_doc *root, const char *whose, struct tuf_key *out)
{
    struct str id = tuf_manifest_keyid(root, whose);
    return read_key(yyjson_obj_get(yyjson_obj_get(root->body, "pqota"), "keys"), id, out) ||
           read_key(yyjson_obj_get(root->body, "keys"), id, out);
}

int tuf_manifest_key_raw(const struct tuf_doc *root, const char *whose, unsigned char out[TRUST_SPKI_MAX],
                         struct err *e)
{
    struct tuf_key key;
    size_t n;
    if (!tuf_manifest_key(root, whose, &key))
        return err_set(e, ERR_NOT_FOUND, "the root names no %s's key of manifests", whose);
    if (key.scheme == NULL || key.scheme->scheme != TRUST_ML_DSA_44)
        return err_set(e, ERR_UNSUPPORTED, "the root's %s's key of manifests is no ml-dsa-44/1 key", whose);
    return trust_key_decode(key.scheme, key.public_text, out, &n, e);
}

/* --- compared ------------------------------------------------------------------------------------------- */

static bool same_text(yyjson_val *a, yyjson_val *b, const char *key)
{
    return str_eq(trust_text_at(a, key), trust_text_at(b, key));
}

/* A key without a text "public" is of a kind that is not known: told by its id. */
static bool same_key(const struct tuf_key *a, const struct tuf_key *b)
{
    if (a->public_text.p == NULL || b->public_text.p == NULL)
        return str_eq(a->id, b->id);
    return str_eq(a->public_text, b->public_text) && same_text(a->object, b->object, "keytype") &&
           same_text(a->object, b->object, "scheme");
}

/* Each key of a is one of b. An id without a key is nobody's. */
static bool all_in(const struct tuf_role *a, const struct tuf_role *b)
{
    size_t a_n = tuf_role_key_count(a), b_n = tuf_role_key_count(b);
    struct tuf_key key, other;
    for (size_t i = 0; i < a_n; i++) {
        bool found = !tuf_role_key_at(a, i, &key);
        for (size_t k = 0; !found && k < b_n; k++)
            found = tuf_role_key_at(b, k, &other) && same_key(&key, &other);
        if (!found)
            return false;
    }
    return true;
}

bool tuf_same_keys(const struct tuf_role *a, const struct tuf_role *b)
{
    return all_in(a, b) && all_in(b, a);
}

/* The same ids in each place, and under each the same key, to the letter. */
static bool same_to_the_letter(const struct tuf_role *a, const struct tuf_role *b)
{
    size_t n = tuf_role_key_count(a);
    for (int p = 0; p < TUF_PLACES; p++) {
        yyjson_val *x = a->place[p].keyids, *y = b->place[p].keyids;
        if ((x != NULL) != (y != NULL) || (x != NULL && !yyjson_equals(x, y)))
            return false;
    }
    for (size_t i = 0; i < n; i++) {
        struct tuf_key key, other;
        bool there = tuf_role_key_at(a, i, &key);
        if (tuf_role_key_at(b, i, &other) != there || (there && !yyjson_equals(key.object, other.object)))
            return false;
    }
    return true;
}

/* tuf_verify finds a signature by its key id, tries it with the key of that id, and counts what was good:
   with the same ids and keys in the same places it counts the same for both roles. So what reaches the one's
   numbers reaches the other's where those are no higher. */
bool trust_role_implies(const struct tuf_role *is, const struct tuf_role *was, const struct tuf_rules *rules)
{
    struct tuf_role a = trust_role_under(is, rules), b = trust_role_under(was, rules);
    if (!same_to_the_letter(&a, &b) || b.threshold > a.threshold)
        return false;
    for (int f = 0; rules->both_families && f < TRUST_FAMILIES; f++)
        if (!b.counts.given || b.counts.need[f] < 1 || b.counts.need[f] > a.counts.need[f])
            return false;
    return true;
}
