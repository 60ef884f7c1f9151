/* Whether enough of a role's keys signed a document. */
#include "base/hex.h"
#include "trust/internal.h"

/* What checking one document needs, in the space. */
struct check {
    const struct tuf_doc *doc;
    const struct tuf_role *role;
    const struct trust_crypto *crypto;
    unsigned char *key, *sig; /* TRUST_SPKI_MAX and TRUST_SIG_MAX bytes */
    size_t key_n;             /* of the key that was looked at last */
    unsigned char tbs[TRUST_TBS_HASHED_SIZE];
    bool hashed; /* tbs is made */
    int untold;  /* what the crypto said when it could not tell whether a signature is good */
};

static int begin(struct check *c, struct trust_space *space, struct err *e)
{
    c->key = space_take(space, TRUST_SPKI_MAX);
    c->sig = space_take(space, TRUST_SIG_MAX);
    if (c->key == NULL || c->sig == NULL)
        return err_set(e, ERR_NOMEM, "the memory given is too small to check signatures");
    return 0;
}

static int make_tbs(struct check *c)
{
    if (c->hashed)
        return 0;
    if (trust_tbs_hashed(c->doc->canon, c->crypto, c->tbs) != 0)
        return ERR_CRYPTO;
    c->hashed = true;
    return 0;
}

/* Decodes the one signature by that key id; false: there is none that could be one of the scheme. */
static bool take_signature(struct check *c, const struct trust_scheme_row *row, struct str keyid, size_t *n)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(c->doc->signatures);
    yyjson_val *one;
    while ((one = yyjson_arr_iter_next(&it)) != NULL) {
        if (!str_eq(trust_text_at(one, "keyid"), keyid))
            continue;
        struct str hex = trust_text_at(one, "sig");
        *n = hex.n / 2;
        return hex.n % 2 == 0 && *n > 0 && *n <= row->sig_max && *n <= TRUST_SIG_MAX &&
               (row->sig_exact == 0 || *n == row->sig_exact) && hex_decode(hex, c->sig, *n) == 0;
    }
    return false;
}

/* Whether that key of the role signed the document. What it is about stays in c->key. */
static bool signed_by(struct check *c, const struct tuf_key *key)
{
    size_t sig_n;
    struct str msg = c->doc->canon;
    const struct trust_scheme_row *row = key->scheme;
    if (row == NULL || !take_signature(c, row, key->id, &sig_n) || key->public_text.p == NULL ||
        trust_key_decode(row, key->public_text, c->key, &c->key_n, NULL) != 0)
        return false;
    int rc = row->hashed ? make_tbs(c) : 0;
    if (row->hashed)
        msg = (struct str){.p = (const char *)c->tbs, .n = sizeof c->tbs};
    if (rc == 0)
        rc = c->crypto->verify(c->crypto->ctx, row->scheme, c->key, c->key_n, msg.p, msg.n, c->sig, sig_n);
    if (rc != 0 && rc != ERR_MISMATCH && rc != ERR_UNSUPPORTED)
        c->untold = rc;
    return rc == 0;
}

/* --- counting ------------------------------------------------------------------------------------------- */

struct tally {
    int64_t of[TRUST_FAMILIES];
    int64_t standard; /* of both families, in the specification's members: what the threshold is about */
    unsigned char (*seen)[TRUST_SHA256_SIZE]; /* hashes of the keys that were counted */
    size_t seen_n;
};

/* Counts a key that signed, unless the same one was counted under another id. */
static int count(struct check *c, const struct trust_scheme_row *row, bool standard, struct tally *t)
{
    struct str core = trust_key_core(row, c->key, c->key_n);
    unsigned char *hash = t->seen[t->seen_n];
    if (c->crypto->hash(c->crypto->ctx, TRUST_SHA256, core.p, core.n, hash) != 0)
        return ERR_CRYPTO;
    for (size_t i = 0; i < t->seen_n; i++)
        if (memcmp(t->seen[i], hash, TRUST_SHA256_SIZE) == 0)
            return 0;
    t->seen_n++;
    t->of[row->family]++;
    t->standard += standard;
    return 0;
}

static int count_all(struct check *c, bool old_too, struct tally *t)
{
    size_t n = tuf_role_key_count(c->role), standard = yyjson_arr_size(c->role->place[TUF_STANDARD].keyids);
    int rc = 0;
    for (size_t i = 0; rc == 0 && t->seen_n < TUF_ROLE_KEYS_MAX && i < n; i++) {
        struct tuf_key key;
        if (tuf_role_key_at(c->role, i, &key) && key.scheme != NULL && (old_too || !key.scheme->old) &&
            signed_by(c, &key))
            rc = count(c, key.scheme, i < standard, t);
    }
    return rc;
}

static bool is_enough(const struct tally *t, const struct tuf_role *role, bool both)
{
    if (t->standard < role->threshold)
        return false;
    for (int f = 0; both && f < TRUST_FAMILIES; f++)
        if (t->of[f] < role->counts.need[f])
            return false;
    return true;
}

static int too_few(const struct check *c, const struct tally *t, bool both, struct err *e)
{
    const struct tuf_role *r = c->role;
    struct shown pq = trust_number(r->counts.need[TRUST_POST_QUANTUM]);
    struct shown classical = trust_number(r->counts.need[TRUST_CLASSICAL]);
    int rc = c->untold != 0 ? ERR_CRYPTO : ERR_MISMATCH;
    return err_set(
        e, rc, "signed by %d of the %s keys that the role %s needs (ML-DSA: %d%s%s, classical: %d%s%s)%s",
        (int)t->standard, trust_number(r->threshold).z, trust_show(r->name).z, (int)t->of[TRUST_POST_QUANTUM],
        both ? " of " : "", both ? pq.z : "", (int)t->of[TRUST_CLASSICAL], both ? " of " : "",
        both ? classical.z : "", c->untold != 0 ? "; some signatures could not be checked" : "");
}

/* Roles may share keys, and a targets file of the specification does not say whose it is: an old one of
   another role, well signed, must not stand for this one. */
static int check_named(const struct tuf_doc *doc, const struct tuf_role *role, struct err *e)
{
    struct str says = trust_text_at(yyjson_obj_get(doc->body, "pqota"), "role");
    if (says.p == NULL || str_eq(says, role->name))
        return 0;
    return err_set(e, ERR_MISMATCH, "it is the file of the role %s, not of %s", trust_show(says).z,
                   trust_show(role->name).z);
}

int tuf_verify(const struct tuf_doc *doc, const struct tuf_role *role, const struct tuf_rules *rules,
               const struct trust_crypto *crypto, struct trust_space *space, struct err *e)
{
    size_t mark = space_mark(space);
    const struct tuf_role by = trust_role_under(role, rules);
    struct check c = {.doc = doc, .role = &by, .crypto = crypto};
    struct tally t = {.seen_n = 0};
    bool both = rules->both_families;
    if (both && (!role->counts.given || role->counts.need[TRUST_POST_QUANTUM] < 1 ||
                 role->counts.need[TRUST_CLASSICAL] < 1))
        return err_set(e, ERR_MISMATCH,
                       "the role %s does not demand at least one ML-DSA and one classical signature "
                       "(member \"pqota\")",
                       trust_show(role->name).z);
    int rc = doc_check_own(&by, e);
    if (rc == 0 && both)
        rc = check_named(doc, role, e);
    if (rc == 0)
        rc = begin(&c, space, e);
    if (rc == 0) {
        /* One more than can be counted: the last place is where the next one is compared. */
        t.seen = space_take(space, (TUF_ROLE_KEYS_MAX + 1) * sizeof *t.seen);
        if (t.seen == NULL)
            rc = err_set(e, ERR_NOMEM, "the memory given is too small to check signatures");
        else if (count_all(&c, !both, &t) != 0)
            rc = err_set(e, ERR_CRYPTO, "the hash of a key cannot be made");
        else if (!is_enough(&t, role, both))
            rc = too_few(&c, &t, both, e);
    }
    space_release(space, mark);
    return rc;
}

int tuf_signers(const struct tuf_doc *doc, const struct tuf_role *role, const struct trust_crypto *crypto,
                struct trust_space *space, struct tuf_signer *out, size_t most, size_t *count_out,
                struct err *e)
{
    size_t mark = space_mark(space), n = 0;
    struct check c = {.doc = doc, .role = role, .crypto = crypto};
    int rc = doc_check_own(role, e);
    if (rc == 0)
        rc = begin(&c, space, e);
    if (rc == 0) {
        size_t all = tuf_role_key_count(role);
        for (; n < most && n < all; n++) {
            struct tuf_key key;
            bool there = tuf_role_key_at(role, n, &key);
            out[n] = (struct tuf_signer){
                .keyid = key.id, .scheme = key.scheme, .signed_it = there && signed_by(&c, &key)};
        }
        *count_out = n;
    }
    space_release(space, mark);
    return rc;
}
