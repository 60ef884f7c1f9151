/* What `pqota device` does with tokens; see device.c for the rest of it. */
#ifndef PQOTA_CMD_DEVICE_H
#define PQOTA_CMD_DEVICE_H

#include "cmd/operate.h"

int device_add(struct line_args *args);
int device_token(struct line_args *args);
int device_release(struct line_args *args);

#endif
