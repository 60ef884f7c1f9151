/*
 * Which roots have a name. A proxy tells who issued a certificate by the issuer's name alone; what counts is
 * the issuer's key, so each name leads to the keys of the roots that have it: while roots change there may be
 * several. Thread-safe.
 */
#ifndef PQOTA_OTA_ISSUERS_H
#define PQOTA_OTA_ISSUERS_H

#include <stddef.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/str.h"

#define ISSUERS_MAX 32       /* roots, devices' and operators' together */
#define ISSUERS_NAME_MAX 512 /* bytes of a name, RFC 2253 */

struct issuers;

int issuers_new(struct issuers **out, struct err *e) MUST_CHECK;
void issuers_free(struct issuers *i);

/* What one name and the key id of the root that has it are, copied. */
struct issuer_row {
    const char *name, *key_id;
};
/* Whether they can be set: ERR_TOO_LARGE. */
int issuers_check(const struct issuer_row *rows, size_t count, struct err *e) MUST_CHECK;
/* Replaces all by rows that were checked. */
void issuers_set(struct issuers *i, const struct issuer_row *rows, size_t count);
/* Copies the key ids of the roots of that name, at most ISSUERS_MAX; answers how many. */
size_t issuers_find(struct issuers *i, struct str name, char key_ids[ISSUERS_MAX][SHA256_HEX_SIZE]);

#endif
