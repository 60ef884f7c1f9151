#include "provider/groups.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/prov_ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "provider/kem_kind.h"

/* Code points: draft-ietf-tls-mlkem section 4.1, RFC 10024 section 6. */
static const struct row {
    const char *name;
    enum kem_kind_id kind;
    unsigned id;
} rows[] = {
    {"MLKEM512", KEM_MLKEM512, 0x0200},
    {"MLKEM768", KEM_MLKEM768, 0x0201},
    {"MLKEM1024", KEM_MLKEM1024, 0x0202},
    {"SecP256r1MLKEM768", KEM_SECP256R1MLKEM768, 0x11eb},
    {"X25519MLKEM768", KEM_X25519MLKEM768, 0x11ec},
    {"SecP384r1MLKEM1024", KEM_SECP384R1MLKEM1024, 0x11ed},
};

/* OpenSSL's parameters are not const; it only reads the texts. */
static OSSL_PARAM text(const char *name, const char *value)
{
    return OSSL_PARAM_construct_utf8_string(name, (char *)(uintptr_t)value, 0);
}

static int tell(const struct row *row, OSSL_CALLBACK *callback, void *arg)
{
    const struct kem_kind *kind = &kem_kinds[row->kind];
    unsigned id = row->id, strength = kind->mlkem->strength, is_kem = 1;
    int from = TLS1_3_VERSION, to = 0, none = -1; /* 0: no end; -1: not at all */
    OSSL_PARAM params[] = {
        text(OSSL_CAPABILITY_TLS_GROUP_NAME, row->name),
        text(OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL, ""),
        text(OSSL_CAPABILITY_TLS_GROUP_ALG, kind->name),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_ID, &id),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS, &strength),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_IS_KEM, &is_kem),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MIN_TLS, &from),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MAX_TLS, &to),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS, &none),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS, &none),
        OSSL_PARAM_construct_end(),
    };
    return callback(params, arg);
}

int tls_groups(OSSL_CALLBACK *callback, void *arg)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!tell(&rows[i], callback, arg))
            return 0;
    return 1;
}
