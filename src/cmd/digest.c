#include "cmd/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CHUNK 262144

CLEANUP_DEFINE(md_ctx, EVP_MD_CTX, EVP_MD_CTX_free);
#define auto_md CLEANUP(md_ctx_cleanup)

int digest_file(int fd, const char *name, int64_t size, struct progress *progress, char out[SHA256_HEX_SIZE],
                struct err *e)
{
    auto_md EVP_MD_CTX *md = EVP_MD_CTX_new();
    auto_free unsigned char *chunk = malloc(CHUNK);
    if (md == NULL || chunk == NULL)
        return err_set(e, ERR_NOMEM, "no memory to hash %s", name);
    if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        return err_set(e, ERR_CRYPTO, "OpenSSL gives no SHA-256");
    for (int64_t at = 0; at < size;) {
        size_t want = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
        ssize_t n = pread(fd, chunk, want, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, errno, "cannot read %s", name);
        if (n == 0)
            return err_set(e, ERR_MISMATCH, "%s became shorter while it was read", name);
        if (EVP_DigestUpdate(md, chunk, (size_t)n) != 1)
            return err_set(e, ERR_CRYPTO, "OpenSSL cannot hash %s", name);
        at += n;
        if (progress != NULL)
            progress_update(progress, at);
    }
    unsigned char hash[SHA256_SIZE];
    if (EVP_DigestFinal_ex(md, hash, NULL) != 1)
        return err_set(e, ERR_CRYPTO, "OpenSSL cannot hash %s", name);
    hex_encode(hash, sizeof hash, out);
    return 0;
}
