/*
 * Who holds the keys of a role: keys that are public alone, and private ones that were made or loaded here.
 * A holder has a pair of keys in one file.
 */
#ifndef PQOTA_CMD_HOLDERS_H
#define PQOTA_CMD_HOLDERS_H

#include <stdio.h>

#include "cmd/passphrase.h"
#include "keys/keys.h"
#include "trust/make.h"

#define HOLDERS_MAX 16 /* of one role, whose private keys are here */

/* The keys of one role: those of a root's or a delegation's, taken as they are, and private ones. */
struct holders {
    struct make_key key[TUF_ROLE_KEYS_MAX]; /* public; texts in an arena */
    size_t count;
    struct sign_keys own[HOLDERS_MAX]; /* private, one a holder; fini frees them */
    const char *file[HOLDERS_MAX];     /* where each is to be saved; NULL: it is kept elsewhere */
    size_t own_count;
};
void holders_fini(struct holders *h);
#define auto_holders __attribute__((cleanup(holders_fini)))

enum holders_pair {
    HOLDERS_OFFLINE, /* ML-DSA-87 and Ed25519 */
    HOLDERS_ONLINE,  /* ML-DSA-65 and Ed25519 */
    HOLDERS_MANIFEST /* ML-DSA-44 alone: for microcontrollers */
};
/* A new holder, to be saved there (copied). */
int holders_make(struct holders *h, enum holders_pair pair, const char *file, struct arena *a,
                 struct err *e) MUST_CHECK;
/* A holder whose keys are in a file or behind a URI. */
int holders_load(struct holders *h, const char *uri, struct passphrase *passphrase, struct arena *a,
                 struct err *e) MUST_CHECK;
/* A public key alone. ERR_CONFLICT: it is there. */
int holders_add(struct holders *h, const struct make_key *key, struct err *e) MUST_CHECK;
/* Saves the new ones, all or none; passphrase NULL: as they are. */
int holders_save(const struct holders *h, const char *passphrase, struct err *e) MUST_CHECK;

/* The canonical form of a body, signed by everybody in the list (NULL-ended): a metadata file. */
int holders_seal(yyjson_mut_doc *body, const struct holders *const *by, struct arena *a, struct str *out,
                 struct err *e) MUST_CHECK;
/* A role of a body that is being made, with those keys. */
struct make_role holders_role(const char *name, const struct holders *h, int64_t threshold);

/* The ids of a holder's keys, a line each, by which --keep and `trust show` know them. */
void holders_print_ids(const struct sign_keys *keys, FILE *to);

#endif
