/*
 * A signed file comes back: roots, targets and delegated roles that their holders signed offline. All of it
 * is checked against what is in force, the drafts that it vouches for are published, snapshot and timestamp
 * are signed over it, and either all of that happens or nothing.
 *
 * Three steps: accept_look on a reader, accept_check on a worker for signatures, accept_write in the writer,
 * which refuses (ERR_CONFLICT) when anything changed between.
 */
#ifndef PQOTA_OTA_TRUST_ACCEPT_H
#define PQOTA_OTA_TRUST_ACCEPT_H

#include "base/identity.h"
#include "model/release.h"
#include "ota/ota.h"
#include "store/metadata.h"
#include "trust/request.h"

#define ACCEPT_RELEASES_MAX 1000 /* published by one file */

struct trust_accept;

/* Freed with accept_free (NULL is fine). */
int accept_new(struct ota *ota, struct trust_accept **out, struct err *e) MUST_CHECK;
void accept_free(struct trust_accept *t);

/* `file`, as trust/request.h has it. ERR_DENIED: only an admin brings roots. ERR_BUSY: from here to
   accept_free there is one at a time, for the memory that it takes. */
int accept_look(struct trust_accept *t, struct db *db, struct str file, const struct identity *who,
                struct err *e) MUST_CHECK;
int accept_check(struct trust_accept *t, struct err *e) MUST_CHECK;
int accept_write(struct trust_accept *t, struct db *db, const char *who, struct err *e) MUST_CHECK;

/* What became of it, after accept_write: views into t. *out is in the arena: the documents, then snapshot and
   timestamp if they were signed. */
int accept_documents(const struct trust_accept *t, struct arena *a, const struct metadata **out,
                     size_t *count, struct err *e) MUST_CHECK;
size_t accept_published(const struct trust_accept *t, const struct release **out);

/*
 * The first metadata, from the files dir/{image,director}/1.root.json and dir/image/1.targets.json: those of
 * a repository that has none yet, checked like any other. Nothing there, or nothing to do: 0.
 */
int ota_trust_import(struct ota *ota, const char *dir, struct err *e) MUST_CHECK;

#endif
