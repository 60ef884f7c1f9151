/*
 * OLPC canonical JSON: what a TUF signature is over. Members sorted by their names' bytes, no spaces, in
 * strings only `"` and `\` escaped, integers alone. A float, a name that is there twice, and nesting deeper
 * than CANON_DEPTH_MAX are refused: the same bytes mean one thing.
 */
#ifndef PQOTA_TRUST_CANON_H
#define PQOTA_TRUST_CANON_H

#include <yyjson.h>

#include "base/err.h"
#include "base/str.h"
#include "trust/space.h"

#define CANON_DEPTH_MAX 32

/* The canonical form of v, taken from `space` (it is never longer than the text that v was read from). */
int canon_write(yyjson_val *v, struct trust_space *space, struct str *out, struct err *e) MUST_CHECK;

#endif
