/*
 * Secrets that the database keeps and must be able to show again (devices' tokens): sealed with AES-256-GCM
 * (SP 800-38D) under a key that is a file of its own, so that the database or a backup of it tells nobody.
 */
#ifndef PQOTA_KEYS_SEAL_H
#define PQOTA_KEYS_SEAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define SEAL_KEY_SIZE 32
#define SEAL_PLAIN_MAX 4096
#define SEAL_OVERHEAD (1 + 12 + 16) /* version, nonce, tag: what sealing adds */

struct sealer; /* immutable, usable by several threads */

/* Reads the key, a file of 32 bytes that others may not read (ERR_INVALID). create: one that is missing is
   made, mode 0600; else it is ERR_NOT_FOUND. */
int sealer_open(const char *path, bool create, struct sealer **out, struct err *e) MUST_CHECK;
void sealer_free(struct sealer *s); /* NULL is fine */

/* Appends the sealed form of `plain` (at most SEAL_PLAIN_MAX bytes). ad: what it belongs to (a device's
   id): it opens with the same alone, so that nobody moves it to another row. */
int seal(const struct sealer *s, struct str ad, struct str plain, struct buf *out, struct err *e) MUST_CHECK;
/* Appends what was sealed; the caller wipes it when it is done (seal_wipe). ERR_CORRUPT: not sealed by this
   key for this ad, or changed since. */
int unseal(const struct sealer *s, struct str ad, struct str sealed, struct buf *out,
           struct err *e) MUST_CHECK;

/* buf_fini that leaves no bytes behind. */
void seal_wipe(struct buf *b);
#define auto_wiped_buf __attribute__((cleanup(seal_wipe)))

#endif
