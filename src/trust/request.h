/*
 * A signing request, and the signed file that becomes of it: one JSON form, which goes from the machine that
 * prepares to each holder of keys and then to the server.
 *
 *   {"pqota-trust": 1,
 *    "documents": [{"repository": "image", "role": "targets", "document": {"signatures": [], "signed": {}}}],
 *    "entries": [{"target": "<path>", "cose": "<base64>"}],
 *    "context": {"image": <root>, "director": <root>,
 *                "base": [{"repository": "image", "role": "targets", "document": {}}]}}
 *
 * "documents" are to be signed, root, targets and delegated ones in that order; "entries" are the vendor's
 * for manifests (trust/manifest_make.h); "context" is what holders are shown beside them: the present roots,
 * and what the documents follow on. Whoever acts on it believes what signatures bear out and nothing else.
 */
#ifndef PQOTA_TRUST_REQUEST_H
#define PQOTA_TRUST_REQUEST_H

#include "base/arena.h"
#include "trust/document.h"

#define REQUEST_MAX (16u << 20) /* bytes of the file */
#define REQUEST_DOCUMENTS_MAX 512
#define REQUEST_ENTRIES_MAX 4096

struct request_document {
    const char *repository; /* "image" or "director" */
    const char *role;       /* "root", "targets", or a delegated one */
    enum tuf_type type;     /* TUF_ROOT or TUF_TARGETS */
    struct str text;        /* the metadata file: with all its signatures, what is served */
};

struct request_entry {
    const char *target; /* path in the image repository */
    struct str cose;    /* bytes */
};

struct trust_request { /* everything lives in an arena */
    struct request_document documents[REQUEST_DOCUMENTS_MAX];
    size_t document_count;
    struct request_document base[REQUEST_DOCUMENTS_MAX];
    size_t base_count;
    struct request_entry *entries; /* by target; REQUEST_ENTRIES_MAX have room, NULL when there are none */
    size_t entry_count;
    struct str image_root, director_root; /* .p NULL: not given */
};

/* ERR_INVALID, ERR_TOO_LARGE; the documents themselves are not looked into (request_open). */
int request_read(struct str text, struct arena *a, struct trust_request *out, struct err *e) MUST_CHECK;
int request_write(const struct trust_request *r, struct arena *a, struct str *out, struct err *e) MUST_CHECK;

/* The document read; its role's name says of what kind it must be. */
int request_open(const struct request_document *d, struct trust_space *space, struct tuf_doc *out,
                 struct err *e) MUST_CHECK;

/* Adds a document without changing their order; texts are not copied. ERR_CONFLICT: it is there. */
int request_add(struct trust_request *r, const char *repository, const char *role, struct str text,
                struct err *e) MUST_CHECK;
int request_add_base(struct trust_request *r, const char *repository, const char *role, struct str text,
                     struct err *e) MUST_CHECK;
/* Adds the entry of a target, or puts it in the place of an older one. */
int request_put_entry(struct trust_request *r, const char *target, struct str cose, struct arena *a,
                      struct err *e) MUST_CHECK;
/* Adds a signature to a document, or puts it in the place of the same key's. */
int request_put_signature(struct request_document *d, const char *keyid, struct str sig, struct arena *a,
                          struct err *e) MUST_CHECK;

#endif
