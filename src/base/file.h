/* Files: whole reads with a bound, and writes that are there whole or not at all after power loss. */
#ifndef PQOTA_BASE_FILE_H
#define PQOTA_BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Reads the whole of a regular file of at most `max` bytes into *out (an initialised buf; grown past its
   own bound if need be). The text is NUL-terminated. */
int file_read(const char *path, size_t max, struct buf *out, struct err *e) MUST_CHECK;

/* Writes data to a temporary file beside `path`, fsyncs it, renames it over `path`, fsyncs the folder. */
int file_write_atomic(const char *path, const void *data, size_t n, mode_t mode, struct err *e) MUST_CHECK;
/* As above but fails with ERR_CONFLICT when `path` exists (link, not rename). */
int file_create_atomic(const char *path, const void *data, size_t n, mode_t mode, struct err *e) MUST_CHECK;

/* write(2) until all of it is written. */
int file_write_all(int fd, const void *data, size_t n, const char *name, struct err *e) MUST_CHECK;
int file_fsync(int fd, const char *name, struct err *e) MUST_CHECK;
int file_fsync_dir(const char *dir, struct err *e) MUST_CHECK;
/* Makes `path` and the missing folders above it (those with mode 0755). An existing folder is fine. */
int file_mkdirs(const char *path, mode_t mode, struct err *e) MUST_CHECK;
bool file_exists(const char *path);
/* "dir/name" into out; ERR_TOO_LARGE when it does not fit. */
int file_join(char *out, size_t size, const char *dir, const char *name) MUST_CHECK;

#endif
