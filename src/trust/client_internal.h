/* What the client's files share. In all of them e is not NULL. */
#ifndef PQOTA_TRUST_CLIENT_INTERNAL_H
#define PQOTA_TRUST_CLIENT_INTERNAL_H

#include "trust/client.h"
#include "trust/internal.h"

/* Of a file in the repository: version, percent-encoded role, ".json". */
#define CLIENT_NAME_SIZE (20 + 1 + 3 * TUF_ROLE_NAME_MAX + sizeof ".json")

/* A file that was read: its text is in the client's space, and what follows on it is the document. */
struct client_file {
    struct str text;
    struct tuf_doc doc;
};

/* Puts the repository's and the file's name before the text and returns rc. */
int client_fail(const struct tuf_client *c, const char *file, int rc, struct err *e);

/* "7.snapshot.json", or "snapshot.json" where there are no consistent snapshots. */
void client_name(const struct tuf_client *c, int64_t version, struct str role, char out[CLIENT_NAME_SIZE]);

/* The text of a stored file. *there false: there is none that could be used. */
int client_load(struct tuf_client *c, struct str role, size_t limit, struct client_file *f, bool *there,
                struct err *e) MUST_CHECK;
/* The text of a file of the repository. ERR_TOO_LARGE past the limit. */
int client_fetch(struct tuf_client *c, const char *name, size_t limit, struct client_file *f,
                 struct err *e) MUST_CHECK;
/* Reads the text and checks that the role signed it. */
int client_open(struct tuf_client *c, struct client_file *f, enum tuf_type type, const struct tuf_role *role,
                struct err *e) MUST_CHECK;
/* Whether what client_open said of a stored file means that it cannot be used, and no more. */
bool client_unusable(int rc);

/* ERR_GONE: the document expired (a freeze attack). */
int client_check_life(const struct tuf_client *c, const struct tuf_doc *doc, struct err *e) MUST_CHECK;
int client_save(const struct tuf_client *c, struct str role, const struct client_file *f,
                struct err *e) MUST_CHECK;
/* The document alone is kept, where the space's mark `at` is. */
int client_keep(struct tuf_client *c, size_t at, const struct client_file *f, struct tuf_doc *out,
                struct err *e) MUST_CHECK;

/* Section 5.3, whole. */
int client_update_root(struct tuf_client *c, struct err *e) MUST_CHECK;
/* What the snapshot says of a role's file. ERR_NOT_FOUND. */
int client_meta(const struct tuf_client *c, struct str role, struct tuf_meta *meta, struct err *e) MUST_CHECK;
/* Section 5.6.1 to 5.6.6 for the targets role or one that was delegated to. */
int client_update_targets(struct tuf_client *c, const struct tuf_role *role, struct tuf_doc *out,
                          struct err *e) MUST_CHECK;

#endif
