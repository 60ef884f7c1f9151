/* Deployments in JSON: read from a request, written into replies. */
#ifndef PQOTA_API_DEPLOYMENT_JSON_H
#define PQOTA_API_DEPLOYMENT_JSON_H

#include "api/encode.h"
#include "ota/deploy.h"

/* What POST /api/deployments asks for; a member that is unknown is refused, since one that is misspelt would
   change what is deployed where. Texts are the document's or in the call's arena. */
int deployment_read(struct call *c, yyjson_val *body, struct deploy *out) MUST_CHECK;

/* POST /api/deployments/preview */
int deployment_preview(struct call *c);

void deployment_put(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct deployment_view *v);
void deployment_put_action(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct action *a);
void deployment_put_member(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct member_row *r);

#endif
