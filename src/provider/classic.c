#include "provider/classic.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>

#include "lattice/lattice.h"
#include "provider/context.h"

#define UNCOMPRESSED 0x04 /* SEC 1 section 2.3.3 */

static const struct row {
    const char *algorithm, *group, *exchange;
    struct classic_sizes sizes;
} rows[CLASSIC_CURVES] = {
    [CLASSIC_X25519] = {"X25519", NULL, "X25519", {32, 32, 32}},
    [CLASSIC_P256] = {"EC", "P-256", "ECDH", {65, 32, 32}},
    [CLASSIC_P384] = {"EC", "P-384", "ECDH", {97, 48, 48}},
};

/* One curve of somebody else's provider. */
struct classic {
    const struct provider *ours;
    const struct row *row;
    EVP_KEYMGMT *keymgmt; /* hold the other provider while its functions are ours to call */
    EVP_KEYEXCH *keyexch;
    void *context;
    OSSL_FUNC_keymgmt_new_fn *new_key;
    OSSL_FUNC_keymgmt_free_fn *free_key;
    OSSL_FUNC_keymgmt_gen_init_fn *gen_init;
    OSSL_FUNC_keymgmt_gen_fn *gen;
    OSSL_FUNC_keymgmt_gen_cleanup_fn *gen_cleanup;
    OSSL_FUNC_keymgmt_get_params_fn *get_params;
    OSSL_FUNC_keymgmt_import_fn *import;
    OSSL_FUNC_keymgmt_export_fn *export;
    OSSL_FUNC_keyexch_newctx_fn *newctx;
    OSSL_FUNC_keyexch_init_fn *init;
    OSSL_FUNC_keyexch_set_peer_fn *set_peer;
    OSSL_FUNC_keyexch_derive_fn *derive;
    OSSL_FUNC_keyexch_freectx_fn *freectx;
};

struct classic_sizes classic_sizes(enum classic_curve curve)
{
    return curve == CLASSIC_NONE ? (struct classic_sizes){0} : rows[curve].sizes;
}

/* ---- fetching ---- */

static void read_keymgmt(struct classic *c, const OSSL_DISPATCH *d)
{
    for (; d->function_id != 0; d++)
        switch (d->function_id) {
        case OSSL_FUNC_KEYMGMT_NEW:
            c->new_key = OSSL_FUNC_keymgmt_new(d);
            break;
        case OSSL_FUNC_KEYMGMT_FREE:
            c->free_key = OSSL_FUNC_keymgmt_free(d);
            break;
        case OSSL_FUNC_KEYMGMT_GEN_INIT:
            c->gen_init = OSSL_FUNC_keymgmt_gen_init(d);
            break;
        case OSSL_FUNC_KEYMGMT_GEN:
            c->gen = OSSL_FUNC_keymgmt_gen(d);
            break;
        case OSSL_FUNC_KEYMGMT_GEN_CLEANUP:
            c->gen_cleanup = OSSL_FUNC_keymgmt_gen_cleanup(d);
            break;
        case OSSL_FUNC_KEYMGMT_GET_PARAMS:
            c->get_params = OSSL_FUNC_keymgmt_get_params(d);
            break;
        case OSSL_FUNC_KEYMGMT_IMPORT:
            c->import = OSSL_FUNC_keymgmt_import(d);
            break;
        case OSSL_FUNC_KEYMGMT_EXPORT:
            c->export = OSSL_FUNC_keymgmt_export(d);
            break;
        default:
            break;
        }
}

static void read_keyexch(struct classic *c, const OSSL_DISPATCH *d)
{
    for (; d->function_id != 0; d++)
        switch (d->function_id) {
        case OSSL_FUNC_KEYEXCH_NEWCTX:
            c->newctx = OSSL_FUNC_keyexch_newctx(d);
            break;
        case OSSL_FUNC_KEYEXCH_INIT:
            c->init = OSSL_FUNC_keyexch_init(d);
            break;
        case OSSL_FUNC_KEYEXCH_SET_PEER:
            c->set_peer = OSSL_FUNC_keyexch_set_peer(d);
            break;
        case OSSL_FUNC_KEYEXCH_DERIVE:
            c->derive = OSSL_FUNC_keyexch_derive(d);
            break;
        case OSSL_FUNC_KEYEXCH_FREECTX:
            c->freectx = OSSL_FUNC_keyexch_freectx(d);
            break;
        default:
            break;
        }
}

/* Whether names, "X25519:1.3.101.110", has this one. */
static bool has_name(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = names; at != NULL; at = strchr(at, ':'), at = at != NULL ? at + 1 : NULL)
        if (OPENSSL_strncasecmp(at, name, n) == 0 && (at[n] == ':' || at[n] == '\0'))
            return true;
    return false;
}

static void read_tables(struct classic *c, const OSSL_PROVIDER *from, int operation, const char *name,
                        void (*read)(struct classic *, const OSSL_DISPATCH *))
{
    int no_cache;
    const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(from, operation, &no_cache);
    for (const OSSL_ALGORITHM *a = all; a != NULL && a->algorithm_names != NULL; a++)
        if (has_name(a->algorithm_names, name)) {
            read(c, a->implementation);
            break;
        }
    OSSL_PROVIDER_unquery_operation(from, operation, all);
}

static bool fetch(struct classic *c, OSSL_LIB_CTX *libctx)
{
    c->keymgmt = EVP_KEYMGMT_fetch(libctx, c->row->algorithm, NULL);
    c->keyexch = EVP_KEYEXCH_fetch(libctx, c->row->exchange, NULL);
    if (c->keymgmt == NULL || c->keyexch == NULL)
        return false;
    /* A key of one provider means nothing to another. */
    const OSSL_PROVIDER *from = EVP_KEYMGMT_get0_provider(c->keymgmt);
    if (EVP_KEYEXCH_get0_provider(c->keyexch) != from)
        return false;
    c->context = OSSL_PROVIDER_get0_provider_ctx(from);
    read_tables(c, from, OSSL_OP_KEYMGMT, c->row->algorithm, read_keymgmt);
    read_tables(c, from, OSSL_OP_KEYEXCH, c->row->exchange, read_keyexch);
    return c->new_key != NULL && c->free_key != NULL && c->gen_init != NULL && c->gen != NULL &&
           c->gen_cleanup != NULL && c->get_params != NULL && c->import != NULL && c->export != NULL &&
           c->newctx != NULL && c->init != NULL && c->set_peer != NULL && c->derive != NULL &&
           c->freectx != NULL;
}

static void forget(struct classic *c)
{
    if (c == NULL)
        return;
    EVP_KEYMGMT_free(c->keymgmt);
    EVP_KEYEXCH_free(c->keyexch);
    free(c);
}

const struct classic *classic_of(struct provider *p, enum classic_curve curve)
{
    struct classic *have = atomic_load_explicit(&p->classics[curve], memory_order_acquire);
    if (have != NULL)
        return have;
    const struct row *row = &rows[curve];
    struct classic *made = calloc(1, sizeof *made);
    if (made == NULL) {
        provider_raise(p, REASON_MEMORY, "for %s", row->algorithm);
        return NULL;
    }
    made->ours = p;
    made->row = row;
    if (!fetch(made, p->libctx)) {
        provider_raise(p, REASON_CLASSIC,
                       "no provider that is loaded has %s and %s: is OpenSSL's default one?", row->algorithm,
                       row->exchange);
        forget(made);
        return NULL;
    }
    if (atomic_compare_exchange_strong(&p->classics[curve], &have, made))
        return made;
    forget(made); /* somebody was faster */
    return have;
}

void classic_forget(struct provider *p)
{
    for (int i = 0; i < CLASSIC_CURVES; i++)
        forget(atomic_exchange(&p->classics[i], NULL));
}

/* ---- keys ---- */

/* The group's parameter where there is one to say; OpenSSL's parameters are not const, and it only reads
 * them. */
static OSSL_PARAM *add_group(const struct classic *c, OSSL_PARAM *at)
{
    if (c->row->group != NULL)
        *at++ =
            OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)c->row->group, 0);
    return at;
}

static OSSL_PARAM *add_bytes(OSSL_PARAM *at, const char *name, const uint8_t *p, size_t n)
{
    *at++ = OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)p, n);
    return at;
}

static bool failed(const struct classic *c, const char *what)
{
    const char *name = c->row->group != NULL ? c->row->group : c->row->algorithm;
    return provider_raise(c->ours, REASON_CLASSIC, "%s: %s", name, what);
}

void *classic_generate(const struct classic *c)
{
    OSSL_PARAM params[2];
    *add_group(c, params) = OSSL_PARAM_construct_end();
    void *generation =
        c->gen_init(c->context, OSSL_KEYMGMT_SELECT_KEYPAIR | OSSL_KEYMGMT_SELECT_ALL_PARAMETERS, params);
    void *key = generation != NULL ? c->gen(generation, NULL, NULL) : NULL;
    if (generation != NULL)
        c->gen_cleanup(generation);
    if (key == NULL)
        failed(c, "no key could be made");
    return key;
}

static void *import(const struct classic *c, int selection, const OSSL_PARAM *params)
{
    void *key = c->new_key(c->context);
    if (key != NULL && c->import(key, selection | OSSL_KEYMGMT_SELECT_ALL_PARAMETERS, params) == 1)
        return key;
    classic_free_key(c, key);
    failed(c, "the key is not valid");
    return NULL;
}

void *classic_read_public(const struct classic *c, const uint8_t *p)
{
    if (c->row->group != NULL && p[0] != UNCOMPRESSED) {
        failed(c, "the point is not in uncompressed form");
        return NULL;
    }
    OSSL_PARAM params[3];
    OSSL_PARAM *at = add_bytes(add_group(c, params), OSSL_PKEY_PARAM_PUB_KEY, p, c->row->sizes.public_size);
    *at = OSSL_PARAM_construct_end();
    return import(c, OSSL_KEYMGMT_SELECT_PUBLIC_KEY, params);
}

/* A curve's private key is a number, and OpenSSL's numbers are in the processor's order. */
static void to_or_from_number(const struct classic *c, uint8_t *out, const uint8_t *p)
{
    size_t n = c->row->sizes.private_size;
    bool turned = c->row->group != NULL && (union {
                                               uint16_t word;
                                               uint8_t first;
                                           }){.word = 1}
                                                   .first == 1;
    for (size_t i = 0; i < n; i++)
        out[i] = p[turned ? n - 1 - i : i];
}

void *classic_read_private(const struct classic *c, const uint8_t *private_key, const uint8_t *public_key)
{
    size_t n = c->row->sizes.private_size;
    uint8_t number[CLASSIC_PRIVATE_MAX];
    OSSL_PARAM params[4];
    to_or_from_number(c, number, private_key);
    OSSL_PARAM *at = add_group(c, params);
    at = add_bytes(at, OSSL_PKEY_PARAM_PUB_KEY, public_key, c->row->sizes.public_size);
    if (c->row->group != NULL)
        *at++ = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, number, n);
    else
        at = add_bytes(at, OSSL_PKEY_PARAM_PRIV_KEY, number, n);
    *at = OSSL_PARAM_construct_end();
    void *key = import(c, OSSL_KEYMGMT_SELECT_KEYPAIR, params);
    lattice_wipe(number, sizeof number);
    return key;
}

void classic_free_key(const struct classic *c, void *key)
{
    if (key != NULL)
        c->free_key(key);
}

bool classic_write_public(const struct classic *c, void *key, uint8_t *out)
{
    size_t n = c->row->sizes.public_size;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out, n),
                           OSSL_PARAM_construct_end()};
    if (c->get_params(key, params) == 1 && params[0].return_size == n)
        return true;
    return failed(c, "the public key could not be had");
}

struct private_export {
    const struct classic *classic;
    uint8_t *out;
    bool done;
};

static int take_private(const OSSL_PARAM *params, void *arg)
{
    struct private_export *e = arg;
    size_t n = e->classic->row->sizes.private_size;
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PRIV_KEY);
    if (p != NULL && p->data_size == n) {
        to_or_from_number(e->classic, e->out, p->data);
        e->done = true;
    }
    return e->done;
}

bool classic_write_private(const struct classic *c, void *key, uint8_t *out)
{
    struct private_export e = {.classic = c, .out = out};
    int selection = OSSL_KEYMGMT_SELECT_KEYPAIR | OSSL_KEYMGMT_SELECT_ALL_PARAMETERS;
    if (c->export(key, selection, take_private, &e) == 1 && e.done)
        return true;
    return failed(c, "the private key could not be had");
}

/* ---- the secret ---- */

static bool is_zero(const uint8_t *p, size_t n)
{
    uint8_t seen = 0;
    for (size_t i = 0; i < n; i++)
        seen |= p[i];
    return seen == 0;
}

bool classic_derive(const struct classic *c, void *key, void *peer, uint8_t *out)
{
    size_t size = c->row->sizes.secret_size, n = 0;
    void *context = c->newctx(c->context);
    bool good = context != NULL && c->init(context, key, NULL) == 1 && c->set_peer(context, peer) == 1 &&
                c->derive(context, out, &n, size) == 1 && n == size && !is_zero(out, size);
    if (context != NULL)
        c->freectx(context);
    if (good)
        return true;
    lattice_wipe(out, size);
    return failed(c, "no secret comes of these keys");
}
