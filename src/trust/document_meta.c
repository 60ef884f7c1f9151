/* What a timestamp, a snapshot and targets say of files: versions, lengths, hashes. */
#include "base/hex.h"
#include "trust/internal.h"

/* --- length and hashes ---------------------------------------------------------------------------------- */

int doc_check_sums(yyjson_val *entry, struct str name, bool optional, struct err *e)
{
    yyjson_val *length = yyjson_obj_get(entry, "length"), *hashes = yyjson_obj_get(entry, "hashes");
    int64_t n;
    if (!(optional && length == NULL) && !trust_is_count(length, 0, &n))
        return err_set(e, ERR_INVALID, "%s: \"length\" is missing or no integer from 0 up",
                       trust_show(name).z);
    if (optional && hashes == NULL)
        return 0;
    if (!yyjson_is_obj(hashes) || yyjson_obj_size(hashes) == 0)
        return err_set(e, ERR_INVALID, "%s: \"hashes\" is missing, empty or no object", trust_show(name).z);
    yyjson_obj_iter it = yyjson_obj_iter_with(hashes);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&it)) != NULL)
        if (!yyjson_is_str(yyjson_obj_iter_get_val(key)))
            return err_set(e, ERR_INVALID, "%s: a hash that is no text", trust_show(name).z);
    return 0;
}

static int take_hash(yyjson_val *hashes, const char *kind, size_t size, unsigned char *out, bool *has,
                     struct str name, struct err *e)
{
    yyjson_val *v = yyjson_obj_get(hashes, kind);
    *has = v != NULL;
    if (v == NULL || hex_decode(json_text(v), out, size) == 0)
        return 0;
    return err_set(e, ERR_INVALID, "%s: its %s is not %d hexadecimal digits", trust_show(name).z, kind,
                   (int)(2 * size));
}

/* A target's entry is one without a version. */
static int read_meta(yyjson_val *entry, struct str name, struct tuf_meta *out, struct err *e)
{
    yyjson_val *length = yyjson_obj_get(entry, "length"), *hashes = yyjson_obj_get(entry, "hashes");
    struct tuf_meta s = {.version = yyjson_get_sint(yyjson_obj_get(entry, "version")),
                         .length = length != NULL ? yyjson_get_sint(length) : -1};
    int rc = take_hash(hashes, "sha256", sizeof s.sha256, s.sha256, &s.has_sha256, name, e);
    if (rc == 0)
        rc = take_hash(hashes, "sha512", sizeof s.sha512, s.sha512, &s.has_sha512, name, e);
    if (rc != 0)
        return rc;
    if (hashes != NULL && !s.has_sha256 && !s.has_sha512)
        return err_set(e, ERR_UNSUPPORTED, "%s: none of its hashes is a SHA-256 or SHA-512",
                       trust_show(name).z);
    *out = s;
    return 0;
}

/* --- "meta" of timestamps and snapshots ----------------------------------------------------------------- */

static int check_meta(yyjson_val *entry, struct str name, struct err *e)
{
    int64_t version;
    if (!trust_is_count(yyjson_obj_get(entry, "version"), 1, &version))
        return err_set(e, ERR_INVALID, "%s: \"version\" is missing or no integer from 1 up",
                       trust_show(name).z);
    return doc_check_sums(entry, name, true, e);
}

int doc_check_metas(const struct tuf_doc *doc, struct err *e)
{
    yyjson_val *metas = yyjson_obj_get(doc->body, "meta"), *key;
    if (!yyjson_is_obj(metas))
        return err_set(e, ERR_INVALID, "\"meta\" is missing or no object");
    if (doc->type == TUF_TIMESTAMP)
        return check_meta(yyjson_obj_get(metas, "snapshot.json"), STR("snapshot.json"), e);
    yyjson_obj_iter it = yyjson_obj_iter_with(metas);
    while ((key = yyjson_obj_iter_next(&it)) != NULL) {
        int rc = check_meta(yyjson_obj_iter_get_val(key), json_text(key), e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int tuf_meta_find(const struct tuf_doc *doc, struct str name, struct tuf_meta *out, struct err *e)
{
    yyjson_val *entry = yyjson_obj_getn(yyjson_obj_get(doc->body, "meta"), name.p, name.n);
    if (entry == NULL)
        return err_set(e, ERR_NOT_FOUND, "the %s does not name %s", tuf_type_word(doc->type),
                       trust_show(name).z);
    return read_meta(entry, name, out, e);
}

static int check_hash(const struct trust_crypto *crypto, enum trust_hash which, struct str text,
                      const unsigned char *want, size_t size, struct err *e)
{
    unsigned char got[TRUST_SHA512_SIZE];
    const char *word = which == TRUST_SHA256 ? "SHA-256" : "SHA-512";
    if (crypto->hash(crypto->ctx, which, text.p, text.n, got) != 0)
        return err_set(e, ERR_CRYPTO, "the %s cannot be made", word);
    if (!mem_eq_consttime(got, want, size))
        return err_set(e, ERR_MISMATCH, "its %s is not the one that it must have", word);
    return 0;
}

int tuf_meta_check(const struct tuf_meta *m, struct str text, const struct trust_crypto *crypto,
                   struct err *e)
{
    if (m->length >= 0 && (uint64_t)m->length != text.n)
        return err_set(e, ERR_MISMATCH, "it has %s bytes, not %s", trust_number((int64_t)text.n).z,
                       trust_number(m->length).z);
    int rc = 0;
    if (m->has_sha256)
        rc = check_hash(crypto, TRUST_SHA256, text, m->sha256, sizeof m->sha256, e);
    if (rc == 0 && m->has_sha512)
        rc = check_hash(crypto, TRUST_SHA512, text, m->sha512, sizeof m->sha512, e);
    return rc;
}

/* --- "targets" ------------------------------------------------------------------------------------------ */

static int read_target(yyjson_val *key, struct tuf_target *out, struct err *e)
{
    yyjson_val *entry = yyjson_obj_iter_get_val(key), *custom = yyjson_obj_get(entry, "custom");
    struct tuf_meta s;
    struct tuf_target t = {.name = json_text(key), .custom = yyjson_is_obj(custom) ? custom : NULL};
    int rc = read_meta(entry, t.name, &s, e);
    if (rc != 0)
        return rc;
    t.length = s.length;
    t.has_sha256 = s.has_sha256;
    t.has_sha512 = s.has_sha512;
    memcpy(t.sha256, s.sha256, sizeof t.sha256);
    memcpy(t.sha512, s.sha512, sizeof t.sha512);
    *out = t;
    return 0;
}

static yyjson_val *targets_of(const struct tuf_doc *doc)
{
    return yyjson_obj_get(doc->body, "targets");
}

int tuf_target_find(const struct tuf_doc *targets, struct str name, struct tuf_target *out, struct err *e)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(targets_of(targets));
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&it)) != NULL)
        if (str_eq(json_text(key), name))
            return read_target(key, out, e);
    return err_set(e, ERR_NOT_FOUND, "there is no target %s", trust_show(name).z);
}

size_t tuf_target_count(const struct tuf_doc *targets)
{
    return yyjson_obj_size(targets_of(targets));
}

void tuf_target_iter_begin(const struct tuf_doc *targets, struct tuf_target_iter *it)
{
    it->inner = yyjson_obj_iter_with(targets_of(targets));
}

int tuf_target_iter_next(struct tuf_target_iter *it, struct tuf_target *out, struct err *e)
{
    yyjson_val *key = yyjson_obj_iter_next(&it->inner);
    return key != NULL ? read_target(key, out, e) : ERR_NOT_FOUND;
}
