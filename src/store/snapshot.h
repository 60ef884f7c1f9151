/* Whole copies of a database by SQLite's backup interface: one transaction each, other processes may be
   at work. */
#ifndef PQOTA_STORE_SNAPSHOT_H
#define PQOTA_STORE_SNAPSHOT_H

#include "store/db_open.h"

/* Copies all of `from` over what `to` holds. */
int snapshot_copy(struct db *from, struct db *to, struct err *e) MUST_CHECK;
/* Makes `path` (must not exist; mode 0600) a checked, flushed copy of `from`, one file without a log
   beside it. */
int snapshot_to_file(struct db *from, const char *path, struct err *e) MUST_CHECK;
/* PRAGMA quick_check. */
int snapshot_check(struct db *db, struct err *e) MUST_CHECK;
/* The database of `dir` as it is, into dir/backups/before-<version>-<time>/pqota.db; the `keep` newest
   stay. */
int snapshot_before_migration(const char *dir, int version, const struct clock *clock, int keep,
                              struct err *e) MUST_CHECK;

#endif
