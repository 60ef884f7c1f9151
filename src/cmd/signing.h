/*
 * A signing request, opened: its documents read, who must sign each, who did, and what each follows on.
 * Needs no network and no server.
 */
#ifndef PQOTA_CMD_SIGNING_H
#define PQOTA_CMD_SIGNING_H

#include <stdio.h>

#include "keys/keys.h"
#include "trust/request.h"

#define SIGNING_ROLES_MAX 2 /* that one document needs: a root is signed by the old holders and by the new */
#define SIGNING_REPOSITORIES 2

struct signing_role {
    const char *words; /* "the present root's holders" */
    struct tuf_role role;
};

struct signing_item { /* a document that is to be signed */
    struct request_document *document;
    struct tuf_doc doc;
    const struct tuf_doc *base; /* NULL: the first of its role */
    bool base_vouched;          /* enough of those who may had signed the base, as this file has them */
    bool base_strange;          /* whoever is to sign now had not: all is shown, nothing compared */
    struct signing_role roles[SIGNING_ROLES_MAX];
    size_t role_count;
};

struct signing_root { /* of one repository; NULL: not in the file */
    const struct tuf_doc *present, *next;
};

struct signing {
    struct trust_request request;
    struct trust_space space; /* holds all that is read */
    void *memory;
    struct arena *arena;
    struct signing_item items[REQUEST_DOCUMENTS_MAX];
    size_t count;
    struct tuf_doc base[REQUEST_DOCUMENTS_MAX]; /* as request.base */
    struct tuf_doc roots[SIGNING_REPOSITORIES];
    struct signing_root image, director;
};

/* Texts are copied into the arena, which must outlive it. signing_close is due in any case. */
int signing_open(struct signing *s, struct str text, struct arena *a, struct err *e) MUST_CHECK;
void signing_close(struct signing *s);
#define auto_signing __attribute__((cleanup(signing_close)))

/* "1 of 2 ML-DSA": what a role has of what it needs, a family by itself. */
struct signing_tally {
    int64_t have[TRUST_FAMILIES], need[TRUST_FAMILIES];
    int64_t threshold; /* the specification's own */
    bool complete;
    struct tuf_signer signer[TUF_ROLE_KEYS_MAX];
    size_t count;
};
int signing_count(const struct tuf_doc *doc, const struct tuf_role *role, struct trust_space *space,
                  struct signing_tally *out, struct err *e) MUST_CHECK;

/* Whether the key is one of those that sign the document. */
bool signing_may(const struct signing_item *item, const char *keyid);
/* The id of the key of manifests that a root (or NULL) names ("vendor", "director"); .p NULL: none. */
struct str signing_manifest_key(const struct tuf_doc *root, const char *whose);

/* Whether every document of a request has all its signatures. */
int signing_is_complete(struct str text, struct arena *a, bool *complete, struct err *e) MUST_CHECK;

/* --- entries for manifests (signing_entries.c) ------------------------------------------------------ */

/* How many targets of the request want an entry by the vendor's key and have none; and how many targets no
   manifest can name. */
struct signing_entries {
    size_t wanted, missing, impossible;
};
int signing_entries_count(struct signing *s, struct signing_entries *out, struct err *e) MUST_CHECK;
/* Makes those that are missing; *made: how many. */
int signing_entries_make(struct signing *s, const struct sign_key *key, size_t *made,
                         struct err *e) MUST_CHECK;
/* Whether the key is the one that they must be made with. */
bool signing_is_vendor_key(const struct signing *s, const char *keyid);

/* --- in words (signing_text.c, signing_changes.c) --------------------------------------------------- */

/* What the file is for: each document, what it changes, who must sign and who did. */
int signing_print(struct signing *s, FILE *to, struct err *e) MUST_CHECK;
/* What is still wanted; true when nothing is. */
int signing_print_wanted(struct signing *s, FILE *to, bool *complete, struct err *e) MUST_CHECK;
/* A role's holders and whether each signed. */
void signing_print_tally(const struct signing_tally *t, struct arena *a, FILE *to);
/* What a document says that its base did not say; base NULL: all of it. */
int signing_print_changes(const struct tuf_doc *doc, const struct tuf_doc *base, struct arena *a, FILE *to,
                          struct err *e) MUST_CHECK;
/* "root", "targets", a delegated role's name made harmless; in the arena. */
const char *signing_escape(struct str text, struct arena *a);

#endif
