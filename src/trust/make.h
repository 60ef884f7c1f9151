/*
 * Making metadata: bodies with yyjson's mutable documents, their canonical form, and envelopes. Used by the
 * command line (root, targets, delegated roles) and the server (snapshot, timestamp, director); signing
 * itself is src/keys. Not part of the device's library.
 */
#ifndef PQOTA_TRUST_MAKE_H
#define PQOTA_TRUST_MAKE_H

#include <yyjson.h>

#include "base/arena.h"
#include "trust/custom.h"
#include "trust/document.h"

#define TUF_SPEC_VERSION "1.0.34"

struct make_key { /* public */
    const char *keyid;
    const struct trust_scheme_row *scheme;
    const char *public_text;
};

struct make_role {
    const char *name; /* of a delegation: not looked at, it follows from the model */
    const struct make_key *keys;
    size_t key_count;
    int64_t threshold; /* holders; both families' counts are the same number */
};

/* A new body {"_type", "spec_version", "version", "expires"}, with an empty "targets" or "meta" where it has
   one; free with yyjson_mut_doc_free. */
int make_body(enum tuf_type type, int64_t version, int64_t expires_s, yyjson_mut_doc **out,
              struct err *e) MUST_CHECK;
/* Says whose file it is, in "pqota": {"role"}: that keys which several roles share do not make one of them
   another. */
int make_named(yyjson_mut_doc *doc, const char *role, struct err *e) MUST_CHECK;
/* What follows on a document: its body with the next version and that expiry. */
int make_next(const struct tuf_doc *now, int64_t expires_s, yyjson_mut_doc **out, struct err *e) MUST_CHECK;
/* Fills "keys", "roles", "consistent_snapshot" and "pqota" of a root. ML-DSA keys go into pqota's own members
   here and in what follows: there they do not keep ordinary clients from reading the file. A role whose keys
   of one family are fewer than its threshold is ERR_INVALID. */
int make_root(yyjson_mut_doc *doc, const char *repository, const struct make_role *roles, size_t count,
              struct err *e) MUST_CHECK;
/* The keys of manifests for microcontrollers (ml-dsa-44/1), in no role. NULL: none. */
int make_root_manifest(yyjson_mut_doc *doc, const struct make_key *vendor, const struct make_key *director,
                       struct err *e) MUST_CHECK;
/* Gives a root's role other keys and another threshold; keys that nothing names any more go. */
int make_root_role(yyjson_mut_doc *doc, const struct make_role *role, struct err *e) MUST_CHECK;
/* Adds (or replaces) the delegation of a model to a targets body. */
int make_delegation(yyjson_mut_doc *doc, struct str model, const struct make_role *role,
                    struct err *e) MUST_CHECK;
/* Adds (or replaces) a target. custom NULL: none. */
int make_target(yyjson_mut_doc *doc, const char *path, int64_t length, const char *sha256,
                const struct trust_custom *custom, struct err *e) MUST_CHECK;
/* meta[name] = {version, length, hashes} of a snapshot or timestamp. */
int make_meta(yyjson_mut_doc *doc, const char *name, int64_t version, struct str text,
              const struct trust_crypto *crypto, struct err *e) MUST_CHECK;
/* The same of a file whose length and SHA-256 (hex) are known. */
int make_meta_known(yyjson_mut_doc *doc, const char *name, int64_t version, int64_t length,
                    const char *sha256, struct err *e) MUST_CHECK;

/* The canonical form of a body (or of any value), in the arena: what is signed. */
int make_canon(yyjson_mut_doc *doc, struct arena *a, struct str *out, struct err *e) MUST_CHECK;

struct make_signature {
    const char *keyid;
    struct str sig; /* bytes */
};
/* The file: {"signatures": [...], "signed": <the canonical form, its control characters escaped as RFC 8259
   wants: read back, it has the same canonical form>}, in the arena. */
int make_envelope(struct str canon, const struct make_signature *sigs, size_t count, struct arena *a,
                  struct str *out, struct err *e) MUST_CHECK;

/* SHA-256 of a key object's canonical form, as python-tuf and others make key ids. */
int make_keyid(const struct trust_scheme_row *scheme, const char *public_text,
               const struct trust_crypto *crypto, char keyid[SHA256_HEX_SIZE], struct err *e) MUST_CHECK;

#endif
