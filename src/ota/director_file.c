#include "ota/director_file.h"

#include "base/json.h"
#include "trust/make.h"

enum trust_online director_role(enum director_kind kind)
{
    return kind == DIRECTOR_MANIFEST ? TRUST_MANIFEST : TRUST_DIRECTOR;
}

/* --- bodies --------------------------------------------------------------------------------------------- */

static int fill_targets(yyjson_mut_doc *doc, const struct director_order *o, struct err *e)
{
    yyjson_mut_val *own = yyjson_mut_obj_add_obj(doc, yyjson_mut_doc_get_root(doc), "pqota");
    if (own == NULL || !yyjson_mut_obj_add_str(doc, own, "device", o->device))
        return err_set(e, ERR_NOMEM, "no memory for a director's file");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->target_count; i++) {
        const struct director_target *t = &o->targets[i];
        rc = make_target(doc, t->path, t->size, t->sha256, NULL, e);
    }
    return rc;
}

static int draft_targets(const struct director_order *o, int64_t version, int64_t expires_s, struct arena *a,
                         struct manifest_draft *out, struct err *e)
{
    auto_json_mut yyjson_mut_doc *doc = NULL;
    struct str canon;
    int rc = make_body(TUF_TARGETS, version, expires_s, &doc, e);
    if (rc == 0)
        rc = fill_targets(doc, o, e);
    if (rc == 0)
        rc = make_canon(doc, a, &canon, e);
    if (rc == 0)
        *out = (struct manifest_draft){.payload = canon, .to_be_signed = canon};
    return rc;
}

int director_draft(enum director_kind kind, const struct director_order *o, int64_t version,
                   int64_t expires_s, struct arena *a, struct manifest_draft *out, struct err *e)
{
    if (kind == DIRECTOR_TARGETS)
        return draft_targets(o, version, expires_s, a, out, e);
    const struct manifest_decision d = {
        .device = str_of(o->device),
        .version = version,
        .expires_s = expires_s,
        .entry = o->release != 0 ? o->entry : (struct str){0},
    };
    return manifest_draft_decision(&d, a, out, e);
}

/* --- signatures: of each its key's id, its size in two bytes, itself ------------------------------------ */

#define HEAD_SIZE (SHA256_SIZE + 2)

static int pack(const char *keyid, struct str sig, char **to, struct err *e)
{
    if (sig.n > TRUST_SIG_MAX || hex_decode(str_of(keyid), *to, SHA256_SIZE) != 0)
        return err_set(e, ERR_INTERNAL, "a signature of %zu bytes by the key %s cannot be kept", sig.n,
                       keyid);
    (*to)[SHA256_SIZE] = (char)(sig.n >> 8);
    (*to)[SHA256_SIZE + 1] = (char)(sig.n & 0xff);
    memcpy(*to + HEAD_SIZE, sig.p, sig.n);
    *to += HEAD_SIZE + sig.n;
    return 0;
}

/* Cuts one off *rest; false at the end (then rest->n is 0) and where it is damaged. */
static bool unpack(struct str *rest, char keyid[SHA256_HEX_SIZE], struct str *sig)
{
    if (rest->n < HEAD_SIZE)
        return false;
    const unsigned char *p = (const unsigned char *)rest->p;
    size_t n = (size_t)p[SHA256_SIZE] << 8 | p[SHA256_SIZE + 1];
    if (rest->n - HEAD_SIZE < n)
        return false;
    hex_encode(p, SHA256_SIZE, keyid);
    *sig = (struct str){.p = rest->p + HEAD_SIZE, .n = n};
    rest->p += HEAD_SIZE + n;
    rest->n -= HEAD_SIZE + n;
    return true;
}

bool director_signed_by(struct str signatures, const struct sign_keys *keys)
{
    char keyid[SHA256_HEX_SIZE];
    struct str sig;
    for (size_t i = 0; i < keys->count; i++)
        if (!unpack(&signatures, keyid, &sig) || strcmp(keyid, keys->key[i].keyid) != 0)
            return false;
    return signatures.n == 0;
}

bool director_signed_by_named(enum director_kind kind, struct str signatures, const struct trust_named *named)
{
    char keyid[SHA256_HEX_SIZE];
    struct str sig;
    while (signatures.n > 0)
        if (!unpack(&signatures, keyid, &sig) || !trust_named_has(named, director_role(kind), keyid))
            return false;
    return true;
}

static int check_keys(enum director_kind kind, const struct sign_keys *keys, struct err *e)
{
    if (kind == DIRECTOR_MANIFEST && (keys->count != 1 || keys->key[0].scheme->scheme != TRUST_ML_DSA_44))
        return err_set(e, ERR_UNSUPPORTED, "[trust] manifest_key must be one key, ml-dsa-44/1");
    return 0;
}

int director_signatures(enum director_kind kind, const struct sign_keys *keys, struct str to_be_signed,
                        struct arena *a, struct str *out, struct err *e)
{
    char *packed = arena_alloc(a, keys->count * (HEAD_SIZE + TRUST_SIG_MAX)), *to = packed;
    int rc = check_keys(kind, keys, e);
    if (rc == 0 && packed == NULL)
        rc = err_set(e, ERR_NOMEM, "no memory to sign for a device");
    for (size_t i = 0; rc == 0 && i < keys->count; i++) {
        struct str sig;
        rc = kind == DIRECTOR_MANIFEST ? keys_sign_raw(&keys->key[i], to_be_signed, a, &sig, e)
                                       : keys_sign(&keys->key[i], to_be_signed, a, &sig, e);
        if (rc == 0)
            rc = pack(keys->key[i].keyid, sig, &to, e);
    }
    if (rc == 0)
        *out = (struct str){.p = packed, .n = (size_t)(to - packed)};
    return rc;
}

/* --- files ---------------------------------------------------------------------------------------------- */

int director_file(enum director_kind kind, struct str body, struct str signatures, struct arena *a,
                  struct str *out, struct err *e)
{
    char keyid[KEYS_PER_FILE_MAX][SHA256_HEX_SIZE];
    struct make_signature sigs[KEYS_PER_FILE_MAX];
    size_t n = 0;
    while (n < KEYS_PER_FILE_MAX && unpack(&signatures, keyid[n], &sigs[n].sig)) {
        sigs[n].keyid = keyid[n];
        n++;
    }
    if (n == 0 || signatures.n != 0 || (kind == DIRECTOR_MANIFEST && n != 1))
        return err_set(e, ERR_CORRUPT, "the signatures that were stored for a device are damaged");
    if (kind == DIRECTOR_TARGETS)
        return make_envelope(body, sigs, n, a, out, e);
    const struct manifest_draft draft = {.payload = body};
    return manifest_seal(&draft, sigs[0].sig, a, out, e);
}
