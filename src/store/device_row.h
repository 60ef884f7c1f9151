/* How devices are read: the columns, and the row that begins with them. */
#ifndef PQOTA_STORE_DEVICE_ROW_H
#define PQOTA_STORE_DEVICE_ROW_H

#include "model/device.h"
#include "store/db.h"

#define DEVICE_COLUMNS                                                                                       \
    "d.pk, d.id, d.model, d.version, d.version_at, d.created_at, d.last_seen_at, d.revoked_at, d.name,"      \
    " d.interface = 'ddi', d.certified_at, d.transport, d.attributes_wanted, d.utc_offset, d.reason,"        \
    " d.reason_deployment, d.reason_at, d.version_assumed"
#define DEVICE_COLUMN_COUNT 18

/* The first columns of the row at hand. */
struct device device_row_read(struct stmt *s, struct arena *a, bool *oom);

#endif
