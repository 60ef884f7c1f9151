#ifndef PQOTA_PROVIDER_SIG_H
#define PQOTA_PROVIDER_SIG_H

#include <openssl/core_dispatch.h>

#include "provider/sig_key.h"

/* provider-signature(7) of each kind: ML-DSA, in one piece, with OpenSSL's parameters for context strings,
 * messages that are encoded already and mu (EVP_SIGNATURE-ML-DSA(7)). */
extern const OSSL_DISPATCH *const sig_functions[SIG_KINDS];

#endif
