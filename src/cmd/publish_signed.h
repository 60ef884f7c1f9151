/* From a draft to a published release: what is to be signed, and its signatures where the keys are. */
#ifndef PQOTA_CMD_PUBLISH_SIGNED_H
#define PQOTA_CMD_PUBLISH_SIGNED_H

#include <yyjson.h>

#include "base/hex.h"
#include "cmd/line.h"
#include "trust/custom.h"

struct publish_file { /* what was uploaded */
    const char *filename;
    char sha256[SHA256_HEX_SIZE];
    int64_t size;    /* bytes */
    struct str type; /* of its module */
};
struct publish_files { /* all of a release */
    const struct publish_file *list;
    size_t count;
    struct trust_custom terms; /* what is signed beside each; but model, sequence and type */
};

/* Those terms, as the line says them. CMD_USAGE, or 0. */
int publish_signed_line(const struct line_args *args, struct trust_custom *out) MUST_CHECK;

/*
 * Makes the signing request for a release that the server has just told of, from the files themselves and
 * from metadata that were verified. With --sign-with it is signed and uploaded, else written to a file.
 * Answers an exit code; *release is then what the server tells of the release (NULL: as before).
 */
int publish_signed(struct line_args *args, yyjson_val *draft, const struct publish_files *files,
                   yyjson_doc **release);

#endif
