/* How the management interface shows modules, their files, and sets of them. */
#ifndef PQOTA_DDI_MANAGEMENT_JSON_H
#define PQOTA_DDI_MANAGEMENT_JSON_H

#include "ddi/management.h"
#include "ota/modules.h"

void management_put_module(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct module *m);
void management_put_file(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj,
                         const struct module_artifact *f);
void management_put_set(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct set *s);

#endif
