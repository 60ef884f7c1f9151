/* What of a file a read would find in memory. */
#ifndef PQOTA_NET_CACHED_H
#define PQOTA_NET_CACHED_H

#include <stddef.h>
#include <stdint.h>

#define CACHED_MAX (1U << 20) /* what is looked at, at most */

/* How many bytes from there on are in the page cache, of the next n (> 0), which the file has; 0 also
   when that cannot be told. Nothing is read or copied. */
size_t cached_ahead(int fd, uint64_t offset, size_t n);

#endif
