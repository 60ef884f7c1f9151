#include "ota/device.h"

#include "model/filter.h"
#include "ota/announce.h"
#include "ota/crl.h"
#include "ota/finish.h"
#include "ota/ota.h"
#include "ota/principal.h"
#include "ota/seen.h"
#include "store/candidates.h"
#include "store/certificates.h"
#include "store/devices.h"
#include "store/events.h"

int ota_device_list(struct ota *ota, struct db *db, struct arena *a, const struct device_query *query,
                    struct device **out, size_t *count, const char **looked, struct err *e)
{
    const struct filter *matching = NULL;
    int rc = query->filter.p != NULL ? filter_parse(query->filter, a, &matching, e) : 0;
    if (rc != 0)
        return rc;
    const struct device_filter filter = {
        .filter = matching,
        .now_ms = clock_unix_ms(ota->clock),
        .model = query->model,
        .tag = query->tag,
        .version = query->version,
        .prefix = query->prefix,
        .revoked = query->revoked,
        .after = query->after,
        .limit = query->limit,
    };
    rc = store_device_list(db, a, &filter, out, count, looked, e);
    for (size_t i = 0; rc == 0 && i < *count; i++)
        seen_show(ota->seen, &(*out)[i], filter.now_ms);
    return rc;
}

int ota_device_show(struct ota *ota, struct db *db, struct arena *a, const char *id, struct device *out,
                    struct certificate **certificates, size_t *certificate_count, struct err *e)
{
    struct device d;
    struct filter_attribute *attributes;
    int rc = store_device_show(db, a, id, &d, e);
    if (rc == 0)
        rc = store_device_attributes(db, a, d.pk, &attributes, &d.attribute_count, e);
    if (rc == 0)
        rc = store_certificate_by_device(db, a, d.pk, certificates, certificate_count, e);
    if (rc != 0)
        return rc;
    d.attributes = attributes;
    seen_show(ota->seen, &d, clock_unix_ms(ota->clock));
    *out = d;
    return 0;
}

static int find(struct db *db, struct arena *a, const char *id, struct device *out, struct err *e)
{
    int rc = store_device_by_id(db, a, id, out, e);
    return rc == ERR_NOT_FOUND ? err_set(e, rc, "there is no device \"%s\"", id) : rc;
}

int ota_device_history(struct db *db, struct arena *a, const char *id, const char *after, size_t limit,
                       struct device_history **out, size_t *count, struct err *e)
{
    struct device d;
    int rc = find(db, a, id, &d, e);
    return rc != 0 ? rc : store_device_history(db, a, &d, after, limit, out, count, e);
}

int ota_device_tag(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                   const char *id, const char *tag, struct err *e)
{
    if (!str_is_name(str_of(tag)))
        return err_set(
            e, ERR_INVALID,
            "a tag begins with a letter or digit, then letters, digits and . _ + ~ -, 128 bytes at most");
    struct device d;
    bool changed = false;
    int64_t tags = 0;
    int rc = find(db, a, id, &d, e);
    if (rc == 0)
        rc = store_device_tag(db, &d, tag, &changed, e);
    if (rc != 0 || !changed)
        return rc;
    rc = store_device_tag_count(db, d.pk, &tags, e);
    if (rc == 0 && tags > DEVICE_TAGS_MAX)
        return err_set(e, ERR_CONFLICT, "device \"%s\" has %d tags already; remove one first", id,
                       DEVICE_TAGS_MAX);
    if (rc == 0)
        rc = store_event_add(db, clock_unix_ms(ota->clock), "device.tagged", identity_name(who), id, tag, e);
    return rc != 0 ? rc : announce_device(ota, db, d.pk, e);
}

int ota_device_untag(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                     const char *id, const char *tag, struct err *e)
{
    struct device d;
    bool changed = false;
    int rc = find(db, a, id, &d, e);
    if (rc == 0)
        rc = store_device_untag(db, &d, tag, &changed, e);
    if (rc != 0 || !changed)
        return rc;
    rc = store_event_add(db, clock_unix_ms(ota->clock), "device.untagged", identity_name(who), id, tag, e);
    return rc != 0 ? rc : announce_device(ota, db, d.pk, e);
}

int ota_device_describe(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                        const char *id, const struct device_words *w, struct err *e)
{
    struct device d;
    const char *description = NULL;
    if (w->set_name && (w->name.n > DEVICE_NAME_MAX || (w->name.n > 0 && !str_is_text(w->name))))
        return err_set(e, ERR_INVALID, "a device's name is a text of at most %d bytes", DEVICE_NAME_MAX);
    const char *name = w->set_name && w->name.n > 0 ? arena_dup_str(a, w->name) : NULL;
    if (w->set_name && w->name.n > 0 && name == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a device's name");
    int rc = find(db, a, id, &d, e);
    if (rc == 0 && w->set_name)
        rc = store_device_description(db, a, d.pk, &description, e);
    if (rc == 0 && w->set_name)
        rc = store_device_describe(db, d.pk, name, description, e);
    if (rc == 0 && w->set_offset)
        rc = store_device_set_offset(db, d.pk, w->utc_offset, e);
    if (rc == 0)
        rc = store_event_add(db, clock_unix_ms(ota->clock), "device.described", identity_name(who), id,
                             name != NULL ? name : "", e);
    return rc != 0 ? rc : announce_device(ota, db, d.pk, e);
}

/* The list with what the device says that it runs, if it does. */
static int keep_version(struct db *db, struct arena *a, const struct device *d, const char *version,
                        const struct attribute **list, size_t *count, struct err *e)
{
    struct filter_attribute *there;
    size_t n, i = 0;
    int rc = store_device_attributes(db, a, d->pk, &there, &n, e);
    while (rc == 0 && i < n && !str_is(there[i].key, version))
        i++;
    if (rc != 0 || i == n)
        return rc;
    struct attribute *all = arena_array(a, struct attribute, *count + 1);
    if (all == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a device's attributes");
    for (size_t k = 0; k < *count; k++)
        all[k] = (*list)[k];
    all[(*count)++] = (struct attribute){.key = there[i].key, .value = there[i].value};
    *list = all;
    return 0;
}

int ota_device_set_attributes(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                              const char *id, enum attributes_mode mode, const struct attribute *list,
                              size_t count, struct err *e)
{
    struct device d;
    const char *version = ota_attribute_of_version(ota, a);
    if (version == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a device's attributes");
    for (size_t i = 0; i < count; i++)
        if (str_is(list[i].key, version))
            return err_set(e, ERR_DENIED,
                           "the attribute \"%s\" is what the device says that it runs: it alone "
                           "may change it",
                           version);
    int rc = find(db, a, id, &d, e);
    if (rc == 0 && mode == ATTRIBUTES_REPLACE)
        rc = keep_version(db, a, &d, version, &list, &count, e);
    if (rc == 0)
        rc = ota_attributes_set(ota, db, a, &d, mode, list, count, e);
    return rc != 0 ? rc
                   : store_event_add(db, clock_unix_ms(ota->clock), "device.attributes", identity_name(who),
                                     id, "", e);
}

/* In the database and, if it is kept there too, in memory: early if the commit should fail, never late. */
static int revoke_certificates(struct ota *ota, struct db *db, int64_t device, const char *reason,
                               int64_t now, struct err *e)
{
    for (;;) {
        auto_arena struct arena a;
        arena_init(&a, 1 << 20);
        struct certificate *list;
        size_t count = 0;
        int rc = store_certificate_live(db, &a, device, 0, 0, &list, &count, e);
        for (size_t i = 0; i < count && rc == 0; i++) {
            rc = store_certificate_revoke(db, list[i].issuer, list[i].serial, now, reason, e);
            if (rc == 0)
                rc = principals_revoke(ota->principals, list[i].issuer, list[i].serial,
                                       list[i].not_after / 1000, now / 1000, e);
        }
        if (rc != 0 || count == 0)
            return rc;
    }
}

int ota_device_revoke(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                      const char *id, const char *reason, struct err *e)
{
    struct device d;
    int64_t now = clock_unix_ms(ota->clock);
    if (reason == NULL || reason[0] == '\0')
        reason = "revoked";
    int rc = find(db, a, id, &d, e);
    if (rc != 0)
        return rc;
    if (d.revoked_at == 0) { /* its release could never be deleted, and let in again it would go on with it */
        rc = store_device_set_revoked(db, d.pk, now, e);
        if (rc == 0)
            rc = ota_device_ends(ota, db, d.pk, "the device was revoked", e);
        if (rc == 0)
            rc = store_event_add(db, now, "device.revoked", identity_name(who), id, reason, e);
        if (rc == 0)
            rc = announce_device(ota, db, d.pk, e);
    }
    if (rc == 0)
        rc = revoke_certificates(ota, db, d.pk, reason, now, e);
    if (rc == 0)
        rc = principals_revoke_device(ota->principals, id, e);
    if (rc == 0)
        crl_touch(ota->crl);
    else
        principals_mark_stale(ota->principals); /* undone here, but maybe not in memory */
    return rc;
}
