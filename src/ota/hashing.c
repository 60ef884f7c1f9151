#include "ota/hashing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ota/ota.h"
#include "store/artifacts.h"
#include "store/blobs.h"

#define READ_SIZE ((size_t)256 << 10)

void hashing_init(struct hashing *h)
{
    *h = (struct hashing){.fd = -1};
}

void hashing_drop(struct hashing *h)
{
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
    h->offset = 0;
    digests_free(h->digests);
    h->digests = NULL;
}

int ota_hashing_find(struct db *db, struct hashing *h, bool *found, struct err *e)
{
    char next[SHA256_HEX_SIZE];
    int rc = store_artifact_unhashed(db, h->sha256, next, e);
    if (rc != 0)
        return rc;
    memcpy(h->sha256, next, sizeof next);
    *found = next[0] != '\0';
    return 0;
}

static int begin(struct ota *ota, struct hashing *h, struct err *e)
{
    uint64_t size;
    int rc = blob_open(ota->store, h->sha256, &h->fd, &size, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_CORRUPT, "the blob %s is missing: publish it again or restore it", h->sha256);
    return rc != 0 ? rc : digests_new(&h->digests, e);
}

static int end(struct hashing *h, struct err *e)
{
    int rc = digests_end(h->digests, &h->made, e);
    hashing_drop(h);
    if (rc == 0 && strcmp(h->made.sha256, h->sha256) != 0)
        rc = err_set(e, ERR_CORRUPT, "the blob %s is damaged: its SHA-256 is %s", h->sha256, h->made.sha256);
    return rc;
}

int ota_hashing_slice(struct ota *ota, struct hashing *h, bool *done, struct err *e)
{
    auto_free char *chunk = malloc(READ_SIZE);
    int rc = chunk == NULL ? err_set(e, ERR_NOMEM, "no memory to hash a file")
             : h->fd < 0   ? begin(ota, h, e)
                           : 0;
    uint64_t until = h->offset + HASHING_SLICE;
    *done = false;
    while (rc == 0 && h->offset < until && !*done) {
        ssize_t n = pread(h->fd, chunk, READ_SIZE, (off_t)h->offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = err_errno(e, errno, "cannot read the blob %s", h->sha256);
        else if (n == 0)
            *done = true;
        else
            rc = digests_add(h->digests, chunk, (size_t)n, e);
        h->offset += n > 0 ? (uint64_t)n : 0;
    }
    if (rc == 0 && *done)
        rc = end(h, e);
    if (rc != 0)
        hashing_drop(h);
    return rc;
}

int ota_hashing_store(struct db *db, const struct hashing *h, struct err *e)
{
    return store_artifact_set_hashes(db, h->sha256, h->made.sha1, h->made.md5, e);
}
