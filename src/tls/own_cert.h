/* A context's own certificate: loaded, and checked before any peer sees it. */
#ifndef PQOTA_TLS_OWN_CERT_H
#define PQOTA_TLS_OWN_CERT_H

#include "tls/tls_impl.h"

int tls_use_own_cert(SSL_CTX *ssl, const struct tls_config *config, const struct tls_rules *rules,
                     struct err *e) MUST_CHECK;

#endif
