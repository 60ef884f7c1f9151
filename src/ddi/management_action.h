/* An action in hawkBit's words. */
#ifndef PQOTA_DDI_MANAGEMENT_ACTION_H
#define PQOTA_DDI_MANAGEMENT_ACTION_H

#include "ddi/management.h"
#include "model/deployment.h"
#include "ota/targets.h"

void management_put_action(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj,
                           const struct target_action *t);
/* A mode by hawkBit's word; false: it is none. */
bool management_mode_parse(struct str word, enum deployment_mode *out);
/* Of an entry of its history, by what the database calls it. */
const char *management_entry_type(const char *kind);

#endif
