/*
 * What a vendor's tools ask of a client beside what a device does: the root alone, and a role's document as a
 * whole. Not part of the device's library.
 */
#ifndef PQOTA_TRUST_CLIENT_WHOLE_H
#define PQOTA_TRUST_CLIENT_WHOLE_H

#include "trust/client.h"

/* Section 5.3 alone: c->root is trusted afterwards. Errors as tuf_client_refresh's. */
int tuf_client_refresh_root(struct tuf_client *c, struct err *e) MUST_CHECK;
/* The document of a role that the top-level targets delegate to, after tuf_client_refresh; good until the
   next call. ERR_NOT_FOUND: they do not, or the snapshot has none of it yet. */
int tuf_client_role(struct tuf_client *c, struct str role, struct tuf_doc *out, struct err *e) MUST_CHECK;

#endif
