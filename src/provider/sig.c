#include "provider/sig.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#define ALGORITHM_ID_SIZE 13

struct sig {
    struct provider *provider;
    enum sig_kind kind;
    struct sig_key *key; /* a reference; NULL: no operation was begun */
    /* What set_params says: each beginning starts with nothing of it. */
    uint8_t context[MLDSA_CONTEXT_MAX];
    size_t context_n;
    int encoding, mu, deterministic; /* 1 or 0; encoding 0: the message is an M' already */
    bool has_random;
    uint8_t random[MLDSA_RANDOM_SIZE]; /* a test's */
};

static void forget_settings(struct sig *s)
{
    lattice_wipe(s->random, sizeof s->random);
    s->has_random = false;
    s->context_n = 0;
    s->encoding = 1;
    s->mu = s->deterministic = 0;
}

static void *new_sig(void *provider, enum sig_kind kind)
{
    struct sig *s = calloc(1, sizeof *s);
    if (s == NULL) {
        provider_raise(provider, REASON_MEMORY, "for a signature");
        return NULL;
    }
    s->provider = provider;
    s->kind = kind;
    forget_settings(s);
    return s;
}

static void free_sig(void *vs)
{
    struct sig *s = vs;
    if (s == NULL)
        return;
    forget_settings(s);
    sig_key_free(s->key);
    free(s);
}

static void *dup_sig(void *vs)
{
    struct sig *s = vs, *copy = new_sig(s->provider, s->kind);
    if (copy == NULL)
        return NULL;
    *copy = *s;
    if (s->key != NULL)
        sig_key_ref(s->key);
    return copy;
}

/* ---- parameters ---- */

static const OSSL_PARAM *settable(void *sig, void *provider)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_CONTEXT_STRING, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_TEST_ENTROPY, NULL, 0),
        OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_DETERMINISTIC, NULL),
        OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_MESSAGE_ENCODING, NULL),
        OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_MU, NULL),
        OSSL_PARAM_END,
    };
    (void)sig;
    (void)provider;
    return params;
}

static bool set_bytes(struct sig *s, const OSSL_PARAM *params)
{
    struct key_bytes context, random;
    if (!params_bytes(s->provider, params, OSSL_SIGNATURE_PARAM_CONTEXT_STRING, &context) ||
        !params_bytes(s->provider, params, OSSL_SIGNATURE_PARAM_TEST_ENTROPY, &random))
        return false;
    if (context.n > sizeof s->context)
        return provider_raise(s->provider, REASON_LENGTH,
                              "a context string has at most %zu bytes, this one %zu", sizeof s->context,
                              context.n);
    if (random.p != NULL && random.n != sizeof s->random)
        return provider_raise(s->provider, REASON_LENGTH, "%s is %zu bytes",
                              OSSL_SIGNATURE_PARAM_TEST_ENTROPY, sizeof s->random);
    if (context.p != NULL) {
        memcpy(s->context, context.p, context.n);
        s->context_n = context.n;
    }
    if (random.p != NULL) {
        memcpy(s->random, random.p, random.n);
        s->has_random = true;
    }
    return true;
}

static int set_params(void *vs, const OSSL_PARAM params[])
{
    struct sig *s = vs;
    if (params == NULL)
        return 1;
    const struct {
        const char *name;
        int *out;
    } rows[] = {
        {OSSL_SIGNATURE_PARAM_DETERMINISTIC, &s->deterministic},
        {OSSL_SIGNATURE_PARAM_MESSAGE_ENCODING, &s->encoding},
        {OSSL_SIGNATURE_PARAM_MU, &s->mu},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!params_int(s->provider, params, rows[i].name, rows[i].out))
            return 0;
        if (*rows[i].out != 0 && *rows[i].out != 1) {
            *rows[i].out = 0;
            return provider_raise(s->provider, REASON_PARAMETER, "%s is 0 or 1", rows[i].name);
        }
    }
    return set_bytes(s, params);
}

static const OSSL_PARAM *gettable(void *sig, void *provider)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)sig;
    (void)provider;
    return params;
}

static int get_params(void *vs, OSSL_PARAM params[])
{
    const struct sig *s = vs;
    /* RFC 9881 section 2: a SEQUENCE of id-ml-dsa-44, -65 or -87, without parameters. */
    uint8_t id[ALGORITHM_ID_SIZE] = {0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03};
    id[ALGORITHM_ID_SIZE - 1] = (uint8_t)(17 + s->kind);
    return params == NULL || params_give(s->provider, params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID,
                                         (struct key_bytes){id, sizeof id});
}

/* ---- beginning ---- */

/* key: NULL to go on with the one that is there. */
static int begin(struct sig *s, struct sig_key *key, bool wants_private, const OSSL_PARAM params[])
{
    if (key == NULL && s->key == NULL)
        return provider_raise(s->provider, REASON_NO_KEY, "no key was set");
    forget_settings(s);
    if (key != NULL) {
        sig_key_free(s->key);
        s->key = sig_key_ref(key);
    }
    if (s->key->set != sig_sets[s->kind])
        return provider_raise(s->provider, REASON_BAD_KEY, "%s with a key of %s", sig_sets[s->kind]->name,
                              s->key->set->name);
    if (wants_private ? !s->key->has_private : !s->key->has_public)
        return provider_raise(s->provider, REASON_NO_KEY, "%s", s->key->set->name);
    return set_params(s, params);
}

static int begin_sign(void *s, void *key, const OSSL_PARAM params[])
{
    return begin(s, key, true, params);
}

static int begin_verify(void *s, void *key, const OSSL_PARAM params[])
{
    return begin(s, key, false, params);
}

static bool is_without_digest(const struct sig *s, const char *digest)
{
    return digest == NULL || digest[0] == '\0' ||
           provider_raise(s->provider, REASON_PARAMETER, "%s takes no digest, and here is %s",
                          sig_sets[s->kind]->name, digest);
}

static int begin_digest_sign(void *s, const char *digest, void *key, const OSSL_PARAM params[])
{
    return is_without_digest(s, digest) && begin(s, key, true, params);
}

static int begin_digest_verify(void *s, const char *digest, void *key, const OSSL_PARAM params[])
{
    return is_without_digest(s, digest) && begin(s, key, false, params);
}

/* ---- signing and verifying ---- */

static bool message_of(const struct sig *s, const uint8_t *p, size_t n, struct sig_message *out)
{
    static const uint8_t nothing[1];
    *out = (struct sig_message){
        .form = s->mu != 0         ? SIG_MU
                : s->encoding == 0 ? SIG_ENCODED
                                   : SIG_PURE,
        .context = {s->context, s->context_n},
        .message = {p != NULL ? p : nothing, p != NULL ? n : 0},
    };
    if (out->form != SIG_MU || n == MLDSA_MU_SIZE)
        return true;
    return provider_raise(s->provider, REASON_LENGTH, "mu has %d bytes, this one %zu", MLDSA_MU_SIZE, n);
}

static int sign(void *vs, unsigned char *out, size_t *n, size_t room, const unsigned char *p, size_t p_n)
{
    struct sig *s = vs;
    struct sig_message message;
    uint8_t random[MLDSA_RANDOM_SIZE] = {0};
    if (s->key == NULL)
        return provider_raise(s->provider, REASON_NO_KEY, "signing was not begun");
    size_t size = s->key->set->signature_size;
    if (n == NULL)
        return provider_raise(s->provider, REASON_BUFFER, "nowhere to put the signature's length");
    *n = size;
    if (out == NULL) /* provider-signature(7): only the size is asked for */
        return 1;
    if (room < size)
        return provider_raise(s->provider, REASON_BUFFER, "the signature takes %zu bytes, there are %zu",
                              size, room);
    if (!message_of(s, p, p_n, &message))
        return 0;
    bool good = true;
    if (s->has_random)
        memcpy(random, s->random, sizeof random);
    else if (s->deterministic == 0)
        good = provider_random(s->provider, random, sizeof random, s->key->set->strength);
    good = good && sig_key_sign(s->key, &message, random, out);
    lattice_wipe(random, sizeof random);
    return good;
}

static int verify(void *vs, const unsigned char *signature, size_t n, const unsigned char *p, size_t p_n)
{
    struct sig *s = vs;
    struct sig_message message;
    if (s->key == NULL)
        return provider_raise(s->provider, REASON_NO_KEY, "verifying was not begun");
    return message_of(s, p, p_n, &message) &&
           sig_key_verify(s->key, &message, (struct key_bytes){signature, n});
}

/* ---- the tables ---- */

/* OpenSSL tells a new one the provider, but not the kind. */
#define KIND(id)                                                                                             \
    static void *new_##id(void *provider, const char *propq)                                                 \
    {                                                                                                        \
        (void)propq;                                                                                         \
        return new_sig(provider, id);                                                                        \
    }                                                                                                        \
    static const OSSL_DISPATCH table_##id[] = {                                                              \
        {OSSL_FUNC_SIGNATURE_NEWCTX, (OSSL_FUNC)new_##id},                                                   \
        {OSSL_FUNC_SIGNATURE_FREECTX, (OSSL_FUNC)free_sig},                                                  \
        {OSSL_FUNC_SIGNATURE_DUPCTX, (OSSL_FUNC)dup_sig},                                                    \
        {OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_INIT, (OSSL_FUNC)begin_sign},                                      \
        {OSSL_FUNC_SIGNATURE_SIGN, (OSSL_FUNC)sign},                                                         \
        {OSSL_FUNC_SIGNATURE_VERIFY_MESSAGE_INIT, (OSSL_FUNC)begin_verify},                                  \
        {OSSL_FUNC_SIGNATURE_VERIFY, (OSSL_FUNC)verify},                                                     \
        {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (OSSL_FUNC)begin_digest_sign},                                \
        {OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (OSSL_FUNC)sign},                                                  \
        {OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, (OSSL_FUNC)begin_digest_verify},                            \
        {OSSL_FUNC_SIGNATURE_DIGEST_VERIFY, (OSSL_FUNC)verify},                                              \
        {OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, (OSSL_FUNC)get_params},                                         \
        {OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, (OSSL_FUNC)gettable},                                      \
        {OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, (OSSL_FUNC)set_params},                                         \
        {OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, (OSSL_FUNC)settable},                                      \
        {0, NULL},                                                                                           \
    }

KIND(SIG_MLDSA44);
KIND(SIG_MLDSA65);
KIND(SIG_MLDSA87);

const OSSL_DISPATCH *const sig_functions[SIG_KINDS] = {
    [SIG_MLDSA44] = table_SIG_MLDSA44,
    [SIG_MLDSA65] = table_SIG_MLDSA65,
    [SIG_MLDSA87] = table_SIG_MLDSA87,
};
