#include "cmd/sign_with.h"

int sign_with_open(struct sign_with *w, const struct line_args *args, const char *option, struct arena *a,
                   struct err *e)
{
    *w = (struct sign_with){.count = 0};
    passphrase_init(&w->passphrase, line_get(args, "passphrase-file"));
    struct pki_passphrase asker = passphrase_asker(&w->passphrase);
    size_t i = 0;
    int rc = 0;
    for (const char *uri; rc == 0 && (uri = line_each(args, option, &i)) != NULL;) {
        if (w->count == SIGN_WITH_MAX)
            return err_set(e, ERR_TOO_LARGE, "more than %d keys at once", SIGN_WITH_MAX);
        w->uri[w->count] = uri;
        rc = keys_load(uri, &asker, a, &w->keys[w->count], e);
        w->count += rc == 0;
    }
    return rc;
}

void sign_with_close(struct sign_with *w)
{
    for (size_t i = 0; i < w->count; i++)
        keys_fini(&w->keys[i]);
    w->count = 0;
    passphrase_fini(&w->passphrase);
}

static bool is_wanted(const struct signing *s, const char *keyid)
{
    for (size_t i = 0; i < s->count; i++)
        if (signing_may(&s->items[i], keyid))
            return true;
    return signing_is_vendor_key(s, keyid);
}

int sign_with_check(const struct sign_with *w, const struct signing *s, struct err *e)
{
    for (size_t i = 0; i < w->count; i++) {
        bool any = false;
        for (size_t k = 0; k < w->keys[i].count; k++)
            any = any || is_wanted(s, w->keys[i].key[k].keyid);
        if (!any)
            return err_set(e, ERR_INVALID,
                           "the keys in %s belong to no role that signs these documents; nothing was signed",
                           w->uri[i]);
    }
    return 0;
}

static int sign_one(struct sign_with *w, struct signing *s, struct signing_item *item,
                    const struct sign_key *key, struct err *e)
{
    struct str sig;
    int rc = keys_sign(key, item->doc.canon, s->arena, &sig, e);
    if (rc == 0)
        rc = request_put_signature(item->document, key->keyid, sig, s->arena, e);
    w->signatures += rc == 0;
    return rc;
}

static int sign_by(struct sign_with *w, struct signing *s, const struct sign_key *key, struct err *e)
{
    size_t made = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->count; i++)
        if (signing_may(&s->items[i], key->keyid))
            rc = sign_one(w, s, &s->items[i], key, e);
    if (rc == 0 && signing_is_vendor_key(s, key->keyid))
        rc = signing_entries_make(s, key, &made, e);
    w->entries += made;
    return rc;
}

int sign_with_sign(struct sign_with *w, struct signing *s, struct err *e)
{
    int rc = 0;
    for (size_t f = 0; f < w->count; f++)
        for (size_t k = 0; rc == 0 && k < w->keys[f].count; k++)
            rc = sign_by(w, s, &w->keys[f].key[k], e);
    return rc;
}
