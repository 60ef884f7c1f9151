#include "ota/attributes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "ota/announce.h"
#include "ota/ota.h"
#include "ota/settings.h"
#include "ota/version.h"
#include "store/attributes.h"
#include "store/candidates.h"
#include "store/devices.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for a device's attributes");
}

/* --- what is sent -------------------------------------------------------------------------------------- */

/* A number or a boolean as it would be written. */
static int scalar(yyjson_val *v, struct arena *a, struct str *out, struct err *e)
{
    auto_free char *text = yyjson_val_write(v, YYJSON_WRITE_NOFLAG, NULL);
    const char *copy = text != NULL ? arena_dup_str(a, str_of(text)) : NULL;
    if (copy == NULL)
        return no_memory(e);
    *out = str_of(copy);
    return 0;
}

static int keep(struct str s, struct arena *a, struct str *out, struct err *e)
{
    const char *copy = arena_dup(a, s.p, s.n);
    if (copy == NULL)
        return no_memory(e);
    *out = (struct str){.p = copy, .n = s.n};
    return 0;
}

static int read_one(yyjson_val *key, yyjson_val *value, struct arena *a, struct attribute *out, struct err *e)
{
    struct attribute t = {.value = {.p = NULL, .n = 0}};
    struct str name = json_text(key);
    int rc = keep(name, a, &t.key, e);
    if (rc == 0 && yyjson_is_str(value))
        rc = keep(json_text(value), a, &t.value, e);
    else if (rc == 0 && (yyjson_is_num(value) || yyjson_is_bool(value)))
        rc = scalar(value, a, &t.value, e);
    else if (rc == 0 && !yyjson_is_null(value))
        rc = err_set(e, ERR_INVALID, "the attribute \"%.*s\" must be a string",
                     (int)(name.n < 64 ? name.n : 64), name.p);
    if (rc == 0)
        *out = t;
    return rc;
}

int ota_attributes_read(yyjson_val *data, struct arena *a, struct attribute **out, size_t *count,
                        struct err *e)
{
    if (!yyjson_is_obj(data))
        return err_set(e, ERR_INVALID, "attributes are an object of keys with values");
    size_t n = yyjson_obj_size(data);
    if (n > ATTRIBUTES_MAX)
        return err_set(e, ERR_TOO_LARGE, "a device has at most %d attributes, and %zu were sent",
                       ATTRIBUTES_MAX, n);
    struct attribute *list = arena_array(a, struct attribute, n + 1);
    if (list == NULL)
        return no_memory(e);
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(data, i, max, key, value)
    {
        int rc = read_one(key, value, a, &list[i], e);
        if (rc != 0)
            return rc;
    }
    *out = list;
    *count = n;
    return 0;
}

/* --- what may be one ----------------------------------------------------------------------------------- */

static bool fits(struct str s)
{
    return str_is_text(s) && str_characters(s) <= ATTRIBUTE_TEXT_MAX;
}

static int check(const struct attribute *list, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        const struct attribute *t = &list[i];
        if (t->key.n == 0 || !fits(t->key))
            return err_set(e, ERR_INVALID,
                           "an attribute's key has 1 to %d characters, none of them a control character",
                           ATTRIBUTE_TEXT_MAX);
        if (t->value.n > 0 && !fits(t->value))
            return err_set(
                e, ERR_INVALID,
                "the attribute \"%.*s\": a value has at most %d characters, none of them a control character",
                (int)(t->key.n < 64 ? t->key.n : 64), t->key.p, ATTRIBUTE_TEXT_MAX);
    }
    return 0;
}

/* --- how many there will be ---------------------------------------------------------------------------- */

static bool has(const struct filter_attribute *list, size_t count, struct str key)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i].key, key))
            return true;
    return false;
}

static int check_room(struct db *db, struct arena *a, const struct device *d, enum attributes_mode mode,
                      const struct attribute *list, size_t count, struct err *e)
{
    struct filter_attribute *there;
    size_t there_count = 0;
    int rc = store_device_attributes(db, a, d->pk, &there, &there_count, e);
    if (rc != 0)
        return rc;
    size_t n = mode == ATTRIBUTES_REPLACE ? 0 : there_count;
    for (size_t i = 0; i < count; i++) {
        bool known = mode == ATTRIBUTES_MERGE && has(there, there_count, list[i].key);
        if (list[i].value.p != NULL)
            n += !known;
        else
            n -= known;
    }
    if (n > ATTRIBUTES_MAX)
        return err_set(e, ERR_TOO_LARGE, "a device has at most %d attributes, and this would be %zu",
                       ATTRIBUTES_MAX, n);
    return 0;
}

/* --- writing ------------------------------------------------------------------------------------------- */

static int write_all(struct db *db, int64_t device, enum attributes_mode mode, const struct attribute *list,
                     size_t count, struct err *e)
{
    int rc = mode == ATTRIBUTES_REPLACE ? store_attributes_clear(db, device, e) : 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct attribute *t = &list[i];
        if (mode != ATTRIBUTES_REMOVE && t->value.p != NULL)
            rc = store_attribute_set(db, device, t->key, t->value, e);
        else
            rc = store_attribute_remove(db, device, t->key, e);
    }
    return rc;
}

const char *ota_attribute_of_version(struct ota *ota, struct arena *a)
{
    struct ddi_settings s;
    settings_get(ota->settings, &s);
    return arena_dup_str(a, str_of(s.version_attribute));
}

/* A text that is no version of ours stays an attribute like others. */
static int take_version(struct ota *ota, struct db *db, struct arena *a, struct device *d,
                        const struct attribute *list, size_t count, bool *changed, struct err *e)
{
    const char *name = ota_attribute_of_version(ota, a);
    if (name == NULL)
        return no_memory(e);
    for (size_t i = 0; i < count; i++) {
        if (!str_is(list[i].key, name) || !str_is_name(list[i].value))
            continue;
        const char *version = arena_dup_str(a, list[i].value);
        return version != NULL ? ota_version_reported(ota, db, a, d, version, changed, e) : no_memory(e);
    }
    return 0;
}

static int set(struct db *db, struct arena *a, const struct device *d, enum attributes_mode mode,
               const struct attribute *list, size_t count, struct err *e)
{
    int rc = check(list, count, e);
    if (rc == 0 && mode != ATTRIBUTES_REMOVE)
        rc = check_room(db, a, d, mode, list, count, e);
    if (rc == 0)
        rc = write_all(db, d->pk, mode, list, count, e);
    return rc;
}

int ota_attributes_set(struct ota *ota, struct db *db, struct arena *a, const struct device *d,
                       enum attributes_mode mode, const struct attribute *list, size_t count, struct err *e)
{
    int rc = set(db, a, d, mode, list, count, e);
    return rc != 0 ? rc : announce_device(ota, db, d->pk, e);
}

int ota_attributes_told(struct ota *ota, struct db *db, struct arena *a, const char *device_id,
                        enum attributes_mode mode, const struct attribute *list, size_t count, struct err *e)
{
    struct device d;
    bool moved = false;
    int rc = store_device_by_id(db, a, device_id, &d, e);
    if (rc == 0)
        rc = set(db, a, &d, mode, list, count, e);
    if (rc == 0 && d.attributes_wanted == ATTRIBUTES_WANTED) /* what it says may give cause for doubt */
        rc = store_device_set_attributes_wanted(db, d.pk, ATTRIBUTES_TOLD, e);
    if (rc == 0 && mode != ATTRIBUTES_REMOVE)
        rc = take_version(ota, db, a, &d, list, count, &moved, e);
    if (rc == 0 && moved && d.attributes_wanted == ATTRIBUTES_DOUBTED)
        rc = store_device_set_attributes_wanted(db, d.pk, ATTRIBUTES_TOLD, e);
    return rc != 0 ? rc : announce_device(ota, db, d.pk, e);
}
