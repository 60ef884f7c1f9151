/* What the files of `pqota trust` share. */
#ifndef PQOTA_CMD_TRUST_H
#define PQOTA_CMD_TRUST_H

#include "cmd/holders.h"
#include "cmd/operate.h"
#include "trust/request.h"

#define TRUST_ROOT_DAYS 1826  /* 5 years */
#define TRUST_TARGETS_DAYS 90 /* targets and delegated roles */
#define TRUST_ARENA_MAX (256u << 20)
#define TRUST_SPACE_SIZE (96u << 20) /* for documents that are read: touched as far as it is used */

/* Sends a signed file, and looks at what the server then serves. answer: its JSON. */
int trust_upload(struct operate *op, struct str text, yyjson_doc **answer) MUST_CHECK;

int trust_verb_init(struct line_args *args);
int trust_verb_sign(struct line_args *args);
int trust_verb_show(struct line_args *args);
int trust_verb_rotate(struct line_args *args);
int trust_verb_renew(struct line_args *args);
int trust_verb_upload(struct line_args *args);

#endif
