#include "provider/kem.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "provider/kem_key.h"

struct kem {
    struct provider *provider;
    struct kem_key *key; /* a reference; NULL: no operation was begun */
    bool has_message;
    uint8_t message[MLKEM_MESSAGE_SIZE]; /* for one secret: a test's */
};

static void *new_kem(void *provider)
{
    struct kem *k = calloc(1, sizeof *k);
    if (k == NULL)
        provider_raise(provider, REASON_MEMORY, "for a KEM");
    else
        k->provider = provider;
    return k;
}

static void forget_message(struct kem *k)
{
    lattice_wipe(k->message, sizeof k->message);
    k->has_message = false;
}

static void free_kem(void *vk)
{
    struct kem *k = vk;
    if (k == NULL)
        return;
    forget_message(k);
    kem_key_free(k->key);
    free(k);
}

static void *dup_kem(void *vk)
{
    struct kem *k = vk, *copy = new_kem(k->provider);
    if (copy == NULL)
        return NULL;
    *copy = *k;
    if (k->key != NULL)
        kem_key_ref(k->key);
    return copy;
}

static int set_params(void *vk, const OSSL_PARAM params[])
{
    struct kem *k = vk;
    const OSSL_PARAM *p = params != NULL ? OSSL_PARAM_locate_const(params, OSSL_KEM_PARAM_IKME) : NULL;
    const void *bytes = NULL;
    size_t n = 0;
    if (p == NULL)
        return 1;
    if (k->key != NULL && k->key->kind->classic != CLASSIC_NONE)
        return provider_raise(k->provider, REASON_PARAMETER, "%s takes no randomness from outside",
                              k->key->kind->name);
    if (OSSL_PARAM_get_octet_string_ptr(p, &bytes, &n) != 1 || n != sizeof k->message)
        return provider_raise(k->provider, REASON_LENGTH, "%s is %zu bytes", OSSL_KEM_PARAM_IKME,
                              sizeof k->message);
    memcpy(k->message, bytes, sizeof k->message);
    k->has_message = true;
    return 1;
}

static const OSSL_PARAM *settable(void *kem, void *provider)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_KEM_PARAM_IKME, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)kem;
    (void)provider;
    return params;
}

static int begin(struct kem *k, struct kem_key *key, bool has_half, const OSSL_PARAM params[])
{
    forget_message(k);
    kem_key_free(k->key);
    k->key = NULL;
    if (!has_half)
        return provider_raise(k->provider, REASON_NO_KEY, "%s", key->kind->name);
    k->key = kem_key_ref(key);
    if (set_params(k, params))
        return 1;
    kem_key_free(k->key);
    k->key = NULL;
    return 0;
}

static int begin_encapsulate(void *k, void *vkey, const OSSL_PARAM params[])
{
    struct kem_key *key = vkey;
    return begin(k, key, key->has_public, params);
}

static int begin_decapsulate(void *k, void *vkey, const OSSL_PARAM params[])
{
    struct kem_key *key = vkey;
    return begin(k, key, key->has_private, params);
}

/* Whether out, of *n bytes, has room for size. What fails leaves an empty output. */
static bool has_room(const struct kem *k, const char *what, const uint8_t *out, size_t *n, size_t size)
{
    if (out == NULL || n == NULL)
        return provider_raise(k->provider, REASON_BUFFER, "nowhere to put the %s", what);
    if (*n >= size)
        return true;
    return provider_raise(k->provider, REASON_BUFFER, "the %s takes %zu bytes, there are %zu", what, size,
                          *n);
}

static void say(size_t *n, size_t value)
{
    if (n != NULL)
        *n = value;
}

static int encapsulate(void *vk, unsigned char *ciphertext, size_t *ciphertext_n, unsigned char *secret,
                       size_t *secret_n)
{
    struct kem *k = vk;
    if (k->key == NULL)
        return provider_raise(k->provider, REASON_NO_KEY, "encapsulating was not begun");
    size_t ciphertext_size = kem_ciphertext_layout(k->key->kind).size;
    size_t secret_size = kem_secret_layout(k->key->kind).size;
    if (ciphertext == NULL) { /* provider-kem(7): only the sizes are asked for */
        say(ciphertext_n, ciphertext_size);
        say(secret_n, secret_size);
        return ciphertext_n != NULL || secret_n != NULL;
    }
    bool good = has_room(k, "ciphertext", ciphertext, ciphertext_n, ciphertext_size) &&
                has_room(k, "secret", secret, secret_n, secret_size) &&
                kem_key_encapsulate(k->key, k->has_message ? k->message : NULL, ciphertext, secret);
    forget_message(k);
    say(ciphertext_n, good ? ciphertext_size : 0);
    say(secret_n, good ? secret_size : 0);
    return good;
}

static int decapsulate(void *vk, unsigned char *secret, size_t *secret_n, const unsigned char *ciphertext,
                       size_t ciphertext_n)
{
    struct kem *k = vk;
    if (k->key == NULL)
        return provider_raise(k->provider, REASON_NO_KEY, "decapsulating was not begun");
    size_t ciphertext_size = kem_ciphertext_layout(k->key->kind).size;
    size_t secret_size = kem_secret_layout(k->key->kind).size;
    if (secret == NULL) { /* provider-kem(7): only the size is asked for */
        say(secret_n, secret_size);
        return secret_n != NULL;
    }
    bool good = has_room(k, "secret", secret, secret_n, secret_size);
    if (good && ciphertext_n != ciphertext_size)
        good = provider_raise(k->provider, REASON_LENGTH, "a ciphertext of %s has %zu bytes, this one %zu",
                              k->key->kind->name, ciphertext_size, ciphertext_n);
    good = good && kem_key_decapsulate(k->key, ciphertext, secret);
    say(secret_n, good ? secret_size : 0);
    return good;
}

const OSSL_DISPATCH kem_functions[] = {
    {OSSL_FUNC_KEM_NEWCTX, (OSSL_FUNC)new_kem},
    {OSSL_FUNC_KEM_FREECTX, (OSSL_FUNC)free_kem},
    {OSSL_FUNC_KEM_DUPCTX, (OSSL_FUNC)dup_kem},
    {OSSL_FUNC_KEM_ENCAPSULATE_INIT, (OSSL_FUNC)begin_encapsulate},
    {OSSL_FUNC_KEM_ENCAPSULATE, (OSSL_FUNC)encapsulate},
    {OSSL_FUNC_KEM_DECAPSULATE_INIT, (OSSL_FUNC)begin_decapsulate},
    {OSSL_FUNC_KEM_DECAPSULATE, (OSSL_FUNC)decapsulate},
    {OSSL_FUNC_KEM_SET_CTX_PARAMS, (OSSL_FUNC)set_params},
    {OSSL_FUNC_KEM_SETTABLE_CTX_PARAMS, (OSSL_FUNC)settable},
    {0, NULL},
};
