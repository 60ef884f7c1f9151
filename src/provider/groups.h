#ifndef PQOTA_PROVIDER_GROUPS_H
#define PQOTA_PROVIDER_GROUPS_H

#include <openssl/core.h>

/* The TLS-GROUP capability of provider-base(7): calls back for each group; 0 where a call gave that.
 * libssl only takes a provider's groups where it would also take its keys. */
int tls_groups(OSSL_CALLBACK *callback, void *arg);

#endif
