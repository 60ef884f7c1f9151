/* The server's JSON answers as the local client gets them: every link leads to the tunnel. */
#ifndef PQOTA_AGENT_TUNNEL_LINKS_H
#define PQOTA_AGENT_TUNNEL_LINKS_H

#include "base/json.h"
#include "base/hex.h"
#include "pqota_client.h"

#define LINKS_HREF_MAX 4096 /* bytes of a link */
#define LINKS_FILES_MAX 64  /* files of one answer that are remembered; what stands behind is refused */

struct links_file { /* that an answer names */
    char module[32];
    char filename[PQOTA_NAME_SIZE];
    char sha256[SHA256_HEX_SIZE];
    uint64_t size;
};

/* *out, in the arena: the same, with base_url in place of scheme, host and port of each "href", and with
   "download" and "download-http" where there was one of them, as with "md5sum". ERR_INVALID: it is no JSON,
   or a link is none; ERR_NOMEM. */
int links_rewrite(struct str text, const char *base_url, struct arena *a, struct str *out,
                  struct err *e) MUST_CHECK;

/* The files that an answer to deploymentBase, confirmationBase or installedBase names; how many. One without
   a SHA-256 or with a name that is none is left out. */
size_t links_files(struct str text, struct links_file out[LINKS_FILES_MAX]);

/* Whether a feedback closes its action with success. What is no JSON does not. */
bool links_is_success(struct str text);

#endif
