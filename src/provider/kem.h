#ifndef PQOTA_PROVIDER_KEM_H
#define PQOTA_PROVIDER_KEM_H

#include <openssl/core_dispatch.h>

/* provider-kem(7), the same for every kind of key. */
extern const OSSL_DISPATCH kem_functions[];

#endif
