/* What `pqota device` and `pqota why` share. */
#ifndef PQOTA_CMD_DEVICE_H
#define PQOTA_CMD_DEVICE_H

#include "cmd/operate.h"

/* "3 min ago, over post-quantum TLS": when a device was last seen, and how it came. */
const char *device_seen(struct operate *op, yyjson_val *device);
/* "deployment 3: the device's phase is not open yet" of what its poll was answered. */
const char *device_reason(struct operate *op, yyjson_val *reason);

int device_add(struct line_args *args);
int device_token(struct line_args *args);
int device_release(struct line_args *args);
int device_set(struct line_args *args);
extern const struct line_option device_set_options[];

#endif
