#include "tls/verified.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tls/bounded.h"
#include "tls/session_data.h"

struct tls_verified {
    atomic_int refs;
    struct bounded *table;
};

/* As it is kept: n bytes of data are used. */
struct kept {
    int64_t not_before, issuers_until;
    unsigned char scope[SHA256_SIZE];
    unsigned char data[TLS_SESSION_DATA_MAX];
};

bool tls_verified_find(struct tls_verified *v, const unsigned char scope[SHA256_SIZE],
                       const unsigned char fingerprint[SHA256_SIZE], struct tls_proof *out)
{
    struct kept k;
    size_t n = bounded_get(v->table, fingerprint, &k, sizeof k);
    if (n == 0 || memcmp(k.scope, scope, SHA256_SIZE) != 0)
        return false;
    out->not_before = k.not_before;
    out->issuers_until = k.issuers_until;
    return tls_session_data_decode(k.data, n - offsetof(struct kept, data), &out->verified_at, &out->peer) ==
           0;
}

void tls_verified_keep(struct tls_verified *v, const unsigned char scope[SHA256_SIZE],
                       const struct tls_proof *proof)
{
    struct kept k = {.not_before = proof->not_before, .issuers_until = proof->issuers_until};
    unsigned char fingerprint[SHA256_SIZE];
    if (hex_decode(str_of(proof->peer.fingerprint), fingerprint, sizeof fingerprint) != 0)
        return;
    memcpy(k.scope, scope, SHA256_SIZE);
    size_t n = tls_session_data_encode(proof->verified_at, &proof->peer, k.data);
    int rc = bounded_put(v->table, fingerprint, &k, offsetof(struct kept, data) + n);
    (void)rc;
}

int tls_verified_new(size_t capacity, struct tls_verified **out, struct err *e)
{
    if (capacity < 1 || capacity > BOUNDED_CAPACITY_MAX)
        return err_set(e, ERR_INVALID, "the number of verified certificates kept, %zu, is not in 1..%u",
                       capacity, BOUNDED_CAPACITY_MAX);
    struct tls_verified *v = calloc(1, sizeof *v);
    if (v == NULL || (v->table = bounded_new(capacity)) == NULL) {
        free(v);
        return err_set(e, ERR_NOMEM, "no memory for %zu verified certificates", capacity);
    }
    atomic_init(&v->refs, 1);
    *out = v;
    return 0;
}

struct tls_verified *tls_verified_ref(struct tls_verified *v)
{
    if (v != NULL)
        atomic_fetch_add(&v->refs, 1);
    return v;
}

void tls_verified_free(struct tls_verified *v)
{
    if (v == NULL || atomic_fetch_sub(&v->refs, 1) != 1)
        return;
    bounded_free(v->table);
    free(v);
}

size_t tls_verified_count(struct tls_verified *v)
{
    return bounded_count(v->table);
}
