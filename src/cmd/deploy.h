/* What the options of `pqota deploy` say, as members of the body of POST /api/deployments. */
#ifndef PQOTA_CMD_DEPLOY_H
#define PQOTA_CMD_DEPLOY_H

#include "base/json.h"
#include "cmd/line.h"

/* 0, or CMD_USAGE with the reason said. now_ms: Unix milliseconds, what "+4h" counts from. The release that
   --rollback names is not among them: it has to be asked for. */
int deploy_add_policy(const struct line_args *args, int64_t now_ms, yyjson_mut_doc *doc,
                      yyjson_mut_val *body) MUST_CHECK;

/* The phases of --phase, with one more for the rest if the last of them does not take it. */
int deploy_add_phases(const struct line_args *args, yyjson_mut_doc *doc, yyjson_mut_val *body) MUST_CHECK;

/* "name=canary,count=10,success=90,errors=5%" as a phase; *takes: it takes only a part of the devices. */
int deploy_read_phase(struct str text, yyjson_mut_doc *doc, yyjson_mut_val *phase, bool *takes,
                      struct err *e) MUST_CHECK;

extern const struct line_option deploy_options[];

#endif
