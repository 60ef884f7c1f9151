#ifndef PQOTA_PROVIDER_GROUPS_H
#define PQOTA_PROVIDER_GROUPS_H

#include <openssl/core.h>

/* The TLS-GROUP capability of provider-base(7): calls back for each group; 0 where a call gave that.
 * Of a group that two providers have, libssl goes by what the first says, whoever's keys it then fetches. */
int tls_groups(OSSL_CALLBACK *callback, void *arg);

#endif
