/* The update metadata that the agent keeps: a file a role in state_dir/trust/image and trust/director, byte
   for byte as it was served. */
#ifndef PQOTA_AGENT_METADATA_H
#define PQOTA_AGENT_METADATA_H

#include <limits.h>

#include "agent/files.h"
#include "pqota_trust.h"

#define METADATA_NAME_MAX 200 /* bytes of a role's name as a file; a longer one goes by its hash */

struct metadata {
    char image[PATH_MAX], director[PATH_MAX]; /* folders */
};

/* Names the folders; makes them and clears them of what a cut-off write left, if `make`. */
int metadata_open(struct metadata *m, const struct files *f, bool make, struct err *e) MUST_CHECK;
/* The file of a role, whose name may be any text. */
int metadata_path(const struct metadata *m, const char *repository, const char *role, char out[PATH_MAX],
                  struct err *e) MUST_CHECK;
/* `m` must outlive it. */
struct pqota_metadata metadata_callbacks(struct metadata *m);

#endif
