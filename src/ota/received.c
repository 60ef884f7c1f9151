/* A file that comes inside another body: written to the blob store's temporary folder, and hashed for
   hawkBit's devices, which know it by SHA-1 and MD5 too. */
#include <openssl/evp.h>

#include <stdlib.h>

#include "base/cleanup.h"
#include "ota/modules.h"
#include "ota/ota.h"
#include "store/blobs.h"

struct received {
    struct spool *spool;
    EVP_MD_CTX *sha1, *md5;
    const char *path; /* once it is finished */
    char sha256[SHA256_HEX_SIZE];
};

int received_new(struct ota *ota, struct received **out, struct err *e)
{
    struct received *r = calloc(1, sizeof *r);
    if (r == NULL)
        return err_set(e, ERR_NOMEM, "no memory to receive a file");
    r->sha1 = EVP_MD_CTX_new();
    r->md5 = EVP_MD_CTX_new();
    int rc =
        r->sha1 != NULL && r->md5 != NULL && EVP_DigestInit_ex(r->sha1, EVP_sha1(), NULL) == 1 &&
                EVP_DigestInit_ex(r->md5, EVP_md5(), NULL) == 1
            ? spool_new(ota->store, &r->spool, e)
            : err_set(e, ERR_CRYPTO, "OpenSSL cannot compute SHA-1 and MD5, which hawkBit's devices ask for");
    if (rc != 0)
        received_free(r);
    else
        *out = r;
    return rc;
}

int received_write(struct received *r, const void *data, size_t n, struct err *e)
{
    int rc = spool_write(r->spool, data, n, e);
    if (rc == 0 && (EVP_DigestUpdate(r->sha1, data, n) != 1 || EVP_DigestUpdate(r->md5, data, n) != 1))
        rc = err_set(e, ERR_CRYPTO, "cannot hash a file");
    return rc;
}

static bool end(EVP_MD_CTX *md, size_t n, char *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_DigestFinal_ex(md, digest, &size) != 1 || size != n)
        return false;
    hex_encode(digest, n, out);
    return true;
}

int received_finish(struct received *r, struct received_file *out, struct err *e)
{
    struct received_file f;
    int rc = spool_finish(r->spool, &r->path, &f.size, f.sha256, e);
    if (rc == 0 && (!end(r->sha1, SHA1_SIZE, f.sha1) || !end(r->md5, (MODULE_MD5_SIZE - 1) / 2, f.md5)))
        rc = err_set(e, ERR_CRYPTO, "cannot hash a file");
    if (rc != 0)
        return rc;
    memcpy(r->sha256, f.sha256, sizeof r->sha256);
    *out = f;
    return 0;
}

int received_keep(struct ota *ota, struct received *r, struct err *e)
{
    return blob_place(ota->store, r->path, r->sha256, e);
}

void received_free(struct received *r)
{
    if (r == NULL)
        return;
    spool_free(r->spool);
    EVP_MD_CTX_free(r->sha1);
    EVP_MD_CTX_free(r->md5);
    free(r);
}
