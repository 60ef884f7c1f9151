/* Devices as hawkBit's management interface handles them. Any reader, unless said otherwise. */
#ifndef PQOTA_OTA_TARGETS_H
#define PQOTA_OTA_TARGETS_H

#include "base/identity.h"
#include "store/targets.h"

struct db;
struct ota;

int ota_target_show(struct ota *ota, struct db *db, struct arena *a, const char *id, struct target *out,
                    struct err *e) MUST_CHECK;
int ota_target_list(struct ota *ota, struct db *db, struct arena *a, const struct listing *q,
                    struct target **out, size_t *count, int64_t *total, struct err *e) MUST_CHECK;
/* *out has *count; the views live in the arena. */
int ota_target_attributes(struct db *db, struct arena *a, const char *id, struct filter_attribute **out,
                          size_t *count, struct err *e) MUST_CHECK;
/* id NULL: of any device. */
int ota_target_actions(struct db *db, struct arena *a, const char *id, const struct listing *q,
                       struct target_action **out, size_t *count, int64_t *total, struct err *e) MUST_CHECK;
int ota_target_action(struct db *db, struct arena *a, const char *id, int64_t action,
                      struct target_action *out, struct err *e) MUST_CHECK;
int ota_target_entries(struct db *db, struct arena *a, const char *id, int64_t action,
                       const struct listing *q, struct target_entry **out, size_t *count, int64_t *total,
                       struct err *e) MUST_CHECK;

/* Writer only. p NULL leaves what is there; want < 0 too. */
int ota_target_describe(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                        const char *id, struct str name, struct str description, int want,
                        struct err *e) MUST_CHECK;
/* Writer only: with all that hangs on it. ERR_CONFLICT: it has certificates. */
int ota_target_remove(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                      const char *id, struct err *e) MUST_CHECK;

#endif
