#include "store/digests.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct digests {
    EVP_MD_CTX *sha256, *sha1, *md5;
};

int digests_new(struct digests **out, struct err *e)
{
    struct digests *d = calloc(1, sizeof *d);
    if (d == NULL)
        return err_set(e, ERR_NOMEM, "no memory to hash a file");
    d->sha256 = EVP_MD_CTX_new();
    d->sha1 = EVP_MD_CTX_new();
    d->md5 = EVP_MD_CTX_new();
    if (d->sha256 == NULL || d->sha1 == NULL || d->md5 == NULL ||
        EVP_DigestInit_ex(d->sha256, EVP_sha256(), NULL) != 1 ||
        EVP_DigestInit_ex(d->sha1, EVP_sha1(), NULL) != 1 ||
        EVP_DigestInit_ex(d->md5, EVP_md5(), NULL) != 1) {
        digests_free(d);
        return err_set(e, ERR_CRYPTO,
                       "OpenSSL cannot compute SHA-1 and MD5, which hawkBit's devices ask for");
    }
    *out = d;
    return 0;
}

int digests_add(struct digests *d, const void *data, size_t n, struct err *e)
{
    if (EVP_DigestUpdate(d->sha256, data, n) != 1 || EVP_DigestUpdate(d->sha1, data, n) != 1 ||
        EVP_DigestUpdate(d->md5, data, n) != 1)
        return err_set(e, ERR_CRYPTO, "cannot hash a file");
    return 0;
}

static bool end(EVP_MD_CTX *md, size_t n, char *out)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_DigestFinal_ex(md, raw, &size) != 1 || size != n)
        return false;
    hex_encode(raw, n, out);
    return true;
}

int digests_end(struct digests *d, struct digest_texts *out, struct err *e)
{
    struct digest_texts t;
    if (!end(d->sha256, SHA256_SIZE, t.sha256) || !end(d->sha1, SHA1_SIZE, t.sha1) ||
        !end(d->md5, MD5_SIZE, t.md5))
        return err_set(e, ERR_CRYPTO, "cannot hash a file");
    *out = t;
    return 0;
}

void digests_free(struct digests *d)
{
    if (d == NULL)
        return;
    EVP_MD_CTX_free(d->sha256);
    EVP_MD_CTX_free(d->sha1);
    EVP_MD_CTX_free(d->md5);
    free(d);
}
