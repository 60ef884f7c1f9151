/* What store_asking has read, kept with a reader's connection for as long as it holds (store/changes.h). */
#ifndef PQOTA_STORE_ASKING_MEMO_H
#define PQOTA_STORE_ASKING_MEMO_H

#include "store/asking.h"

/* True: *out is what would be read now. False: it has to be read. */
bool asking_recall(struct db *db, struct arena *a, const char *id, enum asking_for what, struct asking *out);
/* Keeps what was read since db_number gave that number. Without memory nothing is kept. */
void asking_keep(struct db *db, uint64_t number, enum asking_for what, const struct asking *k);

#endif
