/* Any bytes as a metadata file: what is read of it can be asked everything. The first byte chooses the kind
   and how much memory the reader has. */
#include <stdlib.h>
#include <string.h>

#include "trust/custom.h"
#include "trust/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Believes every signature, so that what comes behind it is reached; its hashes are cheap. */
static int believe(void *ctx, enum trust_scheme scheme, const void *key, size_t key_n, const void *msg,
                   size_t msg_n, const void *sig, size_t sig_n)
{
    const struct trust_scheme_row *row = trust_scheme_row(scheme);
    (void)ctx, (void)key, (void)msg, (void)sig;
    if (row == NULL || key_n == 0 || key_n > TRUST_SPKI_MAX ||
        (row->key_size != 0 && key_n != row->key_size) || sig_n == 0 || sig_n > row->sig_max ||
        (row->sig_exact != 0 && sig_n != row->sig_exact) || (row->hashed && msg_n != TRUST_TBS_HASHED_SIZE))
        abort();
    return 0;
}

static int sum(void *ctx, enum trust_hash which, const void *data, size_t n, unsigned char *out)
{
    const unsigned char *p = data;
    size_t size = which == TRUST_SHA256 ? TRUST_SHA256_SIZE : TRUST_SHA512_SIZE;
    (void)ctx;
    memset(out, (int)n, size);
    for (size_t i = 0; i < n; i++)
        out[i % size] = (unsigned char)(out[i % size] * 31 + p[i]);
    return 0;
}

static const struct trust_crypto crypto = {.verify = believe, .hash = sum};

static void ask_role(const struct tuf_doc *doc, const struct tuf_role *role, struct trust_space *space)
{
    struct tuf_signer signers[TUF_ROLE_KEYS_MAX];
    size_t n = 0, mark = space_mark(space);
    for (int both = 0; both < 2; both++) {
        struct tuf_rules rules = {.both_families = both != 0};
        int rc = tuf_verify(doc, role, &rules, &crypto, space, NULL);
        if (rc != 0 && rc != ERR_MISMATCH && rc != ERR_NOMEM && (rc != ERR_INVALID || both == 0))
            abort();
    }
    if (tuf_signers(doc, role, &crypto, space, signers, TUF_ROLE_KEYS_MAX, &n, NULL) == 0 &&
        n != tuf_role_key_count(role))
        abort();
    if (!tuf_same_keys(role, role) || role->threshold < 1 || space_mark(space) != mark)
        abort();
}

static void ask_root(const struct tuf_doc *doc, struct trust_space *space)
{
    for (int t = TUF_ROOT; t <= TUF_TARGETS; t++) {
        struct tuf_role role;
        if (tuf_root_role(doc, (enum tuf_type)t, &role, NULL) != 0)
            abort();
        ask_role(doc, &role, space);
    }
    (void)tuf_root_repository(doc);
    (void)tuf_root_consistent(doc);
}

static void ask_targets(const struct tuf_doc *doc, struct trust_space *space)
{
    struct tuf_target t, same;
    struct trust_custom custom;
    struct tuf_target_iter it;
    size_t count = tuf_target_count(doc), delegations = tuf_delegation_count(doc);
    tuf_target_iter_begin(doc, &it);
    for (size_t i = 0; i < count; i++) {
        int rc = tuf_target_iter_next(&it, &t, NULL);
        if (rc == ERR_NOT_FOUND)
            abort();
        if (rc == 0 &&
            (t.length < 0 || tuf_target_find(doc, t.name, &same, NULL) != 0 || same.length != t.length))
            abort();
        if (rc == 0 && trust_custom_read(t.custom, &custom, NULL) == 0 && custom.sequence < 1)
            abort();
    }
    for (size_t i = 0; i < delegations; i++) {
        struct tuf_delegation d, again;
        bool fits;
        if (tuf_delegation_at(doc, i, &d, NULL) != 0 ||
            tuf_delegation_find(doc, d.role.name, &again, NULL) != 0 || !tuf_same_keys(&again.role, &d.role))
            abort();
        if (tuf_delegation_fits(&d, STR("a/b"), &crypto, &fits, NULL) != 0)
            abort();
        ask_role(doc, &d.role, space);
    }
}

static void ask_metas(const struct tuf_doc *doc)
{
    struct tuf_meta m;
    if (tuf_meta_find(doc, STR("snapshot.json"), &m, NULL) == 0) {
        if (m.version < 1)
            abort();
        (void)!tuf_meta_check(&m, doc->text, &crypto, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t sizes[] = {512, 8192, 65536, 1 << 20};
    if (size < 1 || size > 65536)
        return 0;
    enum tuf_type type = (enum tuf_type)(data[0] % 4);
    size_t n = size - 1, most = sizes[data[0] / 4 % 4];
    void *memory = malloc(most);
    struct trust_space space;
    struct tuf_doc doc, again;
    struct err e = {.code = 0};
    if (memory == NULL)
        abort();
    space_init(&space, memory, most);
    int rc = tuf_doc_read((struct str){.p = (const char *)data + 1, .n = n}, type, &space, &doc, &e);
    if (rc != 0) {
        if (e.code != rc || e.text[0] == '\0' || space_mark(&space) != 0)
            abort();
    } else {
        char *copy = space_take(&space, n + DOC_PADDING);
        if (doc.canon.n > n || doc.version < 1 || doc.text.n != n || memcmp(doc.text.p, data + 1, n) != 0)
            abort();
        if (type == TUF_ROOT)
            ask_root(&doc, &space);
        else if (type == TUF_TARGETS)
            ask_targets(&doc, &space);
        else
            ask_metas(&doc);
        if (copy != NULL)
            memcpy(copy, data + 1, n);
        rc = copy != NULL ? doc_read_again(copy, n, type, &space, &again, &e) : ERR_NOMEM;
        if (rc != ERR_NOMEM && (rc != 0 || again.version != doc.version || again.expires_s != doc.expires_s))
            abort();
    }
    free(memory);
    return 0;
}
