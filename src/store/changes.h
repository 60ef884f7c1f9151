/*
 * Which devices the writer's commits have changed: what a reader keeps of a device in memory holds for as
 * long as nothing in the database that belongs to that device was changed. A device is not known by itself
 * but by a bucket that it shares with others: then something is read again without need, never the other way
 * round.
 *
 * Commits have numbers. A reader takes changes_number before it begins to look, and what it found then holds
 * until changes_since says otherwise. From before a commit until after it, what it touched counts as changed,
 * so that nobody sees the old after somebody has seen the new.
 */
#ifndef PQOTA_STORE_CHANGES_H
#define PQOTA_STORE_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct changes;
struct db;

/* NULL: no memory (half a MiB, of which small fleets touch little). */
struct changes *changes_new(void);
void changes_free(struct changes *c);

/* --- the writer's thread alone ------------------------------------------------------------------------ */

/* From here on notes each row that is written through that connection, which c must outlive. */
int changes_watch(struct changes *c, struct db *writer, struct err *e) MUST_CHECK;
/* Right before a COMMIT, and right after it or after the transaction's other end. */
void changes_before_commit(struct changes *c);
void changes_after_commit(struct changes *c);
/* Another process has changed nobody knows what. */
void changes_all(struct changes *c);

/* --- any thread --------------------------------------------------------------------------------------- */

uint64_t changes_number(const struct changes *c);
/* Whether anything of the device with that pk may have changed since the number was taken. */
bool changes_since(const struct changes *c, int64_t device, uint64_t number);

#endif
