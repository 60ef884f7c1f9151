#include "pqtrust/probe.h"

#include <time.h>

#include "keys/keys.h"

uint64_t probe_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static int verify(void *ctx, enum trust_scheme scheme, const void *key, size_t key_n, const void *msg,
                  size_t msg_n, const void *sig, size_t sig_n)
{
    struct probe *p = ctx;
    uint64_t begin = probe_cpu_ns();
    int rc = keys_crypto.verify(keys_crypto.ctx, scheme, key, key_n, msg, msg_n, sig, sig_n);
    enum trust_family family = trust_scheme_row(scheme)->family;
    p->verify_ns[family] += probe_cpu_ns() - begin;
    p->verified[family]++;
    return rc;
}

static int hash(void *ctx, enum trust_hash which, const void *data, size_t n, unsigned char *out)
{
    struct probe *p = ctx;
    uint64_t begin = probe_cpu_ns();
    int rc = keys_crypto.hash(keys_crypto.ctx, which, data, n, out);
    p->hash_ns += probe_cpu_ns() - begin;
    return rc;
}

struct trust_crypto probe_crypto(struct probe *p)
{
    return (struct trust_crypto){.ctx = p, .verify = verify, .hash = hash};
}
