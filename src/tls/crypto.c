#include "tls/crypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "provider/provider.h"
#include "tls/errtext.h"

/* The first is preferred, not demanded: all that the provider has not is OpenSSL's. */
#define WITH_LATTICE "?provider=" PQLATTICE_NAME
#define WITHOUT_LATTICE "provider!=" PQLATTICE_NAME

/* Written once, before anybody reads it. */
static struct {
    OSSL_PROVIDER *provider;
    const char *code;             /* "avx512", or NULL: the provider cannot be used */
    char trouble[TLS_REASON_MAX]; /* why */
} lattice;

/* At the end of the program, before OpenSSL frees the context that it is in. */
static void unload(void)
{
    OSSL_PROVIDER_unload(lattice.provider);
}

/* Into OpenSSL's default context, which certificates and keys belong to. What OpenSSL loads by itself
 * where nothing else is loaded stays. */
static void load(void)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_ptr(PQLATTICE_PARAM_CODE, (char **)(uintptr_t)&lattice.code, 0),
        OSSL_PARAM_construct_end(),
    };
    /* What OpenSSL loads for want of another, it does at the first question: before ours comes, whose
     * context has what was there. */
    (void)OSSL_PROVIDER_available(NULL, "default");
    if (OSSL_PROVIDER_add_builtin(NULL, PQLATTICE_NAME, pqlattice_provider_init) == 1)
        lattice.provider = OSSL_PROVIDER_try_load(NULL, PQLATTICE_NAME, 1);
    if (lattice.provider == NULL || OSSL_PROVIDER_get_params(lattice.provider, params) != 1 ||
        OPENSSL_atexit(unload) != 1)
        lattice.code = NULL;
    if (lattice.code == NULL)
        tls_reason(lattice.trouble);
    ERR_clear_error(); /* also of code paths that were passed over: the name says which is in use */
}

static const char *loaded_code(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return lattice.code;
}

/* Where vectors do nothing for it, OpenSSL's own has been looked at by more people. */
static bool pays(const char *code)
{
    return code != NULL && strcmp(code, "portable") != 0;
}

int tls_crypto_query(enum tls_crypto crypto, const char **query, struct err *e)
{
    if (crypto == TLS_CRYPTO_LATTICE && loaded_code() == NULL)
        return err_set(e, ERR_CRYPTO, "the lattice provider cannot be used: %s", lattice.trouble);
    bool lattice_ones = crypto == TLS_CRYPTO_LATTICE || (crypto == TLS_CRYPTO_AUTO && pays(loaded_code()));
    *query = lattice_ones ? WITH_LATTICE : WITHOUT_LATTICE;
    return 0;
}

const char *tls_crypto_name(enum tls_crypto crypto)
{
    if (crypto == TLS_CRYPTO_OPENSSL)
        return "openssl";
    const char *code = loaded_code();
    return code != NULL && (crypto == TLS_CRYPTO_LATTICE || pays(code)) ? code : "openssl";
}

const char *tls_crypto_trouble(void)
{
    return loaded_code() == NULL ? lattice.trouble : NULL;
}
