/* What tests of the public interface share: checks that tell the library's text, both sides' contexts. */
#ifndef PQC_TLS_FIXTURE_H
#define PQC_TLS_FIXTURE_H

#include "pqc_tls.h"

#include "cert_fixture.h"

#define assert_error_says(part)                                                                              \
    do {                                                                                                     \
        if (strstr(pqc_tls_error(), (part)) == NULL)                                                         \
            fail_msg("\"%s\" does not say \"%s\"", pqc_tls_error(), (part));                                 \
    } while (0)
#define must(x)                                                                                              \
    do {                                                                                                     \
        if (!(x))                                                                                            \
            fail_msg("%s: %s", #x, pqc_tls_error());                                                         \
    } while (0)

static pqc_tls_ctx_t server_ctx(const char *kem, const char *sig)
{
    pqc_tls_ctx_t ctx = pqc_tls_create_server_ctx(server_id->cert_file, server_id->key_file,
                                                  device_ca->cert_file, kem, sig, true);
    must(ctx != NULL);
    return ctx;
}

static pqc_tls_ctx_t client_ctx(const char *kem, const char *sig)
{
    pqc_tls_ctx_t ctx =
        pqc_tls_create_client_ctx(device_id->cert_file, device_id->key_file, server_ca->cert_file, kem, sig);
    must(ctx != NULL);
    return ctx;
}

#endif
