#ifndef PQOTA_PROVIDER_PROVIDER_H
#define PQOTA_PROVIDER_PROVIDER_H

/* OpenSSL's provider "pqlattice": ML-DSA, ML-KEM and TLS's hybrids of it over the code of src/lattice.
 *
 * A program that links it in makes it known under this name and loads it:
 *
 *   OSSL_PROVIDER_add_builtin(libctx, PQLATTICE_NAME, pqlattice_provider_init)
 *
 * and everyone else loads the module pqlattice.so. It is used where a property query prefers it
 * ("?provider=pqlattice"), and needs another provider with X25519 and EC for the hybrids' classical
 * halves. */

#include <openssl/core.h>

#define PQLATTICE_NAME "pqlattice"

/* Beside a provider's usual parameters: which code path of src/lattice it took ("avx512", "avx2",
 * "portable"), a text that lives as long as the provider. */
#define PQLATTICE_PARAM_CODE "code-path"

/* A setting, in openssl.cnf's section of the provider or by OSSL_PROVIDER_load_ex: "yes", which is what it
 * is where it is left out, or "no". Whether a signature is verified before it is given away, so that what a
 * fault of the processor or the memory made of it tells nobody of the key. */
#define PQLATTICE_PARAM_VERIFY "verify-after-sign"

/* OSSL_provider_init of provider-base(7): 0, with an error in OpenSSL's queue, where no code path of this
 * processor passes its self-test, a setting is not one, or there is no memory. */
int pqlattice_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                            void **context);

#endif
