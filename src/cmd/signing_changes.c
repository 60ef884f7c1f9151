/* What a document says that the one before it did not say. Nothing may change unseen: members that are not
   known here are named too. */
#include <string.h>

#include "cmd/signing.h"
#include "cmd/text.h"
#include "trust/custom.h"

#define KEYID_SHOWN 16

struct showing {
    struct arena *a;
    FILE *to;
    size_t lines; /* changes that were shown */
};

static struct str text_of(yyjson_val *v)
{
    return (struct str){.p = yyjson_get_str(v), .n = yyjson_get_len(v)};
}

static const char *shown(struct showing *w, struct str text)
{
    return signing_escape(text, w->a);
}

/* --- targets ---------------------------------------------------------------------------------------- */

static void print_custom(struct showing *w, yyjson_val *custom)
{
    struct trust_custom c;
    if (trust_custom_read(custom, &c, NULL) != 0) {
        fputs("\n        WARNING: its member \"custom\" cannot be read", w->to);
        return;
    }
    fprintf(w->to, "\n        %s %s for model %s, %s, sequence %lld", shown(w, c.name), shown(w, c.version),
            shown(w, c.model), shown(w, c.type), (long long)c.sequence);
    if (c.counter > 0)
        fprintf(w->to, ", counter %lld", (long long)c.counter);
    if (c.upgrade_from > 0)
        fprintf(w->to, ", only from sequence %lld up", (long long)c.upgrade_from);
    if (c.security)
        fputs(", mends a weakness", w->to);
    if (c.advisory.n > 0)
        fprintf(w->to, "\n        \"%s\"", shown(w, c.advisory));
}

static void print_target(struct showing *w, char mark, yyjson_val *name, yyjson_val *t)
{
    char size[TEXT_SHORT_MAX];
    yyjson_val *length = yyjson_obj_get(t, "length"), *custom = yyjson_obj_get(t, "custom");
    fprintf(w->to, "    %c target %s\n        %s (%lld bytes)", mark, shown(w, text_of(name)),
            text_size(yyjson_get_sint(length), size), (long long)yyjson_get_sint(length));
    yyjson_obj_iter it = yyjson_obj_iter_with(yyjson_obj_get(t, "hashes"));
    for (yyjson_val *k; (k = yyjson_obj_iter_next(&it)) != NULL;)
        fprintf(w->to, ", %s %s", shown(w, text_of(k)), shown(w, text_of(yyjson_obj_iter_get_val(k))));
    if (custom != NULL)
        print_custom(w, custom);
    fputs("\n", w->to);
    w->lines++;
}

/* Members of `now` that `then` has not or has otherwise (both objects, or NULL), and those that are gone. */
typedef void member_fn(struct showing *w, char mark, yyjson_val *name, yyjson_val *value);

static void each_change(struct showing *w, yyjson_val *now, yyjson_val *then, member_fn *fn)
{
    yyjson_obj_iter here = yyjson_obj_iter_with(now), there = yyjson_obj_iter_with(then);
    yyjson_val *k;
    while ((k = yyjson_obj_iter_next(&here)) != NULL) {
        yyjson_val *v = yyjson_obj_iter_get_val(k);
        yyjson_val *old = yyjson_obj_iter_getn(&there, yyjson_get_str(k), yyjson_get_len(k));
        if (old == NULL || !yyjson_equals(old, v))
            fn(w, old == NULL ? '+' : '~', k, v);
    }
    there = yyjson_obj_iter_with(then);
    here = yyjson_obj_iter_with(now);
    while ((k = yyjson_obj_iter_next(&there)) != NULL)
        if (yyjson_obj_iter_getn(&here, yyjson_get_str(k), yyjson_get_len(k)) == NULL)
            fn(w, '-', k, yyjson_obj_iter_get_val(k));
}

/* --- keys and roles --------------------------------------------------------------------------------- */

static void print_keyids(struct showing *w, char mark, yyjson_val *now, yyjson_val *then, yyjson_val *keys)
{
    size_t i, k, max, other;
    yyjson_val *id, *old;
    yyjson_arr_foreach(now, i, max, id)
    {
        bool there = false;
        yyjson_arr_foreach(then, k, other, old)
        {
            there = there || yyjson_equals(id, old);
        }
        if (there)
            continue;
        struct str text = text_of(id);
        yyjson_val *key = yyjson_obj_getn(keys, text.p, text.n);
        struct str cut = {.p = text.p, .n = text.n < KEYID_SHOWN ? text.n : KEYID_SHOWN};
        fprintf(w->to, "        %c key %s  %s\n", mark, shown(w, cut),
                shown(w, text_of(yyjson_obj_get(key, "scheme"))));
    }
}

static void print_counts(struct showing *w, yyjson_val *role, const char *lead)
{
    yyjson_val *own = yyjson_obj_get(role, "pqota");
    fprintf(w->to, "%s%lld (ML-DSA %lld, classical %lld)", lead,
            (long long)yyjson_get_sint(yyjson_obj_get(role, "threshold")),
            (long long)yyjson_get_sint(yyjson_obj_get(own, "ml-dsa")),
            (long long)yyjson_get_sint(yyjson_obj_get(own, "classical")));
}

/* One role, whichever file names it. now or then NULL: it is new, or gone. */
static void print_role(struct showing *w, struct str name, yyjson_val *now, yyjson_val *then,
                       yyjson_val *keys_now, yyjson_val *keys_then)
{
    fprintf(w->to, "    %c role %s", then == NULL ? '+' : now == NULL ? '-' : '~', shown(w, name));
    if (now != NULL)
        print_counts(w, now, ": threshold ");
    if (now != NULL && then != NULL)
        print_counts(w, then, ", was ");
    fputs("\n", w->to);
    print_keyids(w, '+', yyjson_obj_get(now, "keyids"), yyjson_obj_get(then, "keyids"), keys_now);
    print_keyids(w, '-', yyjson_obj_get(then, "keyids"), yyjson_obj_get(now, "keyids"), keys_then);
    w->lines++;
}

/* The same key material under the same ids, too. */
static bool same_role(yyjson_val *now, yyjson_val *then, yyjson_val *keys_now, yyjson_val *keys_then)
{
    if (then == NULL || now == NULL || !yyjson_equals(now, then))
        return false;
    size_t i, max;
    yyjson_val *id;
    yyjson_arr_foreach(yyjson_obj_get(now, "keyids"), i, max, id)
    {
        struct str text = text_of(id);
        yyjson_val *a = yyjson_obj_getn(keys_now, text.p, text.n),
                   *b = yyjson_obj_getn(keys_then, text.p, text.n);
        if ((a != NULL) != (b != NULL) || (a != NULL && !yyjson_equals(a, b)))
            return false;
    }
    return true;
}

static void print_root_roles(struct showing *w, yyjson_val *now, yyjson_val *then)
{
    yyjson_val *roles = yyjson_obj_get(now, "roles"), *old = yyjson_obj_get(then, "roles"), *k;
    yyjson_val *keys = yyjson_obj_get(now, "keys"), *old_keys = yyjson_obj_get(then, "keys");
    yyjson_obj_iter it = yyjson_obj_iter_with(roles);
    while ((k = yyjson_obj_iter_next(&it)) != NULL) {
        struct str name = text_of(k);
        yyjson_val *role = yyjson_obj_iter_get_val(k), *before = yyjson_obj_getn(old, name.p, name.n);
        if (!same_role(role, before, keys, old_keys))
            print_role(w, name, role, before, keys, old_keys);
    }
    it = yyjson_obj_iter_with(old);
    while ((k = yyjson_obj_iter_next(&it)) != NULL)
        if (yyjson_obj_getn(roles, yyjson_get_str(k), yyjson_get_len(k)) == NULL)
            print_role(w, text_of(k), NULL, yyjson_obj_iter_get_val(k), keys, old_keys);
}

static yyjson_val *named(yyjson_val *roles, yyjson_val *name)
{
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach(roles, i, max, v)
    {
        if (yyjson_equals(yyjson_obj_get(v, "name"), name))
            return v;
    }
    return NULL;
}

static void print_paths(struct showing *w, yyjson_val *role)
{
    static const char *const members[] = {"paths", "path_hash_prefixes"};
    if (!yyjson_is_true(yyjson_obj_get(role, "terminating")))
        fputs("        not terminating: others after it may sign for the same\n", w->to);
    for (size_t m = 0; m < 2; m++) {
        size_t i, max;
        yyjson_val *v;
        yyjson_arr_foreach(yyjson_obj_get(role, members[m]), i, max, v)
        {
            fprintf(w->to, "        may sign for %s%s\n", m == 1 ? "names whose hash begins with " : "",
                    shown(w, text_of(v)));
        }
    }
}

static void print_delegations(struct showing *w, yyjson_val *now, yyjson_val *then)
{
    yyjson_val *roles = yyjson_obj_get(now, "roles"), *old = yyjson_obj_get(then, "roles"), *v;
    yyjson_val *keys = yyjson_obj_get(now, "keys"), *old_keys = yyjson_obj_get(then, "keys");
    size_t i, max;
    yyjson_arr_foreach(roles, i, max, v)
    {
        yyjson_val *before = named(old, yyjson_obj_get(v, "name"));
        if (same_role(v, before, keys, old_keys))
            continue;
        print_role(w, text_of(yyjson_obj_get(v, "name")), v, before, keys, old_keys);
        print_paths(w, v);
    }
    yyjson_arr_foreach(old, i, max, v)
    {
        if (named(roles, yyjson_obj_get(v, "name")) == NULL)
            print_role(w, text_of(yyjson_obj_get(v, "name")), NULL, v, keys, old_keys);
    }
}

/* --- all --------------------------------------------------------------------------------------------- */

static void print_manifest_key(struct showing *w, char mark, yyjson_val *name, yyjson_val *id)
{
    struct str text = text_of(id);
    text.n = text.n < KEYID_SHOWN ? text.n : KEYID_SHOWN;
    fprintf(w->to, "    %c key of manifests, %s: %s\n", mark, shown(w, text_of(name)), shown(w, text));
    w->lines++;
}

static void print_other(struct showing *w, char mark, yyjson_val *name, yyjson_val *value)
{
    /* Shown in detail, or in the head. */
    static const char *const known[] = {"version", "expires", "targets", "delegations",
                                        "keys",    "roles",   "pqota",   "_type"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (yyjson_equals_str(name, known[i]))
            return;
    bool small = yyjson_is_str(value);
    fprintf(w->to, "    %c %s%s%s\n", mark, shown(w, text_of(name)), small ? ": " : "",
            small ? shown(w, text_of(value)) : "");
    w->lines++;
}

static void print_own(struct showing *w, char mark, yyjson_val *name, yyjson_val *value)
{
    if (yyjson_equals_str(name, "manifest"))
        return;
    fprintf(w->to, "    %c pqota's own member %s: %s\n", mark, shown(w, text_of(name)),
            shown(w, text_of(value)));
    w->lines++;
}

int signing_print_changes(const struct tuf_doc *doc, const struct tuf_doc *base, struct arena *a, FILE *to,
                          struct err *e)
{
    struct showing w = {.a = a, .to = to};
    yyjson_val *now = doc->body, *then = base != NULL ? base->body : NULL;
    yyjson_val *own = yyjson_obj_get(now, "pqota"), *own_then = yyjson_obj_get(then, "pqota");
    if (doc->type == TUF_ROOT)
        print_root_roles(&w, now, then);
    each_change(&w, yyjson_obj_get(own, "manifest"), yyjson_obj_get(own_then, "manifest"),
                print_manifest_key);
    each_change(&w, own, own_then, print_own);
    print_delegations(&w, yyjson_obj_get(now, "delegations"), yyjson_obj_get(then, "delegations"));
    each_change(&w, yyjson_obj_get(now, "targets"), yyjson_obj_get(then, "targets"), print_target);
    each_change(&w, now, then, print_other);
    if (w.lines == 0)
        fprintf(to, "    %s\n",
                base != NULL ? "nothing but its version and its end are changed" : "it says nothing yet");
    return ferror(to) ? err_set(e, ERR_IO, "cannot write what is to be signed") : 0;
}
