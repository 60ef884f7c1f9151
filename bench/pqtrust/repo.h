/*
 * Repositories in memory, made as the operator's command line and the server make them: the same bodies, keys
 * of the same kinds, signed for real. Nothing is written to a disk.
 */
#ifndef PQTRUST_REPO_H
#define PQTRUST_REPO_H

#include "base/arena.h"
#include "keys/keys.h"
#include "trust/make.h"

#define REPO_ROOT_HOLDERS 3 /* as `pqota trust init` makes them by default */
#define REPO_ROOT_THRESHOLD 2
#define REPO_MODELS_MAX 64
#define REPO_TARGETS_MAX 10000 /* of one model */
#define REPO_FILES_MAX (REPO_MODELS_MAX + 16)
#define REPO_NAME_MAX 320        /* bytes of a file's name, with its NUL */
#define REPO_MEMORY (256u << 20) /* bytes that a repository's texts may take */
#define REPO_LIFE_S (90 * 86400)
#define REPO_DEVICE "gateway-000017" /* whom the director's file is for */

struct repo_keys { /* each a holder's pair: ML-DSA and Ed25519 */
    struct sign_keys root[REPO_ROOT_HOLDERS], targets, timestamp, snapshot, director;
};

struct repo_plan {
    enum trust_scheme offline; /* of root and targets; ML-DSA-65 elsewhere */
    size_t models;             /* delegated roles */
    size_t targets;            /* of each */
    int64_t now_s;
};

struct repo_file {
    char name[REPO_NAME_MAX];
    struct str text;
};

struct repo {
    struct repo_plan plan;
    struct repo_keys keys;
    struct arena arena; /* texts of keys and files */
    struct repo_file image[REPO_FILES_MAX], director[REPO_FILES_MAX];
    size_t image_count, director_count;
    char target[TUF_TARGET_NAME_MAX]; /* what the director wants: the last model's last release */
    uint64_t signatures;              /* made so far */
};

/* Root 1 and 2, targets, a delegated role for each model, snapshot and timestamp; root 1 and 2 of the
   director and a file for REPO_DEVICE. repo_fini also after a failure. */
int repo_make(struct repo *r, const struct repo_plan *plan, struct err *e) MUST_CHECK;
void repo_fini(struct repo *r);

/* A timestamp of that version on the present snapshot, in the arena. */
int repo_timestamp(struct repo *r, int64_t version, struct arena *a, struct str *out,
                   struct err *e) MUST_CHECK;

/* A release that a model's delegated role names: i is 0 and up. */
int repo_add_target(yyjson_mut_doc *doc, size_t model, size_t i, struct err *e) MUST_CHECK;

/* Every key of every holder signs the canonical form. */
int repo_sign(struct repo *r, struct str canon, const struct sign_keys *const *holders, size_t count,
              struct arena *a, struct make_signature *sigs, size_t *sig_count, struct err *e) MUST_CHECK;

struct repo_file *repo_find(struct repo_file *files, size_t count, const char *name); /* or NULL */

#endif
