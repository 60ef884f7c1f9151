/* What is served of update metadata, and how it stands with it: for devices and for people. */
#ifndef PQOTA_OTA_TRUST_SHOW_H
#define PQOTA_OTA_TRUST_SHOW_H

#include "model/release.h"
#include "ota/ota.h"
#include "store/metadata.h"
#include "store/signed.h"
#include "trust/document.h"

#define TRUST_SHOW_DRAFTS_MAX 100
#define TRUST_SHOW_SIGNERS_MAX 64 /* roles of a repository whose signatures are looked at */

/* The file of that name ("timestamp.json", "3.root.json"), without its body: see ota/trust_files.h.
   ERR_NOT_FOUND. */
int ota_trust_file(struct db *db, struct arena *a, enum repository r, struct str name, struct metadata *out,
                   struct err *e) MUST_CHECK;

struct trust_signer_view {
    const char *keyid;
    const char *scheme;
};

struct trust_role_view {
    struct metadata m;
    int64_t threshold;
    struct tuf_counts counts;
    bool looked; /* signers are filled; not so for what nobody names any more, and past the maximum */
    struct trust_signer_view *signers; /* of the keys that count, those that signed it */
    size_t signer_count;
};

struct trust_overview {
    struct trust_role_view *roles[REPOSITORIES]; /* by name */
    size_t count[REPOSITORIES];
    bool unsigned_allowed;
    struct release *drafts; /* newest first, with details */
    size_t draft_count;
};

/* QUERY lane. */
int ota_trust_show(struct ota *ota, struct db *db, struct arena *a, struct trust_overview *out,
                   struct err *e) MUST_CHECK;

struct trust_standing {        /* of a release for a model */
    int64_t sequence;          /* that it has there, or would be given next */
    bool signed_it;            /* it is in the metadata */
    struct signed_terms terms; /* what they say */
};

/* One for each model of a release that has its details. */
int ota_trust_standings(struct db *db, struct arena *a, const struct release *r, struct trust_standing **out,
                        struct err *e) MUST_CHECK;

/* An uploaded file under the name that the image repository has for it. model NULL: an operator asks, who
   sees drafts too; else a device's. ERR_NOT_FOUND. */
int ota_trust_target(struct db *db, struct arena *a, const struct str path[4], const char *model,
                     struct release *out, struct err *e) MUST_CHECK;

#endif
