#include "ota/catalogue.h"

#include "store/devices.h"

int ota_catalogue_show(struct db *db, struct arena *a, int64_t release, const char *model, struct release *out,
                       struct err *e)
{
    struct release r;
    int rc = store_release_by_pk(db, a, release, &r, e);
    if (rc == 0)
        rc = store_release_details(db, a, &r, e);
    if (rc != 0)
        return rc;
    bool visible = r.deleted_at == 0 && (model == NULL || (r.state == RELEASE_PUBLISHED && release_fits(&r, model)));
    if (!visible)
        return err_set(e, ERR_NOT_FOUND, "there is no firmware %lld", (long long)release);
    if (model != NULL)
        rc = store_release_sequence(db, r.pk, model, &r.sequence, e);
    if (rc == 0)
        *out = r;
    return rc;
}

int ota_catalogue_latest(struct db *db, struct arena *a, const char *model, struct release *out, struct err *e)
{
    struct release r;
    int rc = store_release_latest(db, a, model, &r, e);
    int64_t sequence = rc == 0 ? r.sequence : 0;
    if (rc == 0)
        rc = store_release_details(db, a, &r, e);
    if (rc != 0)
        return rc;
    r.sequence = sequence;
    *out = r;
    return 0;
}

int ota_catalogue_model(struct db *db, struct arena *a, const char *device_id, const char **model, struct err *e)
{
    struct device d;
    int rc = store_device_by_id(db, a, device_id, &d, e);
    if (rc == 0)
        *model = d.model;
    return rc;
}
