/*
 * A TUF metadata file, read (specification 1.0.34, section 4): its envelope, its kind, version and end, and
 * questions on it. Everything lives in the `struct trust_space` that it was read into; nothing is believed
 * before tuf_verify.
 */
#ifndef PQOTA_TRUST_DOCUMENT_H
#define PQOTA_TRUST_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/str.h"
#include "trust/crypto.h"
#include "trust/scheme.h"
#include "trust/space.h"

#define TUF_SIGNATURES_MAX 64 /* in one file */
#define TUF_KEYS_MAX 256      /* in one root, or one file's delegations */
#define TUF_ROLE_KEYS_MAX 64  /* of one role */
#define TUF_DELEGATIONS_MAX 1024
#define TUF_PATHS_MAX 256       /* patterns of one delegation */
#define TUF_PATTERN_MAX 1024    /* bytes of one pattern */
#define TUF_ROLE_NAME_MAX 256   /* bytes */
#define TUF_TARGET_NAME_MAX 512 /* bytes */

enum tuf_type { TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS };
const char *tuf_type_word(enum tuf_type t); /* "root", ... */

struct tuf_doc {
    enum tuf_type type;
    int64_t version;
    int64_t expires_s; /* Unix seconds: not good any more from then on */
    yyjson_val *body;  /* "signed" */
    yyjson_val *signatures;
    struct str canon; /* of the body: what the signatures are over */
    struct str text;  /* the file, as it was given */
};

/* Reads a file that must be of that kind. The text is copied into the space. ERR_INVALID says what is wrong;
   ERR_UNSUPPORTED: delegations of TAP 15; ERR_NOMEM: the space is too small for it. */
int tuf_doc_read(struct str text, enum tuf_type type, struct trust_space *space, struct tuf_doc *out,
                 struct err *e) MUST_CHECK;

/* --- who may sign --------------------------------------------------------------------------------------- */

/* How many signatures of each family pqota wants (member "pqota" of a role), beside the threshold. */
struct tuf_counts {
    int64_t need[TRUST_FAMILIES]; /* both at least 1 where they are demanded */
    bool given;
};

/*
 * A role's keys stand in two places. In the specification's members ("keys" of the file, "keyids" of the
 * role) pqota has classical keys alone, because ordinary clients (python-tuf, for one) refuse a whole file
 * that has a key of a kind which they do not know. ML-DSA keys are in the members "pqota" beside these:
 * "pqota": {"keys"} of the file's body, "pqota": {"keyids"} of the role. TAP 21 has them in the
 * specification's members: they count there, too. The threshold is of the specification's members alone.
 * Ordinary rules do not look at the others.
 */
enum tuf_place { TUF_STANDARD, TUF_OWN };
#define TUF_PLACES 2

struct tuf_role { /* views into the file that names it */
    struct str name;
    struct {
        yyjson_val *keys;   /* of the naming file: keyid -> key */
        yyjson_val *keyids; /* of the role */
    } place[TUF_PLACES];    /* TUF_OWN: NULL or whatever stands there; ask tuf_role_key_at */
    int64_t threshold;
    struct tuf_counts counts;
};

struct tuf_key { /* views into the file that has it */
    struct str id;
    const struct trust_scheme_row *scheme; /* NULL: not one we know */
    struct str public_text;                /* for trust_key_decode; .p NULL: none */
    yyjson_val *object;                    /* all of it; NULL: there is only the id */
};

/* How many keys a role names, in both places; first those of the specification's. */
size_t tuf_role_key_count(const struct tuf_role *role);
/* i below the count. false: the file has no key of that id, which is all that *out has then. */
bool tuf_role_key_at(const struct tuf_role *role, size_t i, struct tuf_key *out);
/* The role's key of that id. */
bool tuf_role_key_find(const struct tuf_role *role, struct str keyid, struct tuf_key *out);

/* A top-level role of a root. */
int tuf_root_role(const struct tuf_doc *root, enum tuf_type role, struct tuf_role *out,
                  struct err *e) MUST_CHECK;
/* Whatever role of that name the root has, also one that the specification does not know and that nobody
   looked at. false: none. */
bool tuf_root_role_named(const struct tuf_doc *root, struct str name, struct tuf_role *out);
/* "image" or "director" as the root's member "pqota" says it; .p NULL when it says nothing. */
struct str tuf_root_repository(const struct tuf_doc *root);
bool tuf_root_consistent(const struct tuf_doc *root); /* consistent_snapshot */

/* The id of the key that signs manifests for microcontrollers, of "vendor" or "director"; .p NULL: none. */
struct str tuf_manifest_keyid(const struct tuf_doc *root, const char *whose);
/* That key. false: there is none. */
bool tuf_manifest_key(const struct tuf_doc *root, const char *whose, struct tuf_key *out);
/* The same in the form that signatures are checked with. ERR_NOT_FOUND; ERR_UNSUPPORTED: it is of another
   kind than ml-dsa-44/1. */
int tuf_manifest_key_raw(const struct tuf_doc *root, const char *whose, unsigned char out[TRUST_SPKI_MAX],
                         struct err *e) MUST_CHECK;

/* What a client demands beyond the specification. */
struct tuf_rules {
    bool both_families; /* pqota's own: the counts must be there and be met, old schemes count for nothing,
                           and a file that says whose it is ("pqota": {"role"}) is that role's alone */
};

/*
 * Enough of the role's keys signed the document (section 5.3.4 and the like): the threshold by those in the
 * specification's members, and by pqota's rules each family's count by all. A key counts once, however many
 * ids it has; a signature by an unknown key, of an unknown scheme, or a wrong one counts for nothing.
 * ERR_MISMATCH says how many of how many there were, in each family; ERR_INVALID: pqota's own members are not
 * as they must be, which its rules alone ask. `space` is scratch.
 */
int tuf_verify(const struct tuf_doc *doc, const struct tuf_role *role, const struct tuf_rules *rules,
               const struct trust_crypto *crypto, struct trust_space *space, struct err *e) MUST_CHECK;

/* Which of a role's keys, in both places, signed it: for people, for a signer, for the server's answer. */
struct tuf_signer {
    struct str keyid;
    const struct trust_scheme_row *scheme; /* NULL: not one we know */
    bool signed_it;
};
int tuf_signers(const struct tuf_doc *doc, const struct tuf_role *role, const struct trust_crypto *crypto,
                struct trust_space *space, struct tuf_signer *out, size_t most, size_t *count,
                struct err *e) MUST_CHECK;

/* The same key material for both roles, wherever it stands: section 5.3.11's question after a root's
   rotation. */
bool tuf_same_keys(const struct tuf_role *a, const struct tuf_role *b);

/* --- what it says --------------------------------------------------------------------------------------- */

struct tuf_meta { /* of a file that a timestamp or snapshot names */
    int64_t version;
    int64_t length; /* bytes, -1 when not said */
    bool has_sha256, has_sha512;
    unsigned char sha256[TRUST_SHA256_SIZE], sha512[TRUST_SHA512_SIZE];
};
/* name: "snapshot.json", "targets.json", "<role>.json". ERR_NOT_FOUND. A hash of a kind we do not know beside
   one that we know is fine; alone it is ERR_UNSUPPORTED. */
int tuf_meta_find(const struct tuf_doc *doc, struct str name, struct tuf_meta *out, struct err *e) MUST_CHECK;
/* Length and hashes, before the text is parsed. ERR_MISMATCH. */
int tuf_meta_check(const struct tuf_meta *m, struct str text, const struct trust_crypto *crypto,
                   struct err *e) MUST_CHECK;

struct tuf_target {
    struct str name; /* its path in the repository */
    int64_t length;  /* bytes */
    bool has_sha256, has_sha512;
    unsigned char sha256[TRUST_SHA256_SIZE], sha512[TRUST_SHA512_SIZE];
    yyjson_val *custom; /* NULL for none; see trust/custom.h */
};
int tuf_target_find(const struct tuf_doc *targets, struct str name, struct tuf_target *out,
                    struct err *e) MUST_CHECK;
size_t tuf_target_count(const struct tuf_doc *targets);
/* All of them, each looked at once; ERR_NOT_FOUND (without a text) behind the last one. */
struct tuf_target_iter {
    yyjson_obj_iter inner;
};
void tuf_target_iter_begin(const struct tuf_doc *targets, struct tuf_target_iter *it);
int tuf_target_iter_next(struct tuf_target_iter *it, struct tuf_target *out, struct err *e) MUST_CHECK;

struct tuf_delegation {
    struct tuf_role role;
    bool terminating;
    yyjson_val *paths, *prefixes; /* one of them is NULL */
};
size_t tuf_delegation_count(const struct tuf_doc *targets);
/* i below the count, in the file's order. */
int tuf_delegation_at(const struct tuf_doc *targets, size_t i, struct tuf_delegation *out,
                      struct err *e) MUST_CHECK;
int tuf_delegation_find(const struct tuf_doc *targets, struct str role, struct tuf_delegation *out,
                        struct err *e) MUST_CHECK;
/* Whether the delegation is for that target: by pattern ("*", "?" and "[...]" do not cross a "/"), or by the
   hash of its name. */
int tuf_delegation_fits(const struct tuf_delegation *d, struct str target, const struct trust_crypto *crypto,
                        bool *out, struct err *e) MUST_CHECK;

/* "2026-11-22T13:26:49Z" (section 4.2.2): Unix seconds. */
int tuf_time_read(struct str text, int64_t *out) MUST_CHECK;
#define TUF_TIME_SIZE 21
void tuf_time_write(int64_t unix_s, char out[TUF_TIME_SIZE]); /* the nearest of the years 1 to 9999 */

#endif
