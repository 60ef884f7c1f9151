/* Where a refresh's processor time goes: the client's cryptography, timed. */
#ifndef PQTRUST_PROBE_H
#define PQTRUST_PROBE_H

#include <stdint.h>

#include "trust/crypto.h"

struct probe {
    uint64_t verify_ns[TRUST_FAMILIES], verified[TRUST_FAMILIES];
    uint64_t hash_ns;
};

uint64_t probe_cpu_ns(void); /* processor time of this thread */
/* OpenSSL's, timed into the probe. */
struct trust_crypto probe_crypto(struct probe *p);

#endif
