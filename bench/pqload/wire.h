/* What a connection moved, as TCP counts it: TLS and all, what was sent twice only once. */
#ifndef BENCH_PQLOAD_WIRE_H
#define BENCH_PQLOAD_WIRE_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes received and sent since it was opened; false when the kernel does not say. */
bool wire_bytes(int fd, uint64_t *in, uint64_t *out);

#endif
