/* The hash that a client announces for the body it sends. */
#ifndef PQOTA_API_DIGEST_H
#define PQOTA_API_DIGEST_H

#include "base/hex.h"
#include "http/message.h"

/*
 * Looks at ?sha256=, X-Checksum-Sha256 (hexadecimal), Repr-Digest and Content-Digest (RFC 9530: a
 * dictionary, of which sha-256 counts) and compares what is there with the hash of what came: ERR_MISMATCH
 * names the one that differs, ERR_INVALID one that is no hash.
 */
int digest_check(const struct http_request *req, struct arena *a, const char *sha256,
                 struct err *e) MUST_CHECK;

#endif
