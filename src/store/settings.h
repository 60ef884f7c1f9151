/* Settings that are changed while the server runs: what has a row counts, whatever the configuration file
   says. Texts are put into the arena. */
#ifndef PQOTA_STORE_SETTINGS_H
#define PQOTA_STORE_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct db;

#define STORE_SETTINGS_MAX 64 /* rows that are read; there are fewer keys */

struct setting {
    const char *key, *value;
    int64_t changed_at; /* Unix milliseconds */
    const char *changed_by;
};

int store_setting_put(struct db *db, const struct setting *setting, struct err *e) MUST_CHECK;
/* One that is not there is no error. */
int store_setting_remove(struct db *db, const char *key, struct err *e) MUST_CHECK;
int store_setting_list(struct db *db, struct arena *a, struct setting **out, size_t *count,
                       struct err *e) MUST_CHECK;

#endif
