/* Pairs of keys: made, named, saved, and what they sign. */
#include "cmd/holders.h"

#include <string.h>
#include <unistd.h>

static const struct {
    enum trust_scheme scheme[2];
    size_t count;
} pairs[] = {
    [HOLDERS_OFFLINE] = {{TRUST_ML_DSA_87, TRUST_ED25519}, 2},
    [HOLDERS_ONLINE] = {{TRUST_ML_DSA_65, TRUST_ED25519}, 2},
    [HOLDERS_MANIFEST] = {{TRUST_ML_DSA_44}, 1},
};

void holders_fini(struct holders *h)
{
    for (size_t i = 0; i < h->own_count; i++)
        keys_fini(&h->own[i]);
    h->own_count = 0;
}

int holders_add(struct holders *h, const struct make_key *key, struct err *e)
{
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->key[i].keyid, key->keyid) == 0)
            return err_set(e, ERR_CONFLICT, "the key %.16s... is given twice", key->keyid);
    if (h->count == TUF_ROLE_KEYS_MAX)
        return err_set(e, ERR_TOO_LARGE, "a role has at most %d keys", TUF_ROLE_KEYS_MAX);
    h->key[h->count++] = *key;
    return 0;
}

/* Takes over the keys of a new holder. */
static int add_own(struct holders *h, struct sign_keys *keys, const char *file, struct arena *a,
                   struct err *e)
{
    size_t before = h->count;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < keys->count; i++) {
        const struct sign_key *k = &keys->key[i];
        struct make_key public = {.keyid = arena_dup(a, k->keyid, strlen(k->keyid)),
                                  .scheme = k->scheme,
                                  .public_text = k->public_text};
        rc = public.keyid != NULL ? holders_add(h, &public, e) : err_set(e, ERR_NOMEM, "no memory for a key");
    }
    if (rc != 0) {
        h->count = before;
        keys_fini(keys);
        return rc;
    }
    h->file[h->own_count] = file;
    h->own[h->own_count++] = *keys;
    return 0;
}

static int has_room(const struct holders *h, struct err *e)
{
    if (h->own_count == HOLDERS_MAX)
        return err_set(e, ERR_TOO_LARGE, "a role has at most %d holders here", HOLDERS_MAX);
    return 0;
}

int holders_make(struct holders *h, enum holders_pair pair, const char *file, struct arena *a, struct err *e)
{
    struct sign_keys keys = {.count = 0};
    const char *copy = arena_dup_str(a, str_of(file));
    int rc = copy != NULL ? has_room(h, e) : err_set(e, ERR_NOMEM, "no memory for a key");
    if (rc == 0)
        rc = keys_generate(pairs[pair].scheme, pairs[pair].count, a, &keys, e);
    return rc == 0 ? add_own(h, &keys, copy, a, e) : rc;
}

int holders_load(struct holders *h, const char *uri, struct passphrase *passphrase, struct arena *a,
                 struct err *e)
{
    struct sign_keys keys = {.count = 0};
    struct pki_passphrase asker = passphrase_asker(passphrase);
    int rc = has_room(h, e);
    if (rc == 0)
        rc = keys_load(uri, &asker, a, &keys, e);
    return rc == 0 ? add_own(h, &keys, NULL, a, e) : rc;
}

int holders_save(const struct holders *h, const char *passphrase, struct err *e)
{
    for (size_t i = 0; i < h->own_count; i++) {
        int rc = h->file[i] != NULL ? keys_save(&h->own[i], h->file[i], passphrase, e) : 0;
        for (size_t k = 0; rc != 0 && k < i; k++)
            if (h->file[k] != NULL)
                (void)unlink(h->file[k]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int holders_seal(yyjson_mut_doc *body, const struct holders *const *by, struct arena *a, struct str *out,
                 struct err *e)
{
    struct make_signature sigs[TUF_SIGNATURES_MAX];
    size_t count = 0;
    struct str canon;
    int rc = make_canon(body, a, &canon, e);
    for (; rc == 0 && by != NULL && *by != NULL; by++)
        for (size_t i = 0; i < (*by)->own_count; i++)
            for (size_t k = 0; rc == 0 && k < (*by)->own[i].count; k++) {
                const struct sign_key *key = &(*by)->own[i].key[k];
                if (count == TUF_SIGNATURES_MAX)
                    return err_set(e, ERR_TOO_LARGE, "a document has at most %d signatures",
                                   TUF_SIGNATURES_MAX);
                sigs[count].keyid = key->keyid;
                rc = keys_sign(key, canon, a, &sigs[count++].sig, e);
            }
    return rc == 0 ? make_envelope(canon, sigs, count, a, out, e) : rc;
}

struct make_role holders_role(const char *name, const struct holders *h, int64_t threshold)
{
    return (struct make_role){.name = name, .keys = h->key, .key_count = h->count, .threshold = threshold};
}

void holders_print_ids(const struct sign_keys *keys, FILE *to)
{
    for (size_t i = 0; i < keys->count; i++)
        fprintf(to, "    %.16s  %s\n", keys->key[i].keyid, keys->key[i].scheme->name);
}
