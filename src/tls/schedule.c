#include "tls/schedule.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/cleanup.h"

CLEANUP_DEFINE(md_ctx, EVP_MD_CTX, EVP_MD_CTX_free);

void tls_schedule_begin(struct tls_schedule *s, const struct tls_suite *suite)
{
    *s = (struct tls_schedule){.transcript = EVP_MD_CTX_new()};
    tls_derive_begin(&s->derive, suite);
    s->derive.failed = s->derive.failed || s->transcript == NULL ||
                       EVP_DigestInit_ex2(s->transcript, suite->digest, NULL) != 1;
}

int tls_schedule_end(struct tls_schedule *s)
{
    EVP_MD_CTX_free(s->transcript);
    int rc = tls_derive_end(&s->derive);
    OPENSSL_cleanse(s, sizeof *s);
    return rc;
}

void tls_schedule_add(struct tls_schedule *s, const unsigned char *p, size_t n)
{
    s->derive.failed = s->derive.failed || EVP_DigestUpdate(s->transcript, p, n) != 1;
}

void tls_schedule_look(struct tls_schedule *s)
{
    CLEANUP(md_ctx_cleanup) EVP_MD_CTX *copy = EVP_MD_CTX_new();
    s->derive.failed = s->derive.failed || copy == NULL || EVP_MD_CTX_copy_ex(copy, s->transcript) != 1 ||
                       EVP_DigestFinal_ex(copy, s->hash, NULL) != 1;
}

void tls_schedule_look_at_nothing(struct tls_schedule *s)
{
    memcpy(s->hash, s->derive.suite->of_nothing, s->derive.suite->secret_n);
}

void tls_schedule_secret(struct tls_schedule *s, const char *label, unsigned char *out)
{
    size_t n = s->derive.suite->secret_n;
    tls_expand(&s->derive, label, s->hash, n, out, n);
}

void tls_schedule_next(struct tls_schedule *s, const unsigned char *fresh, size_t n)
{
    static const unsigned char zeros[TLS_SECRET_MAX];
    const struct tls_suite *suite = s->derive.suite;
    tls_expand(&s->derive, "derived", suite->of_nothing, suite->secret_n, s->stage, suite->secret_n);
    tls_derive_from(&s->derive, s->stage);
    tls_mac(&s->derive, fresh != NULL ? fresh : zeros, fresh != NULL ? n : suite->secret_n, s->stage);
    tls_derive_from(&s->derive, s->stage);
}

void tls_schedule_first(struct tls_schedule *s, const unsigned char *psk)
{
    static const unsigned char zeros[TLS_SECRET_MAX];
    tls_derive_from(&s->derive, zeros);
    tls_mac(&s->derive, psk, s->derive.suite->secret_n, s->stage);
    tls_derive_from(&s->derive, s->stage);
}

void tls_schedule_finished(struct tls_schedule *s, const unsigned char *secret, unsigned char *out)
{
    unsigned char key[TLS_SECRET_MAX];
    size_t n = s->derive.suite->secret_n;
    tls_derive_from(&s->derive, secret);
    tls_expand(&s->derive, "finished", NULL, 0, key, n);
    tls_derive_from(&s->derive, key);
    tls_mac(&s->derive, s->hash, n, out);
    OPENSSL_cleanse(key, sizeof key);
    tls_derive_from(&s->derive, s->stage);
}
