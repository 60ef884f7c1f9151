#ifndef PQOTA_PROVIDER_SIG_KEYMGMT_H
#define PQOTA_PROVIDER_SIG_KEYMGMT_H

#include <openssl/core_dispatch.h>

#include "provider/sig_key.h"

/* provider-keymgmt(7) of each kind. A key of OpenSSL's is a struct sig_key. */
extern const OSSL_DISPATCH *const sig_keymgmts[SIG_KINDS];

/* Exports key's halves that selection names, as parameters: 1, or 0 after an error. */
int sig_keymgmt_export(void *key, int selection, OSSL_CALLBACK *callback, void *arg);

#endif
