#ifndef PQOTA_PROVIDER_DECODE_H
#define PQOTA_PROVIDER_DECODE_H

/* provider-decoder(7) for the keys of ML-KEM alone and of ML-DSA: SubjectPublicKeyInfo, and PrivateKeyInfo
 * with a seed, an expanded key or both (RFC 9935, RFC 9881). OpenSSL's own decoders keep a key with its own
 * provider, whichever the property query prefers; what these do not know (older forms, passwords, PEM) they
 * leave to those. */

#include <openssl/core_dispatch.h>

#include "provider/kem_kind.h"
#include "provider/sig_key.h"

#define DECODE_KEMS (KEM_MLKEM1024 + 1) /* the first of kem_kinds */

enum decode_kind {
    DECODE_KEM, /* and as many more */
    DECODE_SIG = DECODE_KEM + DECODE_KEMS,
    DECODE_KINDS = DECODE_SIG + SIG_KINDS,
};

extern const OSSL_DISPATCH *const decode_private[DECODE_KINDS];
extern const OSSL_DISPATCH *const decode_public[DECODE_KINDS];

#endif
