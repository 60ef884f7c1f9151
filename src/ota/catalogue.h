/* What is published, as seen by an operator (model NULL: everything) or by a device (its model alone). */
#ifndef PQOTA_OTA_CATALOGUE_H
#define PQOTA_OTA_CATALOGUE_H

#include "base/arena.h"
#include "store/releases.h"

struct ota;

/* With details, and the sequence for the model if one is given. ERR_NOT_FOUND in the same words whether it
   is not there, deleted, or for other models only. */
int ota_catalogue_show(struct db *db, struct arena *a, int64_t release, const char *model,
                       struct release *out, struct err *e) MUST_CHECK;
/* device_id: the device that asks, which sees its own model alone and needs not name it; NULL: an
   operator. */
int ota_catalogue_latest(struct db *db, struct arena *a, const char *device_id, const char *model,
                         struct release *out, struct err *e) MUST_CHECK;
/* As store_release_list, at one moment. */
int ota_catalogue_list(struct db *db, struct arena *a, const struct release_filter *filter, int64_t after,
                       size_t limit, struct release **out, size_t *count, bool *more,
                       struct err *e) MUST_CHECK;
/* The bytes of an artifact, for reading. FILE lane. A file that should be there and is not is ERR_CORRUPT.
   Others may have the same descriptor: it is read at offsets, and given back by ota_catalogue_close. */
int ota_catalogue_open(struct ota *ota, const struct artifact *file, int *fd, struct err *e) MUST_CHECK;
void ota_catalogue_close(void *ota, int fd); /* as struct http_file's done */
/* What may be seen by who asks: *model is what was asked for (NULL: not said), and then the device's own;
   ERR_DENIED when that is another one. device_id NULL: an operator, who sees what was asked for. */
int ota_catalogue_model(struct db *db, struct arena *a, const char *device_id, const char **model,
                        struct err *e) MUST_CHECK;

#endif
