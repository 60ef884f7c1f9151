/* Client certificates whose chains were verified: what that found, for the next handshake with the same
   one. */
#ifndef PQOTA_TLS_VERIFIED_H
#define PQOTA_TLS_VERIFIED_H

#include "tls/tls.h"

/* What a verification stands on besides the certificate's bytes. */
struct tls_proof {
    int64_t verified_at, not_before; /* Unix seconds */
    int64_t issuers_until;           /* the first end among the certificates above it */
    struct tls_peer peer;
};

struct tls_verified *tls_verified_ref(struct tls_verified *v);
/* scope: of the context, by which the same roots and rules decided. fingerprint: SHA-256 of the DER. */
bool tls_verified_find(struct tls_verified *v, const unsigned char scope[SHA256_SIZE],
                       const unsigned char fingerprint[SHA256_SIZE], struct tls_proof *out);
/* proof->peer.fingerprint says of which. What cannot be kept is verified again. */
void tls_verified_keep(struct tls_verified *v, const unsigned char scope[SHA256_SIZE],
                       const struct tls_proof *proof);

#endif
