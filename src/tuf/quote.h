/* Names of any text that become file names. */
#ifndef PQOTA_TUF_QUOTE_H
#define PQOTA_TUF_QUOTE_H

#include "base/str.h"

/* "dir/<name, encoded><ending>": one file in that folder whatever the name is, "." and ".." too. */
int quote_path(const char *dir, struct str name, const char *ending, char *out, size_t size,
               struct err *e) MUST_CHECK;

#endif
