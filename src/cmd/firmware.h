/* What the sub-verbs of `pqota firmware` share. */
#ifndef PQOTA_CMD_FIRMWARE_H
#define PQOTA_CMD_FIRMWARE_H

#include "cmd/operate.h"

/* A release named on the command line: an id, NAME@VERSION, or NAME and VERSION as two words. */
struct firmware_name {
    int64_t id;       /* 0: by name and version */
    const char *name; /* in the operation's arena */
    const char *version;
};
int firmware_parse_name(const char *first, const char *second, struct arena *a, struct firmware_name *out,
                        struct err *e) MUST_CHECK;

/* A release as the server has it: the one named so, or that the sub-verb's operands name. */
int firmware_find_named(struct operate *op, const struct firmware_name *n, yyjson_doc **doc,
                        yyjson_val **release) MUST_CHECK;
int firmware_find(struct operate *op, yyjson_doc **doc, yyjson_val **release) MUST_CHECK;
/* Properties of a release for a person, or JSON. Answers an exit code. */
int firmware_show(struct operate *op, yyjson_val *release);

int firmware_publish(struct line_args *args);
int firmware_sign(struct line_args *args);
int firmware_download(struct line_args *args);

#endif
