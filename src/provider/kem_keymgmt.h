#ifndef PQOTA_PROVIDER_KEM_KEYMGMT_H
#define PQOTA_PROVIDER_KEM_KEYMGMT_H

#include <openssl/core_dispatch.h>

#include "provider/kem_kind.h"

/* provider-keymgmt(7) of each kind. A key of OpenSSL's is a struct kem_key. */
extern const OSSL_DISPATCH *const kem_keymgmts[KEM_KINDS];

/* Exports key's halves that selection names, as parameters: 1, or 0 after an error. */
int kem_keymgmt_export(void *key, int selection, OSSL_CALLBACK *callback, void *arg);

#endif
