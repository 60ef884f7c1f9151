/* What must hold of deployments, their devices and actions at any time, asked of the database. */
#ifndef PQOTA_TESTS_OTA_ROLLOUT_RULES_H
#define PQOTA_TESTS_OTA_ROLLOUT_RULES_H

#include <stdbool.h>
#include <stddef.h>

struct db;

/* The first rule that is broken is named in wrong; all: also those that take long. */
void rollout_rules_check(struct db *db, bool all, char *wrong, size_t size);

#endif
