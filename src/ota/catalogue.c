#include "ota/catalogue.h"

#include <string.h>

#include "ota/ota.h"
#include "store/blobs.h"
#include "store/db.h"
#include "store/devices.h"

static int show(struct db *db, struct arena *a, int64_t release, const char *model, struct release *out,
                struct err *e)
{
    struct release r;
    int rc = store_release_by_pk(db, a, release, &r, e);
    if (rc == 0)
        rc = store_release_details(db, a, &r, e);
    if (rc != 0)
        return rc;
    bool visible =
        r.deleted_at == 0 && (model == NULL || (r.state == RELEASE_PUBLISHED && release_fits(&r, model)));
    if (!visible)
        return err_set(e, ERR_NOT_FOUND, "there is no firmware %lld", (long long)release);
    if (model != NULL)
        rc = store_release_sequence(db, r.pk, model, &r.sequence, e);
    if (rc == 0)
        *out = r;
    return rc;
}

int ota_catalogue_show(struct db *db, struct arena *a, int64_t release, const char *model,
                       struct release *out, struct err *e)
{
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = show(db, a, release, model, out, e);
    db_read_end(db);
    return rc;
}

/* A device sees what is for its own model, and needs not name it. */
static int seen_model(struct db *db, struct arena *a, const char *device_id, const char **model,
                      struct err *e)
{
    const char *asked = *model;
    if (device_id == NULL)
        return 0;
    int rc = store_device_model(db, a, device_id, model, e);
    if (rc == 0 && asked != NULL && strcmp(asked, *model) != 0)
        return err_set(e, ERR_DENIED, "model=: this device is a %s and sees firmware for that alone", *model);
    return rc;
}

int ota_catalogue_model(struct db *db, struct arena *a, const char *device_id, const char **model,
                        struct err *e)
{
    const char *seen = *model;
    int rc = seen_model(db, a, device_id, &seen, e);
    if (rc == 0)
        *model = seen;
    return rc;
}

int ota_catalogue_latest(struct db *db, struct arena *a, const char *device_id, const char *model,
                         struct release *out, struct err *e)
{
    if (device_id != NULL && model == NULL) /* what devices ask over and over */
        return store_release_latest_of(db, a, device_id, out, e);
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = seen_model(db, a, device_id, &model, e);
    if (rc == 0 && model == NULL)
        rc = err_set(e, ERR_INVALID, "model=: say for which model");
    if (rc == 0)
        rc = store_release_latest_whole(db, a, model, out, e);
    db_read_end(db);
    return rc;
}

int ota_catalogue_list(struct db *db, struct arena *a, const struct release_filter *filter, int64_t after,
                       size_t limit, struct release **out, size_t *count, bool *more, struct err *e)
{
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = store_release_list(db, a, filter, after, limit, out, count, more, e);
    db_read_end(db);
    return rc;
}

int ota_catalogue_open(struct ota *ota, const struct artifact *file, int *fd, struct err *e)
{
    int opened;
    uint64_t size;
    int rc = blob_share(ota->store, file->sha256, &opened, &size, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_CORRUPT,
                       "the file %s (%s) is missing in the blob store: publish it again or restore it",
                       file->filename, file->sha256);
    if (rc != 0)
        return rc;
    if (size != (uint64_t)file->size) {
        blob_give_back(ota->store, opened);
        return err_set(e, ERR_CORRUPT,
                       "the file %s (%s) has %llu bytes in the blob store and should have %lld",
                       file->filename, file->sha256, (unsigned long long)size, (long long)file->size);
    }
    *fd = opened;
    return 0;
}

void ota_catalogue_close(void *ota, int fd)
{
    blob_give_back(((struct ota *)ota)->store, fd);
}
