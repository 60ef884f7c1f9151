#include "provider/sigalgs.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/prov_ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice/mldsa.h"

/* Code points: draft-ietf-tls-mldsa section 3. */
static const struct row {
    const char *scheme, *object_id;
    const struct mldsa_set *set;
    unsigned code_point;
} rows[] = {
    {"mldsa44", "2.16.840.1.101.3.4.3.17", &mldsa_44, 0x0904},
    {"mldsa65", "2.16.840.1.101.3.4.3.18", &mldsa_65, 0x0905},
    {"mldsa87", "2.16.840.1.101.3.4.3.19", &mldsa_87, 0x0906},
};

/* OpenSSL's parameters are not const; it only reads the texts. */
static OSSL_PARAM text(const char *name, const char *value)
{
    return OSSL_PARAM_construct_utf8_string(name, (char *)(uintptr_t)value, 0);
}

static int tell(const struct row *row, OSSL_CALLBACK *callback, void *arg)
{
    unsigned code_point = row->code_point, strength = row->set->strength;
    int from = TLS1_3_VERSION, to = 0, none = -1; /* 0: no end; -1: not at all */
    OSSL_PARAM params[] = {
        text(OSSL_CAPABILITY_TLS_SIGALG_IANA_NAME, row->scheme),
        text(OSSL_CAPABILITY_TLS_SIGALG_NAME, row->set->name),
        text(OSSL_CAPABILITY_TLS_SIGALG_OID, row->object_id),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_SIGALG_CODE_POINT, &code_point),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_SIGALG_SECURITY_BITS, &strength),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_SIGALG_MIN_TLS, &from),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_SIGALG_MAX_TLS, &to),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_SIGALG_MIN_DTLS, &none),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_SIGALG_MAX_DTLS, &none),
        OSSL_PARAM_construct_end(),
    };
    return callback(params, arg);
}

int tls_sigalgs(OSSL_CALLBACK *callback, void *arg)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!tell(&rows[i], callback, arg))
            return 0;
    return 1;
}
