/* The manifests' test vectors (tests/kat/manifest.json and manifest-*.hex), and ML-DSA-44 by OpenSSL. */
#ifndef PQOTA_TEST_TRUST_VECTORS_H
#define PQOTA_TEST_TRUST_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "pqota_manifest.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* The bytes of a .hex file of tests/kat, for instance "manifest-good"; how many they are. */
size_t vector_read(const char *name, unsigned char *out, size_t size);
/* The text of a file there; free it. */
char *vector_text(const char *file);

struct vector_keys { /* [0] and [1]: the first and the second key of that holder */
    unsigned char vendor[2][PQOTA_MANIFEST_KEY], director[2][PQOTA_MANIFEST_KEY];
};
void vector_keys_read(struct vector_keys *keys);

/* FIPS 204's verification; ctx NULL. Keys are kept between calls, by their address. */
extern const struct pqota_manifest_crypto vector_crypto;
/* Lets every signature count. */
extern const struct pqota_manifest_crypto vector_believes;
void vector_fini(void);

#endif
