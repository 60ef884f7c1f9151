/* Percent-encoding (RFC 3986 section 2.1) of names that become file names and URLs. */
#ifndef PQOTA_TUF_QUOTE_H
#define PQOTA_TUF_QUOTE_H

#include <stdbool.h>

#include "base/str.h"

/* Everything but letters, digits and "-._~" becomes %XX; a "/" stays where it is kept. NUL-terminated;
   ERR_TOO_LARGE when it does not fit. */
int quote(struct str name, bool keep_slash, char *out, size_t size) MUST_CHECK;
/* "dir/<name, encoded><ending>": one file in that folder whatever the name is, "." and ".." too. */
int quote_path(const char *dir, struct str name, const char *ending, char *out, size_t size,
               struct err *e) MUST_CHECK;

#endif
