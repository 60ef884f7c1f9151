/* The inside of accepting a signed file, for the files accept_*.c alone. */
#ifndef PQOTA_OTA_ACCEPT_IMPL_H
#define PQOTA_OTA_ACCEPT_IMPL_H

#include "ota/trust_accept.h"
#include "ota/trust_online.h"
#include "store/signed.h"
#include "trust/client.h"

#define ACCEPT_FRESH_MAX (ACCEPT_RELEASES_MAX * RELEASE_MODELS_MAX) /* new targets of one file */
/* Bytes: what clients take by default. */
#define ACCEPT_ROOT_MAX TUF_ROOT_SIZE_MAX
#define ACCEPT_TARGETS_MAX TUF_TARGETS_SIZE_MAX

struct accept_place { /* of a target in its document */
    yyjson_val *key;
    struct tuf_target_iter at; /* whose next one it is */
};

struct accept_list { /* sorted by name; in the arena */
    struct accept_place *places;
    size_t count;
};

struct accept_doc {
    enum repository repository;
    const char *role;
    enum tuf_type type;
    struct tuf_doc doc;
    const struct metadata *before; /* what it follows on; version 0: nothing */
    struct tuf_doc old;            /* of before, when that has a version */
    struct tuf_delegation by;      /* of a delegated role */
    struct accept_list list;       /* of targets; accept_targets makes it */
    struct metadata made;
};

struct accept_path { /* of a target, cut into its parts; NUL-terminated */
    const char *model, *name, *version, *filename;
};

struct accept_target { /* that the metadata did not have before */
    const char *path;
    struct accept_path part;
    int64_t length;
    char sha256[SHA256_HEX_SIZE];
    const char *type;
    struct signed_terms terms;
};

struct accept_entry {
    struct accept_path part;
    struct str cose;
};

struct trust_accept {
    struct ota *ota;
    struct arena arena;
    void *memory; /* of space */
    struct trust_space space;
    bool first;   /* read from this machine's files */
    bool entered; /* it is the one that is looked through */

    struct trust_request request;
    struct online_set was, set; /* in force; and with what the file brings. Those needed have bodies. */
    struct metadata director;   /* its root in force */
    struct tuf_doc root[REPOSITORIES]; /* in force after it, where there is one: .body */
    struct tuf_doc targets;

    struct accept_doc docs[REQUEST_DOCUMENTS_MAX];
    size_t doc_count;
    struct accept_target *fresh; /* ACCEPT_FRESH_MAX have room */
    size_t fresh_count;
    struct accept_path *gone;
    size_t gone_count;
    struct accept_entry *entries;
    size_t entry_count;

    bool renewed; /* snapshot and timestamp were signed */
    struct metadata snapshot, timestamp;
    struct release *published;
    size_t published_count;
};

/* "image targets version 3" */
#define DOC_FMT "%s %s version %lld"
#define DOC_ARG(d) repository_word((d)->repository), (d)->role, (long long)(d)->doc.version

extern const struct tuf_rules accept_rules;

/* trust_accept.c: accept_look of a request that was read. */
int accept_look_request(struct trust_accept *t, struct db *db, const struct identity *who,
                        struct err *e) MUST_CHECK;
/* accept_verify.c: every document by whoever has to have signed it, and what stays in force by the new. */
int accept_verify(struct trust_accept *t, struct err *e) MUST_CHECK;
/* accept_targets.c: what targets come and go; the vendor's entries. */
int accept_targets(struct trust_accept *t, struct err *e) MUST_CHECK;
int accept_entries(struct trust_accept *t, struct err *e) MUST_CHECK;
/* A target as it is after the file, in the document of the model's own role or of "targets". */
int accept_find_target(const struct trust_accept *t, struct str name, const char *model,
                       struct tuf_target *out, struct err *e) MUST_CHECK;
/* accept_release.c: the same against the releases that there are. Writer only. */
int accept_releases(struct trust_accept *t, struct db *db, const char *who, struct err *e) MUST_CHECK;

int accept_no_memory(struct err *e);
/* ERR_TOO_LARGE: the arena or the space is used up, which are bounded. */
int accept_no_room(struct err *e);

#endif
