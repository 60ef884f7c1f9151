#include "repo.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "trust/canon.h"

struct repo_key repo_keys[KEYS];

char *text_of(const char *fmt, ...)
{
    char *p = NULL;
    va_list ap;
    va_start(ap, fmt);
    assert_true(vasprintf(&p, fmt, ap) >= 0);
    va_end(ap);
    return p;
}

/* --- keys ----------------------------------------------------------------------------------------------- */

static char *public_text(EVP_PKEY *pkey, bool hex)
{
    unsigned char raw[64];
    size_t n = sizeof raw;
    if (hex) {
        assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, raw, &n), 1);
        char *text = malloc(2 * n + 1);
        hex_encode(raw, n, text);
        return text;
    }
    BIO *bio = BIO_new(BIO_s_mem());
    char *p;
    assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
    long len = BIO_get_mem_data(bio, &p);
    char *text = text_of("%.*s", (int)len, p);
    BIO_free(bio);
    return text;
}

static EVP_PKEY *make(enum trust_scheme scheme)
{
    switch (scheme) {
    case TRUST_ML_DSA_44:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ML-DSA-44");
    case TRUST_ML_DSA_65:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ML-DSA-65");
    case TRUST_ML_DSA_87:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ML-DSA-87");
    case TRUST_ED25519:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    case TRUST_ECDSA_P256:
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    default:
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    }
}

int repo_group_up(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS; i++) {
        struct repo_key *k = &repo_keys[i];
        enum trust_scheme s = i < ML        ? TRUST_ED25519
                              : i < EC      ? TRUST_ML_DSA_65
                              : i < RSA_PSS ? TRUST_ECDSA_P256
                              : i == RSA_1  ? TRUST_RSA_PKCS1
                                            : TRUST_RSA_PSS;
        k->row = trust_scheme_row(s);
        if (i == RSA_1) {
            k->pkey = repo_keys[RSA_PSS].pkey;
            EVP_PKEY_up_ref(k->pkey);
        } else {
            k->pkey = make(s);
        }
        assert_non_null(k->pkey);
        k->text = public_text(k->pkey, s == TRUST_ED25519);
        snprintf(k->id, sizeof k->id, "k%d", i);
    }
    return 0;
}

int repo_group_down(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS; i++) {
        EVP_PKEY_free(repo_keys[i].pkey);
        free(repo_keys[i].text);
    }
    return 0;
}

char *repo_sign_bytes(int key, struct str canon)
{
    const struct repo_key *k = &repo_keys[key];
    unsigned char tbs[68] = {'t', 'u', 'f', 1}, sig[8192];
    const unsigned char *msg = (const unsigned char *)canon.p;
    size_t msg_n = canon.n, n = sizeof sig;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    bool classic = k->row->form == TRUST_KEY_SPKI;
    if (k->row->family == TRUST_POST_QUANTUM) {
        assert_int_equal(EVP_Digest(canon.p, canon.n, tbs + 4, NULL, EVP_sha512(), NULL), 1);
        msg = tbs;
        msg_n = sizeof tbs;
    }
    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, classic ? EVP_sha256() : NULL, NULL, k->pkey), 1);
    if (k->row->scheme == TRUST_RSA_PSS)
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, msg, msg_n), 1);
    EVP_MD_CTX_free(ctx);
    char *hex = malloc(2 * n + 1);
    hex_encode(sig, n, hex);
    return hex;
}

/* The canonical form of a text; free it. */
static char *canonical(const char *body, size_t *n)
{
    size_t len = strlen(body), size = 40 * len + 4096;
    void *memory = malloc(size);
    struct trust_space space;
    struct str canon;
    struct err e = {0};
    yyjson_doc *doc = yyjson_read(body, len, 0);
    if (doc == NULL)
        fail_msg("no JSON: %s", body);
    space_init(&space, memory, size);
    if (canon_write(yyjson_doc_get_root(doc), &space, &canon, &e) != 0)
        fail_msg("%s", e.text);
    char *out = malloc(canon.n + 1);
    memcpy(out, canon.p, canon.n);
    out[canon.n] = '\0';
    *n = canon.n;
    yyjson_doc_free(doc);
    free(memory);
    return out;
}

char *repo_envelope(const char *body, const int *keys, size_t n)
{
    char *out = NULL;
    size_t size, canon_n;
    char *canon = canonical(body, &canon_n);
    FILE *f = open_memstream(&out, &size);
    fputs("{\"signatures\": [", f);
    for (size_t i = 0; i < n; i++) {
        char *sig = repo_sign_bytes(keys[i], (struct str){.p = canon, .n = canon_n});
        fprintf(f, "%s{\"keyid\": \"%s\", \"sig\": \"%s\"}", i > 0 ? ", " : "", repo_keys[keys[i]].id, sig);
        free(sig);
    }
    fprintf(f, "], \"signed\": %s}\n", body);
    fclose(f);
    free(canon);
    return out;
}

/* --- bodies --------------------------------------------------------------------------------------------- */

static void write_escaped(FILE *f, const char *s)
{
    for (; *s != '\0'; s++)
        if (*s == '\n')
            fputs("\\n", f);
        else
            fputc(*s, f);
}

static bool is_ml_dsa(int key)
{
    return repo_keys[key].row->family == TRUST_POST_QUANTUM;
}

/* Those that are of ML-DSA, or those that are not, or both. */
static void write_keys(FILE *f, bool classical, bool ml_dsa)
{
    bool any = false;
    fputs("\"keys\": {", f);
    for (int i = 0; i < KEYS; i++) {
        const struct repo_key *k = &repo_keys[i];
        if (is_ml_dsa(i) ? !ml_dsa : !classical)
            continue;
        fprintf(f, "%s\"%s\": {\"keytype\": \"%s\", \"scheme\": \"%s\", \"keyval\": {\"public\": \"",
                any ? ", " : "", k->id, k->row->keytype, k->row->name);
        any = true;
        write_escaped(f, k->text);
        fputs("\"}}", f);
    }
    fputs("}", f);
}

static void write_ids(FILE *f, const struct repo_role *r, bool classical, bool ml_dsa)
{
    bool any = false;
    fputs("\"keyids\": [", f);
    for (size_t i = 0; i < r->n; i++)
        if (is_ml_dsa(r->keys[i]) ? ml_dsa : classical) {
            fprintf(f, "%s\"%s\"", any ? ", " : "", repo_keys[r->keys[i]].id);
            any = true;
        }
    fputs("]", f);
}

static void write_role(FILE *f, const struct repo_role *r, bool own)
{
    write_ids(f, r, true, !own);
    fprintf(f, ", \"threshold\": %d", r->threshold);
    if (r->ml_dsa == 0 && r->classical == 0)
        return;
    fprintf(f, ", \"pqota\": {\"ml-dsa\": %d, \"classical\": %d", r->ml_dsa, r->classical);
    if (own) {
        fputs(", ", f);
        write_ids(f, r, false, true);
    }
    fputs("}", f);
}

static void write_root(FILE *f, const struct repo *r)
{
    const struct repo_role *const roles[] = {&r->root, &r->timestamp, &r->snapshot, &r->targets};
    fprintf(f, ", \"consistent_snapshot\": %s, ", r->consistent ? "true" : "false");
    if (r->own) {
        fputs("\"pqota\": {", f);
        if (r->repository != NULL)
            fprintf(f, "\"repository\": \"%s\", ", r->repository);
        write_keys(f, false, true);
        fputs("}, ", f);
    } else if (r->repository != NULL) {
        fprintf(f, "\"pqota\": {\"repository\": \"%s\"}, ", r->repository);
    }
    write_keys(f, true, !r->own);
    fputs(", \"roles\": {", f);
    for (size_t i = 0; i < COUNT(roles); i++) {
        fprintf(f, "%s\"%s\": {", i > 0 ? ", " : "", roles[i]->name);
        write_role(f, roles[i], r->own);
        fputs("}", f);
    }
    fputs("}", f);
}

static void write_meta(FILE *f, const struct repo *r, const struct repo_role *role, bool first)
{
    fprintf(f, "%s\"%s.json\": {\"version\": %d", first ? "" : ", ", role->name, role->version);
    if (r->hashes && role->text != NULL) {
        unsigned char hash[32];
        char hex[SHA256_HEX_SIZE];
        EVP_Digest(role->text, strlen(role->text), hash, NULL, EVP_sha256(), NULL);
        hex_encode(hash, sizeof hash, hex);
        fprintf(f, ", \"length\": %zu, \"hashes\": {\"sha256\": \"%s\"}", strlen(role->text), hex);
    }
    fputs("}", f);
}

static void write_metas(FILE *f, const struct repo *r, bool timestamp)
{
    const char *instead = timestamp ? r->snapshot_meta : r->metas;
    fputs(", \"meta\": {", f);
    if (instead != NULL) {
        fprintf(f, timestamp ? "\"snapshot.json\": %s" : "%s", instead);
    } else if (timestamp) {
        write_meta(f, r, &r->snapshot, true);
    } else {
        write_meta(f, r, &r->targets, true);
        for (size_t i = 0; i < r->dn; i++) {
            bool again = false;
            for (size_t j = 0; j < i; j++)
                again = again || strcmp(r->d[i].role.name, r->d[j].role.name) == 0;
            if (!again)
                write_meta(f, r, &r->d[i].role, false);
        }
    }
    fputs("}", f);
}

static void write_targets(FILE *f, const struct repo *r, const char *name, const char *members)
{
    bool any = false;
    fprintf(f, ", \"targets\": {%s}", members != NULL ? members : "");
    if (r->device != NULL)
        fprintf(f, ", \"pqota\": {\"device\": \"%s\"}", r->device);
    for (size_t i = 0; i < r->dn; i++) {
        const struct repo_delegation *d = &r->d[i];
        if (strcmp(d->parent, name) != 0)
            continue;
        if (!any) {
            if (r->own && r->device == NULL) {
                fputs(", \"pqota\": {", f);
                write_keys(f, false, true);
                fputs("}", f);
            }
            fputs(", \"delegations\": {", f);
            write_keys(f, true, !r->own);
        }
        fprintf(f, "%s{\"name\": \"%s\", ", any ? ", " : ", \"roles\": [", d->role.name);
        write_role(f, &d->role, r->own);
        fprintf(f, ", \"terminating\": %s, \"%s\": %s}", d->terminating ? "true" : "false",
                d->prefixes ? "path_hash_prefixes" : "paths", d->paths);
        any = true;
    }
    if (any)
        fputs("]}", f);
}

struct repo_role *repo_role(struct repo *r, const char *name)
{
    struct repo_role *const roles[] = {&r->root, &r->timestamp, &r->snapshot, &r->targets};
    for (size_t i = 0; i < COUNT(roles); i++)
        if (strcmp(roles[i]->name, name) == 0)
            return roles[i];
    for (size_t i = 0; i < r->dn; i++)
        if (strcmp(r->d[i].role.name, name) == 0)
            return &r->d[i].role;
    fail_msg("no role %s", name);
    return NULL;
}

static char *body_of(struct repo *r, const struct repo_role *role)
{
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    bool top = role == &r->root || role == &r->timestamp || role == &r->snapshot;
    fprintf(f, "{\"_type\": \"%s\", \"spec_version\": \"1.0.34\", \"version\": %d, \"expires\": \"%s\"%s",
            top ? role->name : "targets", role->version, role->expires, r->extra != NULL ? r->extra : "");
    if (role == &r->root)
        write_root(f, r);
    else if (top)
        write_metas(f, r, role == &r->timestamp);
    else {
        const char *members = r->target_members;
        for (size_t i = 0; i < r->dn; i++)
            if (role == &r->d[i].role)
                members = r->d[i].targets;
        write_targets(f, r, role->name, members);
    }
    fputs("}", f);
    fclose(f);
    return out;
}

/* --- what is served ------------------------------------------------------------------------------------- */

void repo_files_put(struct repo_file **files, size_t *n, const char *name, const char *text)
{
    size_t i = 0;
    while (i < *n && strcmp((*files)[i].name, name) != 0)
        i++;
    if (i < *n) {
        free((*files)[i].text);
    } else {
        *files = realloc(*files, (*n + 1) * sizeof **files);
        (*files)[(*n)++] = (struct repo_file){.name = strdup(name)};
    }
    (*files)[i].text = text != NULL ? strdup(text) : NULL;
}

const char *repo_files_get(const struct repo_file *files, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(files[i].name, name) == 0)
            return files[i].text;
    return NULL;
}

void repo_files_free(struct repo_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(files[i].name);
        free(files[i].text);
    }
    free(files);
}

void repo_serve(struct repo *r, const char *name, const char *text)
{
    repo_files_put(&r->files, &r->files_n, name, text);
}

const char *repo_file(const struct repo *r, const char *name)
{
    return repo_files_get(r->files, r->files_n, name);
}

void repo_publish(struct repo *r, const char *name)
{
    struct repo_role *role = repo_role(r, name);
    char *body = body_of(r, role), *file;
    free(role->text);
    role->text = role->signers_n > 0 ? repo_envelope(body, role->signers, role->signers_n)
                                     : repo_envelope(body, role->keys, role->n);
    free(body);
    bool plain = role == &r->timestamp || (!r->consistent && role != &r->root);
    file = plain ? text_of("%s.json", name) : text_of("%d.%s.json", role->version, name);
    repo_serve(r, file, role->text);
    free(file);
}

void repo_bump(struct repo *r, const char *name)
{
    repo_role(r, name)->version++;
    repo_publish(r, name);
    if (strcmp(name, "root") == 0 || strcmp(name, "timestamp") == 0)
        return;
    repo_bump(r, strcmp(name, "snapshot") == 0 ? "timestamp" : "snapshot");
}

void repo_bump_all(struct repo *r)
{
    for (size_t i = 0; i < r->dn; i++)
        if (&r->d[i].role == repo_role(r, r->d[i].role.name)) {
            r->d[i].role.version++;
            repo_publish(r, r->d[i].role.name);
        }
    repo_bump(r, "targets");
}

static struct repo_role role_of(const char *name, int key)
{
    return (struct repo_role){
        .name = name, .keys = {key}, .n = 1, .threshold = 1, .version = 1, .expires = FAR};
}

struct repo_delegation *repo_delegate(struct repo *r, const char *parent, const char *name, const char *paths)
{
    assert_true(r->dn < DELEGATIONS);
    struct repo_delegation *d = &r->d[r->dn++];
    *d = (struct repo_delegation){.parent = parent, .role = role_of(name, ED + 4), .paths = paths};
    d->role.version = 0;
    return d;
}

void repo_init(struct repo *r)
{
    *r = (struct repo){.root = role_of("root", ED),
                       .timestamp = role_of("timestamp", ED + 1),
                       .snapshot = role_of("snapshot", ED + 2),
                       .targets = role_of("targets", ED + 3),
                       .consistent = true};
    repo_publish(r, "root");
    repo_publish(r, "targets");
    repo_publish(r, "snapshot");
    repo_publish(r, "timestamp");
}

void repo_fini(struct repo *r)
{
    struct repo_role *const roles[] = {&r->root, &r->timestamp, &r->snapshot, &r->targets};
    for (size_t i = 0; i < COUNT(roles); i++)
        free(roles[i]->text);
    for (size_t i = 0; i < r->dn; i++)
        free(r->d[i].role.text);
    repo_files_free(r->files, r->files_n);
}

int repo_verify(struct repo *r, bool both, struct err *e)
{
    static unsigned char memory[4 << 20];
    struct trust_space space;
    struct tuf_doc root, doc;
    struct tuf_role role;
    const struct tuf_rules rules = {.both_families = both};
    space_init(&space, memory, sizeof memory);
    repo_publish(r, "root");
    repo_publish(r, "timestamp");
    *e = (struct err){.code = 0};
    assert_int_equal(tuf_doc_read(str_of(r->root.text), TUF_ROOT, &space, &root, e), 0);
    assert_int_equal(tuf_doc_read(str_of(r->timestamp.text), TUF_TIMESTAMP, &space, &doc, e), 0);
    assert_int_equal(tuf_root_role(&root, TUF_TIMESTAMP, &role, e), 0);
    size_t mark = space_mark(&space);
    int rc = tuf_verify(&doc, &role, &rules, &keys_crypto, &space, e);
    assert_int_equal(space_mark(&space), mark);
    return rc;
}
