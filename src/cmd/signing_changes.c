/* What a document says that the one before it did not say. Nothing may change unseen: members that are not
   known here are named too. */
#include <string.h>

#include "base/json.h"
#include "cmd/signing.h"
#include "cmd/text.h"
#include "trust/custom.h"

#define KEYID_SHOWN 16

struct showing {
    struct arena *a;
    FILE *to;
    size_t lines; /* changes that were shown */
};

static const char *shown(struct showing *w, struct str text)
{
    return signing_escape(text, w->a);
}

/* --- targets ---------------------------------------------------------------------------------------- */

/* Members that are none of these. */
static void print_unknown(struct showing *w, yyjson_val *obj, const char *const *known, size_t count)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(obj);
    for (yyjson_val *k; (k = yyjson_obj_iter_next(&it)) != NULL;) {
        bool is = false;
        for (size_t i = 0; i < count; i++)
            is = is || yyjson_equals_str(k, known[i]);
        if (!is)
            fprintf(w->to, "\n        with a member that is not known here: %s", shown(w, json_text(k)));
    }
}
#define UNKNOWN(w, obj, known) print_unknown((w), (obj), (known), sizeof(known) / sizeof((known)[0]))

static void print_custom(struct showing *w, yyjson_val *custom)
{
    static const char *const known[] = {"name",          "version",      "model",   "type",     "sequence",
                                        "unpacked_size", "upgrade_from", "counter", "security", "advisory"};
    struct trust_custom c;
    if (trust_custom_read(custom, &c, NULL) != 0) {
        fputs("\n        WARNING: its member \"custom\" cannot be read", w->to);
        return;
    }
    fprintf(w->to, "\n        %s %s for model %s, %s, sequence %lld", shown(w, c.name), shown(w, c.version),
            shown(w, c.model), shown(w, c.type), (long long)c.sequence);
    if (c.counter > 0)
        fprintf(w->to, ", counter %lld", (long long)c.counter);
    if (c.unpacked_size > 0)
        fprintf(w->to, ", %lld bytes unpacked", (long long)c.unpacked_size);
    if (c.upgrade_from > 0)
        fprintf(w->to, ", only from sequence %lld up", (long long)c.upgrade_from);
    if (c.security)
        fputs(", mends a weakness", w->to);
    if (c.advisory.n > 0)
        fprintf(w->to, "\n        \"%s\"", shown(w, c.advisory));
    UNKNOWN(w, custom, known);
}

static void print_target(struct showing *w, char mark, yyjson_val *name, yyjson_val *t)
{
    static const char *const known[] = {"length", "hashes", "custom"};
    char size[TEXT_SHORT_MAX];
    yyjson_val *length = yyjson_obj_get(t, "length"), *custom = yyjson_obj_get(t, "custom");
    fprintf(w->to, "    %c target %s\n        %s (%lld bytes)", mark, shown(w, json_text(name)),
            text_size(yyjson_get_sint(length), size), (long long)yyjson_get_sint(length));
    yyjson_obj_iter it = yyjson_obj_iter_with(yyjson_obj_get(t, "hashes"));
    for (yyjson_val *k; (k = yyjson_obj_iter_next(&it)) != NULL;)
        fprintf(w->to, ", %s %s", shown(w, json_text(k)), shown(w, json_text(yyjson_obj_iter_get_val(k))));
    if (custom != NULL)
        print_custom(w, custom);
    UNKNOWN(w, t, known);
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

/* Those of a that b has not. NULL: none. */
static void print_keys(struct showing *w, char mark, const struct tuf_role *a, const struct tuf_role *b)
{
    size_t count = a != NULL ? tuf_role_key_count(a) : 0;
    for (size_t i = 0; i < count; i++) {
        struct tuf_key key, other;
        (void)tuf_role_key_at(a, i, &key);
        if (b != NULL && tuf_role_key_find(b, key.id, &other) && yyjson_equals(key.object, other.object))
            continue;
        struct str cut = {.p = key.id.p, .n = key.id.n < KEYID_SHOWN ? key.id.n : KEYID_SHOWN};
        fprintf(w->to, "        %c key %s  %s\n", mark, shown(w, cut),
                shown(w, json_text(yyjson_obj_get(key.object, "scheme"))));
    }
}

static void print_counts(struct showing *w, const struct tuf_role *r, const char *lead)
{
    fprintf(w->to, "%s%lld (ML-DSA %lld, classical %lld)", lead, (long long)r->threshold,
            (long long)r->counts.need[TRUST_POST_QUANTUM], (long long)r->counts.need[TRUST_CLASSICAL]);
}

/* One role, whichever file names it. now or then NULL: it is new, or gone. */
static void print_role(struct showing *w, struct str name, const struct tuf_role *now,
                       const struct tuf_role *then)
{
    fprintf(w->to, "    %c role %s", then == NULL ? '+' : now == NULL ? '-' : '~', shown(w, name));
    if (now != NULL)
        print_counts(w, now, ": threshold ");
    if (now != NULL && then != NULL)
        print_counts(w, then, ", was ");
    fputs("\n", w->to);
    print_keys(w, '+', now, then);
    print_keys(w, '-', then, now);
    w->lines++;
}

/* All that it says is the same, and the key under each of its ids. */
static bool same_role(yyjson_val *now, yyjson_val *then, const struct tuf_role *a, const struct tuf_role *b)
{
    if (!yyjson_equals(now, then))
        return false;
    size_t count = tuf_role_key_count(a);
    for (size_t i = 0; i < count; i++) {
        struct tuf_key key, other;
        bool there = tuf_role_key_at(a, i, &key);
        if (tuf_role_key_at(b, i, &other) != there || (there && !yyjson_equals(key.object, other.object)))
            return false;
    }
    return true;
}

static void print_root_roles(struct showing *w, const struct tuf_doc *doc, const struct tuf_doc *base)
{
    yyjson_val *roles = yyjson_obj_get(doc->body, "roles"), *k;
    yyjson_val *old = base != NULL ? yyjson_obj_get(base->body, "roles") : NULL;
    yyjson_obj_iter it = yyjson_obj_iter_with(roles);
    struct tuf_role now, then;
    while ((k = yyjson_obj_iter_next(&it)) != NULL) {
        struct str name = json_text(k);
        bool is = tuf_root_role_named(doc, name, &now);
        bool was = base != NULL && tuf_root_role_named(base, name, &then);
        if (!is || !was ||
            !same_role(yyjson_obj_iter_get_val(k), yyjson_obj_getn(old, name.p, name.n), &now, &then))
            print_role(w, name, is ? &now : NULL, was ? &then : NULL);
    }
    it = yyjson_obj_iter_with(old);
    while ((k = yyjson_obj_iter_next(&it)) != NULL)
        if (yyjson_obj_getn(roles, yyjson_get_str(k), yyjson_get_len(k)) == NULL)
            print_role(w, json_text(k), NULL, tuf_root_role_named(base, json_text(k), &then) ? &then : NULL);
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
                    shown(w, json_text(v)));
        }
    }
}

static yyjson_val *delegated(const struct tuf_doc *doc)
{
    return doc != NULL ? yyjson_obj_get(yyjson_obj_get(doc->body, "delegations"), "roles") : NULL;
}

/* Who is asked first: of those that are in both, in the same order? */
static bool same_order(yyjson_val *now, yyjson_val *then)
{
    size_t last = 0, i, max;
    yyjson_val *v;
    yyjson_arr_foreach(now, i, max, v)
    {
        size_t at = 0, j, count;
        yyjson_val *old;
        yyjson_arr_foreach(then, j, count, old)
        {
            if (yyjson_equals(yyjson_obj_get(old, "name"), yyjson_obj_get(v, "name")))
                at = j + 1;
        }
        if (at != 0 && at < last)
            return false;
        last = at > last ? at : last;
    }
    return true;
}

static void print_delegations(struct showing *w, const struct tuf_doc *doc, const struct tuf_doc *base)
{
    yyjson_val *roles = delegated(doc), *old = delegated(base), *v;
    struct tuf_delegation now, then;
    size_t i, max;
    yyjson_arr_foreach(roles, i, max, v)
    {
        yyjson_val *before = named(old, yyjson_obj_get(v, "name"));
        struct str name = json_text(yyjson_obj_get(v, "name"));
        bool was = before != NULL && tuf_delegation_find(base, name, &then, NULL) == 0;
        if (tuf_delegation_at(doc, i, &now, NULL) != 0 ||
            (was && same_role(v, before, &now.role, &then.role)))
            continue;
        print_role(w, name, &now.role, was ? &then.role : NULL);
        print_paths(w, v);
    }
    yyjson_arr_foreach(old, i, max, v)
    {
        if (named(roles, yyjson_obj_get(v, "name")) == NULL && tuf_delegation_at(base, i, &then, NULL) == 0)
            print_role(w, then.role.name, NULL, &then.role);
    }
    if (!same_order(roles, old)) {
        fputs("    ~ the order in which delegated roles are asked\n", w->to);
        w->lines++;
    }
}

/* --- all --------------------------------------------------------------------------------------------- */

static void print_manifest_key(struct showing *w, char mark, yyjson_val *name, yyjson_val *id)
{
    struct str text = json_text(id);
    text.n = text.n < KEYID_SHOWN ? text.n : KEYID_SHOWN;
    fprintf(w->to, "    %c key of manifests, %s: %s\n", mark, shown(w, json_text(name)), shown(w, text));
    w->lines++;
}

/* Another key under the id that was there: ids need not be made from keys. */
static void print_manifest_swapped(struct showing *w, const struct tuf_doc *doc, const struct tuf_doc *base)
{
    static const char *const whose[] = {"vendor", "director"};
    struct tuf_key now, then;
    for (size_t i = 0; base != NULL && i < sizeof whose / sizeof whose[0]; i++)
        if (tuf_manifest_key(doc, whose[i], &now) && tuf_manifest_key(base, whose[i], &then) &&
            str_eq(now.id, then.id) && !yyjson_equals(now.object, then.object)) {
            fprintf(w->to, "    ~ key of manifests, %s: ANOTHER KEY under the same id\n", whose[i]);
            w->lines++;
        }
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
    fprintf(w->to, "    %c %s%s%s\n", mark, shown(w, json_text(name)), small ? ": " : "",
            small ? shown(w, json_text(value)) : "");
    w->lines++;
}

static void print_own(struct showing *w, char mark, yyjson_val *name, yyjson_val *value)
{
    if (yyjson_equals_str(name, "manifest") || yyjson_equals_str(name, "keys"))
        return; /* shown in detail */
    fprintf(w->to, "    %c pqota's own member %s: %s\n", mark, shown(w, json_text(name)),
            shown(w, json_text(value)));
    w->lines++;
}

int signing_print_changes(const struct tuf_doc *doc, const struct tuf_doc *base, struct arena *a, FILE *to,
                          struct err *e)
{
    struct showing w = {.a = a, .to = to};
    yyjson_val *now = doc->body, *then = base != NULL ? base->body : NULL;
    yyjson_val *own = yyjson_obj_get(now, "pqota"), *own_then = yyjson_obj_get(then, "pqota");
    if (doc->type == TUF_ROOT)
        print_root_roles(&w, doc, base);
    each_change(&w, yyjson_obj_get(own, "manifest"), yyjson_obj_get(own_then, "manifest"),
                print_manifest_key);
    print_manifest_swapped(&w, doc, base);
    each_change(&w, own, own_then, print_own);
    print_delegations(&w, doc, base);
    each_change(&w, yyjson_obj_get(now, "targets"), yyjson_obj_get(then, "targets"), print_target);
    each_change(&w, now, then, print_other);
    if (w.lines == 0)
        fprintf(to, "    %s\n",
                base != NULL ? "nothing but its version and its end are changed" : "it says nothing yet");
    return ferror(to) ? err_set(e, ERR_IO, "cannot write what is to be signed") : 0;
}
