/* Brings a database to the newest version, one numbered step and one transaction at a time. */
#ifndef PQOTA_STORE_MIGRATE_H
#define PQOTA_STORE_MIGRATE_H

#include <stdbool.h>

#include "store/db_open.h"
#include "store/migrations.h"

/* *version is 0 for a database without anything in it. ERR_CONFLICT for a SQLite file that is not ours. */
int migrate_version(struct db *db, int *version, struct err *e) MUST_CHECK;
/* ERR_UNSUPPORTED when `version` is newer than the last of the list. */
int migrate_check(int version, const struct migration *list, size_t count, struct err *e) MUST_CHECK;
/* The steps that are missing. One that fails leaves the database as the step before it left it. */
int migrate_run(struct db *db, const struct migration *list, size_t count, struct err *e) MUST_CHECK;

#endif
