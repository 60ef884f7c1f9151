#ifndef PQOTA_PROVIDER_CONTEXT_H
#define PQOTA_PROVIDER_CONTEXT_H

/* What one loading of the provider has: everything else here is made with it and ends before it. */

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice/lattice.h"
#include "provider/classic.h"

#define BUILDINFO_MAX 128

struct provider {
    const OSSL_CORE_HANDLE *core;
    OSSL_FUNC_core_new_error_fn *new_error;
    OSSL_FUNC_core_set_error_debug_fn *set_error_debug;
    OSSL_FUNC_core_vset_error_fn *set_error;
    OSSL_FUNC_core_get_params_fn *get_params;
    OSSL_LIB_CTX *libctx; /* of our own: a child of the one that loaded us, with the same providers */
    const struct lattice_code *code;
    bool verify_after_sign;        /* PQLATTICE_PARAM_VERIFY */
    char buildinfo[BUILDINFO_MAX]; /* "0.1.0 avx2", "0.1.0 avx2, not avx512: wrong answers" */
    struct classic *_Atomic classics[CLASSIC_CURVES]; /* NULL until one is asked for */
};

/* Where code path i comes from: lattice_code, or what a test has instead. */
typedef const struct lattice_code *provider_code_fn(size_t i);

/* pqlattice_provider_init with the code paths to choose from. */
int provider_init_with(provider_code_fn *code, const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
                       const OSSL_DISPATCH **out, void **context);

/* Takes the first of the code paths that passes its self-test, and writes the buildinfo, which also names
 * those that did not. false: none does, and p has none. Each that does not pass is named in an error. */
bool provider_choose(struct provider *p, provider_code_fn *code);

enum provider_reason {
    REASON_MEMORY = 1,
    REASON_RANDOM,
    REASON_SELF_TEST,
    REASON_NO_KEY,
    REASON_FIXED_KEY,
    REASON_BAD_KEY,
    REASON_LENGTH,
    REASON_BUFFER,
    REASON_PARAMETER,
    REASON_CLASSIC,
    REASON_FAULT,
};

/* Ends in 0 as OpenSSL's tables of texts do. */
const OSSL_ITEM *provider_reasons(void);

/* Puts an error with words into the queue of the program that loaded us; false, so that it can be
 * returned. */
#define provider_raise(p, reason, ...) provider_raise_at(p, __FILE__, __LINE__, __func__, reason, __VA_ARGS__)
bool provider_raise_at(const struct provider *p, const char *file, int line, const char *function,
                       enum provider_reason reason, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Random bytes for secrets; strength in bits. false raises, and out is zeroes. */
bool provider_random(const struct provider *p, uint8_t *out, size_t n, unsigned strength);

#endif
