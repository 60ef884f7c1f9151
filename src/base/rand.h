/* Random bytes from the kernel, fit for keys and tokens. */
#ifndef PQOTA_BASE_RAND_H
#define PQOTA_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

int rand_bytes(void *out, size_t n, struct err *e) MUST_CHECK;
/* For spreading in time and nothing else: without the kernel's bytes it is the clock's lowest digits. */
uint32_t rand_spread(void);

#endif
