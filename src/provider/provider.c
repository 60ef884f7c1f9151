#include "provider/provider.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice/selftest.h"
#include "provider/context.h"
#include "provider/decode.h"
#include "provider/groups.h"
#include "provider/kem.h"
#include "provider/kem_keymgmt.h"
#include "provider/sig.h"
#include "provider/sig_keymgmt.h"
#include "provider/sigalgs.h"

#define NAMED "provider=" PQLATTICE_NAME
#define PRIVATE_INFO NAMED ",input=der,structure=PrivateKeyInfo"
#define PUBLIC_INFO NAMED ",input=der,structure=SubjectPublicKeyInfo"

/* The names are OpenSSL's own, with the aliases, or it would take the same algorithm for another. */
static const struct {
    const char *names, *description;
    enum kem_kind_id kind;
} kems[] = {
    {"ML-KEM-512:MLKEM512:id-alg-ml-kem-512:2.16.840.1.101.3.4.4.1", "ML-KEM-512, FIPS 203", KEM_MLKEM512},
    {"ML-KEM-768:MLKEM768:id-alg-ml-kem-768:2.16.840.1.101.3.4.4.2", "ML-KEM-768, FIPS 203", KEM_MLKEM768},
    {"ML-KEM-1024:MLKEM1024:id-alg-ml-kem-1024:2.16.840.1.101.3.4.4.3", "ML-KEM-1024, FIPS 203",
     KEM_MLKEM1024},
    {"X25519MLKEM768", "ML-KEM-768 with X25519, RFC 10024", KEM_X25519MLKEM768},
    {"SecP256r1MLKEM768", "P-256 with ML-KEM-768, RFC 10024", KEM_SECP256R1MLKEM768},
    {"SecP384r1MLKEM1024", "P-384 with ML-KEM-1024, RFC 10024", KEM_SECP384R1MLKEM1024},
};

static const struct {
    const char *names, *description;
    enum sig_kind kind;
} sigs[] = {
    {"ML-DSA-44:MLDSA44:2.16.840.1.101.3.4.3.17:id-ml-dsa-44", "ML-DSA-44, FIPS 204", SIG_MLDSA44},
    {"ML-DSA-65:MLDSA65:2.16.840.1.101.3.4.3.18:id-ml-dsa-65", "ML-DSA-65, FIPS 204", SIG_MLDSA65},
    {"ML-DSA-87:MLDSA87:2.16.840.1.101.3.4.3.19:id-ml-dsa-87", "ML-DSA-87, FIPS 204", SIG_MLDSA87},
};

#define KEMS (sizeof kems / sizeof kems[0])
#define SIGS (sizeof sigs / sizeof sigs[0])

/* The provider's context for OpenSSL, and the tables it is shown: each ends in an empty row. */
struct loaded {
    struct provider provider; /* the first: what OpenSSL hands back is taken for it */
    OSSL_ALGORITHM keymgmt[KEMS + SIGS + 1], kem[KEMS + 1], signature[SIGS + 1];
    OSSL_ALGORITHM decoder[2 * DECODE_KINDS + 1];
};

static OSSL_ALGORITHM *add_decoders(OSSL_ALGORITHM *at, enum decode_kind kind, const char *names,
                                    const char *description)
{
    *at++ = (OSSL_ALGORITHM){names, PRIVATE_INFO, decode_private[kind], description};
    *at++ = (OSSL_ALGORITHM){names, PUBLIC_INFO, decode_public[kind], description};
    return at;
}

static void fill_tables(struct loaded *l)
{
    OSSL_ALGORITHM *keymgmt = l->keymgmt, *decoder = l->decoder;
    for (size_t i = 0; i < KEMS; i++) {
        enum kem_kind_id kind = kems[i].kind;
        const char *names = kems[i].names, *description = kems[i].description;
        *keymgmt++ = (OSSL_ALGORITHM){names, NAMED, kem_keymgmts[kind], description};
        l->kem[i] = (OSSL_ALGORITHM){names, NAMED, kem_functions, description};
        if (kind < DECODE_KEMS)
            decoder = add_decoders(decoder, (enum decode_kind)(DECODE_KEM + kind), names, description);
    }
    for (size_t i = 0; i < SIGS; i++) {
        enum sig_kind kind = sigs[i].kind;
        const char *names = sigs[i].names, *description = sigs[i].description;
        *keymgmt++ = (OSSL_ALGORITHM){names, NAMED, sig_keymgmts[kind], description};
        l->signature[i] = (OSSL_ALGORITHM){names, NAMED, sig_functions[kind], description};
        decoder = add_decoders(decoder, (enum decode_kind)(DECODE_SIG + kind), names, description);
    }
}

static const OSSL_ALGORITHM *query_operation(void *loaded, int operation, int *no_cache)
{
    struct loaded *l = loaded;
    const struct {
        int operation;
        const OSSL_ALGORITHM *table;
    } rows[] = {
        {OSSL_OP_KEYMGMT, l->keymgmt},
        {OSSL_OP_KEM, l->kem},
        {OSSL_OP_SIGNATURE, l->signature},
        {OSSL_OP_DECODER, l->decoder},
    };
    *no_cache = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].operation == operation)
            return rows[i].table;
    return NULL;
}

static int get_capabilities(void *loaded, const char *capability, OSSL_CALLBACK *callback, void *arg)
{
    (void)loaded;
    if (OPENSSL_strcasecmp(capability, "TLS-GROUP") == 0)
        return tls_groups(callback, arg);
    return OPENSSL_strcasecmp(capability, "TLS-SIGALG") == 0 ? tls_sigalgs(callback, arg) : 0;
}

static const OSSL_PARAM *gettable_params(void *loaded)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, NULL, 0),
        OSSL_PARAM_utf8_ptr(PQLATTICE_PARAM_CODE, NULL, 0),
        OSSL_PARAM_utf8_ptr(PQLATTICE_PARAM_VERIFY, NULL, 0),
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, NULL),
        OSSL_PARAM_END,
    };
    (void)loaded;
    return params;
}

static int get_params(void *loaded, OSSL_PARAM params[])
{
    const struct provider *p = loaded;
    const struct {
        const char *name, *value;
    } rows[] = {
        {OSSL_PROV_PARAM_NAME, "pqota's lattice provider"},
        {OSSL_PROV_PARAM_VERSION, PQOTA_VERSION},
        {OSSL_PROV_PARAM_BUILDINFO, p->buildinfo},
        {PQLATTICE_PARAM_CODE, p->code->name},
        {PQLATTICE_PARAM_VERIFY, p->verify_after_sign ? "yes" : "no"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        OSSL_PARAM *param = OSSL_PARAM_locate(params, rows[i].name);
        if (param != NULL && OSSL_PARAM_set_utf8_ptr(param, rows[i].value) != 1)
            return provider_raise(p, REASON_PARAMETER, "%s is a text", rows[i].name);
    }
    OSSL_PARAM *status = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
    if (status != NULL && OSSL_PARAM_set_int(status, 1) != 1) /* what fails its self-test is not loaded */
        return provider_raise(p, REASON_PARAMETER, "%s is a number", OSSL_PROV_PARAM_STATUS);
    return 1;
}

static int self_test(void *loaded)
{
    const struct provider *p = loaded;
    if (lattice_selftest(p->code))
        return 1;
    return provider_raise(p, REASON_SELF_TEST, "the code path %s gives wrong answers", p->code->name);
}

static const OSSL_ITEM *reason_strings(void *loaded)
{
    (void)loaded;
    return provider_reasons();
}

static void teardown(void *loaded)
{
    struct provider *p = loaded;
    classic_forget(p);
    OSSL_LIB_CTX_free(p->libctx);
    free(loaded);
}

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_PROVIDER_TEARDOWN, (OSSL_FUNC)teardown},
    {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (OSSL_FUNC)gettable_params},
    {OSSL_FUNC_PROVIDER_GET_PARAMS, (OSSL_FUNC)get_params},
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (OSSL_FUNC)query_operation},
    {OSSL_FUNC_PROVIDER_GET_REASON_STRINGS, (OSSL_FUNC)reason_strings},
    {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (OSSL_FUNC)get_capabilities},
    {OSSL_FUNC_PROVIDER_SELF_TEST, (OSSL_FUNC)self_test},
    {0, NULL},
};

/* The settings: false raises. */
static bool read_settings(struct provider *p)
{
    char *verify = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_ptr(PQLATTICE_PARAM_VERIFY, &verify, 0),
        OSSL_PARAM_END,
    };
    p->verify_after_sign = true;
    if (p->get_params == NULL || p->get_params(p->core, params) != 1 || verify == NULL)
        return true;
    if (strcmp(verify, "no") == 0)
        p->verify_after_sign = false;
    else if (strcmp(verify, "yes") != 0)
        return provider_raise(p, REASON_PARAMETER, "%s is yes or no, not \"%s\"", PQLATTICE_PARAM_VERIFY,
                              verify);
    return true;
}

static void read_core(struct provider *p, const OSSL_DISPATCH *d)
{
    for (; d->function_id != 0; d++)
        switch (d->function_id) {
        case OSSL_FUNC_CORE_NEW_ERROR:
            p->new_error = OSSL_FUNC_core_new_error(d);
            break;
        case OSSL_FUNC_CORE_SET_ERROR_DEBUG:
            p->set_error_debug = OSSL_FUNC_core_set_error_debug(d);
            break;
        case OSSL_FUNC_CORE_VSET_ERROR:
            p->set_error = OSSL_FUNC_core_vset_error(d);
            break;
        case OSSL_FUNC_CORE_GET_PARAMS:
            p->get_params = OSSL_FUNC_core_get_params(d);
            break;
        default:
            break;
        }
}

int provider_init_with(provider_code_fn *code, const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
                       const OSSL_DISPATCH **out, void **context)
{
    struct loaded *l = calloc(1, sizeof *l);
    if (l == NULL)
        return 0;
    struct provider *p = &l->provider;
    p->core = core;
    read_core(p, in);
    if (!read_settings(p) || !provider_choose(p, code)) {
        free(l);
        return 0;
    }
    p->libctx = OSSL_LIB_CTX_new_child(core, in);
    if (p->libctx == NULL) {
        provider_raise(p, REASON_MEMORY, "for a library context");
        free(l);
        return 0;
    }
    fill_tables(l);
    *out = functions;
    *context = l;
    return 1;
}

int pqlattice_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                            void **context)
{
    return provider_init_with(lattice_code, core, in, out, context);
}
