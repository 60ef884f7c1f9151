/* A file that comes inside another body: written to the blob store's temporary folder, and hashed for
   hawkBit's devices, which know it by SHA-1 and MD5 too. */
#include <stdlib.h>

#include "ota/modules.h"
#include "ota/ota.h"
#include "store/blobs.h"

struct received {
    struct spool *spool;
    const char *path; /* once it is finished */
};

int received_new(struct ota *ota, struct received **out, struct err *e)
{
    struct received *r = calloc(1, sizeof *r);
    if (r == NULL)
        return err_set(e, ERR_NOMEM, "no memory to receive a file");
    int rc = spool_new(ota->store, &r->spool, e);
    if (rc == 0)
        rc = spool_hash_all(r->spool, e);
    if (rc != 0)
        received_free(r);
    else
        *out = r;
    return rc;
}

int received_write(struct received *r, const void *data, size_t n, struct err *e)
{
    return spool_write(r->spool, data, n, e);
}

int received_finish(struct received *r, struct received_file *out, struct err *e)
{
    char sha256[SHA256_HEX_SIZE];
    uint64_t size;
    int rc = spool_finish(r->spool, &r->path, &size, sha256, e);
    if (rc == 0)
        *out = (struct received_file){.is = *spool_hashes(r->spool), .size = size};
    return rc;
}

int received_keep(struct ota *ota, struct received *r, struct err *e)
{
    return blob_place(ota->store, r->path, spool_hashes(r->spool)->sha256, e);
}

void received_free(struct received *r)
{
    if (r == NULL)
        return;
    spool_free(r->spool);
    free(r);
}
