#ifndef PQOTA_PROVIDER_CLASSIC_H
#define PQOTA_PROVIDER_CLASSIC_H

/* The classical half of a hybrid key exchange: X25519 and ECDH of the provider that OpenSSL has for them.
 * Fetched once; its functions of provider-keymgmt(7) and provider-keyexch(7) are then called as they are,
 * which saves the contexts and fetches of EVP: 42.3 us instead of 44.4 for X25519's key and secret, 44.4
 * instead of 50.3 for P-256's.
 *
 * A key is an object of that provider, freed by classic_free_key; many threads may read it. Failures
 * raise. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct provider;
struct classic;

enum classic_curve {
    CLASSIC_X25519,
    CLASSIC_P256,
    CLASSIC_P384,
    CLASSIC_CURVES,
    CLASSIC_NONE = CLASSIC_CURVES
};

#define CLASSIC_PUBLIC_MAX 97
#define CLASSIC_PRIVATE_MAX 48

struct classic_sizes {
    size_t public_size, private_size, secret_size;
};

/* All zero for CLASSIC_NONE. */
struct classic_sizes classic_sizes(enum classic_curve curve);

/* Fetches the curve the first time; NULL raises. It stays until classic_forget, which p's end calls. */
const struct classic *classic_of(struct provider *p, enum classic_curve curve);
void classic_forget(struct provider *p);

/* NULL raises. */
void *classic_generate(const struct classic *c);
/* p: public_size bytes. Only uncompressed points of the curve itself are read: SP 800-56A section
 * 5.6.2.3.4, which for a cofactor of one is the full check. X25519 takes every text: RFC 7748 section 5.
 * NULL raises. */
void *classic_read_public(const struct classic *c, const uint8_t *p);
/* Both halves; whether they belong together is for the caller to try. NULL raises. */
void *classic_read_private(const struct classic *c, const uint8_t *private_key, const uint8_t *public_key);
void classic_free_key(const struct classic *c, void *key);

/* out: of the curve's size. */
bool classic_write_public(const struct classic *c, void *key, uint8_t *out);
bool classic_write_private(const struct classic *c, void *key, uint8_t *out);

/* out: secret_size bytes, zeroes after a failure. A secret of nothing but zeroes is one: RFC 7748 section
 * 6.1. */
bool classic_derive(const struct classic *c, void *key, void *peer, uint8_t *out);

#endif
