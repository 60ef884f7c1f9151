/* Making snapshot and timestamp: body, signatures, file, and whether the root would have them. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "ota/trust_online.h"
#include "trust/make.h"

static const struct tuf_rules both = {.both_families = true};

/* The file: signed by each key of the pair. */
static int sign(const struct sign_keys *keys, yyjson_mut_doc *doc, struct arena *a, struct str *out,
                struct err *e)
{
    struct make_signature sigs[KEYS_PER_FILE_MAX];
    struct str canon;
    int rc = make_canon(doc, a, &canon, e);
    for (size_t i = 0; rc == 0 && i < keys->count; i++) {
        sigs[i].keyid = keys->key[i].keyid;
        rc = keys_sign(&keys->key[i], canon, a, &sigs[i].sig, e);
    }
    return rc != 0 ? rc : make_envelope(canon, sigs, keys->count, a, out, e);
}

static int check_by(struct str root_text, struct str text, enum tuf_type type, struct trust_space *space,
                    struct err *e)
{
    struct tuf_doc root, made;
    struct tuf_role role;
    int rc = tuf_doc_read(root_text, TUF_ROOT, space, &root, e);
    if (rc == 0)
        rc = tuf_root_role(&root, type, &role, e);
    if (rc == 0)
        rc = tuf_doc_read(text, type, space, &made, e);
    return rc != 0 ? rc : tuf_verify(&made, &role, &both, &keys_crypto, space, e);
}

/* What nobody would believe is not served. */
static int check(const struct online_set *set, struct str text, enum tuf_type type, struct err *e)
{
    auto_free void *memory = malloc(TRUST_SPACE_BYTES);
    struct trust_space space;
    if (memory == NULL)
        return err_set(e, ERR_NOMEM, "no memory to check what was signed");
    space_init(&space, memory, TRUST_SPACE_BYTES);
    int rc = check_by(set->root.body, text, type, &space, e);
    if (rc == ERR_MISMATCH)
        return err_context(e, "the root names other keys for the role %s than [trust] %s_key has",
                           tuf_type_word(type), tuf_type_word(type));
    return rc;
}

static int finish(const struct online_set *set, const struct sign_keys *keys, enum tuf_type type,
                  yyjson_mut_doc *doc, struct arena *a, struct metadata *m, struct err *e)
{
    unsigned char hash[TRUST_SHA256_SIZE];
    int rc = sign(keys, doc, a, &m->body, e);
    if (rc == 0)
        rc = check(set, m->body, type, e);
    if (rc == 0)
        rc = keys_crypto.hash(keys_crypto.ctx, TRUST_SHA256, m->body.p, m->body.n, hash);
    char *hex = arena_alloc(a, SHA256_HEX_SIZE);
    if (rc == 0 && hex == NULL)
        rc = err_set(e, ERR_NOMEM, "no memory to sign update metadata");
    if (rc != 0)
        return rc;
    hex_encode(hash, sizeof hash, hex);
    m->sha256 = hex;
    m->size = (int64_t)m->body.n;
    return 0;
}

static const struct sign_keys *keys_for(const struct trust_keys *keys, enum trust_online role, struct err *e)
{
    const struct sign_keys *found = trust_keys_of(keys, role);
    if (found == NULL)
        err_set(e, ERR_NOT_FOUND,
                "this server has no key for the role %s: put it where [trust] %s_key says, and send SIGHUP",
                trust_online_word(role), trust_online_word(role));
    return found;
}

static struct metadata begin(struct ota *ota, const struct trust_keys *keys, enum trust_online role,
                             const struct metadata *last)
{
    int64_t now_s = clock_unix_ms(ota->clock) / 1000;
    return (struct metadata){
        .repository = REPOSITORY_IMAGE,
        .role = trust_online_word(role),
        .version = last->version + 1 > now_s ? last->version + 1 : now_s,
        .expires_at = (now_s + trust_life_s(keys, role)) * 1000,
    };
}

static int make_snapshot(struct ota *ota, const struct trust_keys *keys, const struct online_set *set,
                         struct arena *a, struct metadata *out, struct err *e)
{
    const struct sign_keys *own = keys_for(keys, TRUST_SNAPSHOT, e);
    if (own == NULL)
        return ERR_NOT_FOUND;
    struct metadata m = begin(ota, keys, TRUST_SNAPSHOT, &set->snapshot);
    auto_json_mut yyjson_mut_doc *doc = NULL;
    int rc = make_body(TUF_SNAPSHOT, m.version, m.expires_at / 1000, &doc, e);
    for (size_t i = 0; rc == 0 && i < set->count; i++) {
        const struct metadata *item = &set->items[i];
        const char *name = arena_printf(a, "%s.json", item->role);
        rc = name == NULL ? err_set(e, ERR_NOMEM, "no memory for a snapshot")
                          : make_meta_known(doc, name, item->version, item->size, item->sha256, e);
    }
    if (rc == 0)
        rc = finish(set, own, TUF_SNAPSHOT, doc, a, &m, e);
    if (rc != 0)
        return rc;
    trust_count(ota, TRUST_SNAPSHOT, own->count);
    *out = m;
    return 0;
}

static int make_timestamp(struct ota *ota, const struct trust_keys *keys, const struct online_set *set,
                          const struct metadata *snapshot, struct arena *a, struct metadata *out,
                          struct err *e)
{
    const struct sign_keys *own = keys_for(keys, TRUST_TIMESTAMP, e);
    if (own == NULL)
        return ERR_NOT_FOUND;
    struct metadata m = begin(ota, keys, TRUST_TIMESTAMP, &set->timestamp);
    auto_json_mut yyjson_mut_doc *doc = NULL;
    int rc = make_body(TUF_TIMESTAMP, m.version, m.expires_at / 1000, &doc, e);
    if (rc == 0)
        rc = make_meta_known(doc, "snapshot.json", snapshot->version, snapshot->size, snapshot->sha256, e);
    if (rc == 0)
        rc = finish(set, own, TUF_TIMESTAMP, doc, a, &m, e);
    if (rc != 0)
        return rc;
    trust_count(ota, TRUST_TIMESTAMP, own->count);
    *out = m;
    return 0;
}

int online_make(struct ota *ota, const struct online_set *set, struct arena *a, struct metadata *snapshot,
                struct metadata *timestamp, struct err *e)
{
    auto_trust_keys struct trust_keys *keys = trust_keys_get(ota);
    struct metadata s = set->snapshot, t;
    int rc = snapshot != NULL ? make_snapshot(ota, keys, set, a, &s, e) : 0;
    if (rc == 0)
        rc = make_timestamp(ota, keys, set, &s, a, &t, e);
    if (rc != 0)
        return rc;
    if (snapshot != NULL)
        *snapshot = s;
    *timestamp = t;
    return 0;
}
