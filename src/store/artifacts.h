/* Artifacts (files by their hash) and the modules that name them. */
#ifndef PQOTA_STORE_ARTIFACTS_H
#define PQOTA_STORE_ARTIFACTS_H

#include "base/arena.h"
#include "base/hex.h"
#include "model/release.h"

struct db;

/* Fills r->artifacts. */
int store_release_artifacts(struct db *db, struct arena *a, struct release *r, struct err *e) MUST_CHECK;
/* Some module of a release that is not deleted has this file. */
int store_artifact_in_use(struct db *db, const char *sha256, bool *out, struct err *e) MUST_CHECK;
/* The first one after that without SHA-1 and MD5; "": there is none. */
int store_artifact_unhashed(struct db *db, const char *after, char out[SHA256_HEX_SIZE],
                            struct err *e) MUST_CHECK;

/* Writer only. */
/* Being there already is fine; with another size it is ERR_CORRUPT. */
int store_artifact_add(struct db *db, const char *sha256, int64_t size, int64_t now_ms,
                       struct err *e) MUST_CHECK;
/* Makes the module and joins it to the release. */
int store_module_add(struct db *db, int64_t release, struct str name, struct str version, struct str type,
                     int64_t *pk, struct err *e) MUST_CHECK;
/* SHA-1 and MD5 of a file that has none yet; one that is not there is fine. */
int store_artifact_set_hashes(struct db *db, const char *sha256, const char *sha1, const char *md5,
                              struct err *e) MUST_CHECK;
int store_module_add_artifact(struct db *db, int64_t module, struct str filename, const char *sha256,
                              struct err *e) MUST_CHECK;
/* Lets go of the files of a deleted release's modules that were made with it and that no other uses; the
   sweep removes the blobs. r->artifacts must be filled. */
int store_release_drop_artifacts(struct db *db, const struct release *r, struct err *e) MUST_CHECK;

#endif
