/* The files of the slots installer: the link, the slots' content, and the note on a switch that is under
   way. */
#ifndef PQOTA_AGENT_SLOTS_H
#define PQOTA_AGENT_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pqota_client.h"

#define SLOTS_NAME_SIZE 2 /* "a", "b", or "" for none */

enum slots_phase {
    SLOTS_SWITCHING, /* the new slot is whole; the link may have been switched */
    SLOTS_RESTARTED, /* the new version was started and has until the deadline */
    SLOTS_RETURNING, /* it was not good */
};

struct slots_pending {
    enum slots_phase phase;
    char from[SLOTS_NAME_SIZE], to[SLOTS_NAME_SIZE];
    char version[PQOTA_NAME_SIZE];
    int64_t deadline; /* Unix seconds; 0 before SLOTS_RESTARTED */
    char boot[PQOTA_BOOT_SIZE];
    int64_t starts; /* boots since the switch */
    char why[PQOTA_TEXT_SIZE];
};

/* What `current` points to, "" when there is no such link. */
int slots_current(const char *dir, char out[SLOTS_NAME_SIZE], struct err *e) MUST_CHECK;
/* Points `current` to the slot, in one step; "" removes it. */
int slots_point(const char *dir, const char *slot, struct err *e) MUST_CHECK;

/* Makes the slot's folder and removes what is in it, its version first. */
int slots_empty(const char *slot, struct err *e) MUST_CHECK;
/* Copies the artifact to slot/firmware.bin. */
int slots_copy(int artifact, uint64_t size, const char *slot, struct err *e) MUST_CHECK;
/* Everything in the slot is on the disk afterwards. */
int slots_flush(const char *slot, struct err *e) MUST_CHECK;

/* ERR_NOT_FOUND: no switch is under way; ERR_CORRUPT: the note cannot be read. */
int slots_pending_read(const char *dir, struct slots_pending *out, struct err *e) MUST_CHECK;
int slots_pending_write(const char *dir, const struct slots_pending *p, struct err *e) MUST_CHECK;
int slots_pending_remove(const char *dir,
                         struct err *e) MUST_CHECK; /* with a confirmation, if there is one */

/* `pqota-agent confirm` leaves a note too; it is good for that slot and version only. */
int slots_confirm(const char *dir, const char *slot, const char *version, struct err *e) MUST_CHECK;
bool slots_confirmed(const char *dir, const char *slot, const char *version);

/* The first line of the boot id file. */
int slots_boot_id(const char *file, char out[PQOTA_BOOT_SIZE], struct err *e) MUST_CHECK;

#endif
