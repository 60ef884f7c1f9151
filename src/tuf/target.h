/* A target's file: is it here already, and if not, fetch it, check it, put it in its place. */
#ifndef PQOTA_TUF_TARGET_H
#define PQOTA_TUF_TARGET_H

#include "trust/document.h"
#include "tuf/http.h"

struct target_place {
    const char *dir, *base_url;
    bool prefixed; /* consistent snapshots: HASH.name */
};

/*
 * The file is dir/<the target's whole name, percent-encoded>; path (PATH_MAX) is told it. *fetched: false if
 * it was there with the right length and hashes. Nothing is left behind after a failure, and what was there
 * before stays. ERR_MISMATCH, ERR_TOO_LARGE: what came is not the target.
 */
int target_get(struct http *h, const struct target_place *place, const struct tuf_target *t, char *path,
               bool *fetched, struct err *e) MUST_CHECK;

#endif
