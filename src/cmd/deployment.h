/* A deployment as a person sees it; shared by `pqota deploy` and `pqota deployment`. */
#ifndef PQOTA_CMD_DEPLOYMENT_H
#define PQOTA_CMD_DEPLOYMENT_H

#include "cmd/operate.h"

/* JSON or a list of properties; answers an exit code. */
int deployment_print(struct operate *op, yyjson_doc *doc);
/* "model gw1", "all devices"; in the operation's arena. */
const char *deployment_target(struct operate *op, yyjson_val *deployment);
/* "2 offered, 1 succeeded" of an object that counts by state; "-" when all are zero. */
const char *deployment_counts(struct operate *op, yyjson_val *counts);

#endif
