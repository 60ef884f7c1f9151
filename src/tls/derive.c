#include "tls/derive.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#define LABEL_MAX 32 /* of ours, "tls13 " included */

void tls_derive_begin(struct tls_derive *d, const struct tls_suite *suite)
{
    *d = (struct tls_derive){.suite = suite, .mac = EVP_MAC_CTX_dup(suite->mac)};
    d->failed = d->mac == NULL;
}

int tls_derive_end(struct tls_derive *d)
{
    EVP_MAC_CTX_free(d->mac);
    d->mac = NULL;
    return d->failed ? ERR_CRYPTO : 0;
}

void tls_derive_from(struct tls_derive *d, const unsigned char *secret)
{
    d->failed = d->failed || EVP_MAC_init(d->mac, secret, d->suite->secret_n, NULL) != 1;
    d->used = false;
}

static void finish(struct tls_derive *d, const unsigned char *p, size_t n, unsigned char *out, size_t size)
{
    size_t made = 0;
    d->failed = d->failed || (d->used && EVP_MAC_init(d->mac, NULL, 0, NULL) != 1) ||
                EVP_MAC_update(d->mac, p, n) != 1 || EVP_MAC_final(d->mac, out, &made, size) != 1 ||
                made != d->suite->secret_n;
    d->used = true;
}

void tls_mac(struct tls_derive *d, const unsigned char *p, size_t n, unsigned char *out)
{
    finish(d, p, n, out, d->suite->secret_n);
}

/* RFC 5869 section 2.3: one block is enough. */
void tls_expand(struct tls_derive *d, const char *label, const unsigned char *context, size_t context_n,
                unsigned char *out, size_t n)
{
    static const char prefix[] = "tls13 ";
    size_t label_n = strlen(label), at = 0;
    unsigned char info[2 + 1 + LABEL_MAX + 1 + TLS_SECRET_MAX + 1], block[TLS_SECRET_MAX] = {0};
    assert(n <= d->suite->secret_n && context_n <= TLS_SECRET_MAX);
    assert(sizeof prefix - 1 + label_n <= LABEL_MAX);
    info[at++] = 0;
    info[at++] = (unsigned char)n;
    info[at++] = (unsigned char)(sizeof prefix - 1 + label_n);
    memcpy(info + at, prefix, sizeof prefix - 1);
    at += sizeof prefix - 1;
    memcpy(info + at, label, label_n);
    at += label_n;
    info[at++] = (unsigned char)context_n;
    if (context_n > 0)
        memcpy(info + at, context, context_n);
    at += context_n;
    info[at++] = 1; /* the block's number */
    finish(d, info, at, block, sizeof block);
    memcpy(out, block, n);
    OPENSSL_cleanse(block, sizeof block);
}
