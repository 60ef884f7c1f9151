/*
 * A repository to test the trust code with: it signs what it is told to, also what is wrong, and serves it;
 * and what a client needs around it, in memory. Signatures are OpenSSL's.
 */
#ifndef PQOTA_TEST_TRUST_REPO_H
#define PQOTA_TEST_TRUST_REPO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "keys/keys.h"
#include "trust/client.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* --- keys: the same ones for a whole program ------------------------------------------------------------ */

enum {
    ED,           /* ED to ED + 11: Ed25519 */
    ML = 12,      /* ML to ML + 5: ML-DSA-65 */
    EC = 18,      /* ECDSA P-256, two */
    RSA_PSS = 20, /* and the same key again as RSA_PKCS1 */
    RSA_1 = 21,
    KEYS = 22,
};
struct repo_key {
    EVP_PKEY *pkey;
    const struct trust_scheme_row *row;
    char *text; /* keyval.public */
    char id[8]; /* "k0", "k1", ... */
};
extern struct repo_key repo_keys[KEYS];

/* The hexadecimal signature over those bytes as the key's scheme has it; free it. */
char *repo_sign_bytes(int key, struct str canon);
/* {"signatures": [...], "signed": body}; free it. */
char *repo_envelope(const char *body, const int *keys, size_t n);
/* printf into memory of its own; free it. */
char *text_of(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* --- a repository --------------------------------------------------------------------------------------- */

#define ROLE_KEYS 8
#define FAR "2030-01-01T00:00:00Z"
#define PAST "2020-01-01T00:00:00Z"
#define NOW 1893000000 /* 2029-12-26T17:20:00Z */

struct repo_role {
    const char *name;
    int keys[ROLE_KEYS]; /* that may sign */
    size_t n;
    int signers[ROLE_KEYS]; /* that do; signers_n 0: the same */
    size_t signers_n;
    int threshold;
    int ml_dsa, classical; /* counts; both 0: no member "pqota" */
    int version;
    const char *expires;
    char *text; /* as published last */
};

struct repo_delegation {
    const char *parent;
    struct repo_role role;
    const char *paths; /* JSON list */
    bool prefixes, terminating;
    const char *targets; /* members of "targets", JSON; NULL: none */
};
#define DELEGATIONS 1100

struct repo_file {
    char *name, *text;
};

struct repo {
    struct repo_role root, timestamp, snapshot, targets;
    struct repo_delegation d[DELEGATIONS];
    size_t dn;
    const char *target_members; /* of the top-level targets, JSON; NULL: none */
    const char *repository;     /* the root's "pqota"; NULL: none */
    bool own;                   /* ML-DSA keys in pqota's own members, not the specification's */
    const char *device;         /* the targets' "pqota"; NULL: none */
    const char *extra;          /* more members of every body, JSON with a comma before it; NULL: none */
    const char *metas;          /* instead of the snapshot's "meta" members; NULL: what is published */
    const char *snapshot_meta;  /* instead of the timestamp's "snapshot.json"; NULL: what is published */
    bool consistent, hashes;
    struct repo_file *files; /* what is served */
    size_t files_n;
};

void repo_files_put(struct repo_file **files, size_t *n, const char *name, const char *text);
const char *repo_files_get(const struct repo_file *files, size_t n, const char *name);
void repo_files_free(struct repo_file *files, size_t n);

/* One Ed25519 key for each role, version 1 of all published. */
void repo_init(struct repo *r);
void repo_fini(struct repo *r);
/* Publishes root and timestamp, and verifies the one by the other: by pqota's rules (both), or by the
   specification's. */
int repo_verify(struct repo *r, bool both, struct err *e);
/* Another delegation, by ED + 4 unless told otherwise; not published. */
struct repo_delegation *repo_delegate(struct repo *r, const char *parent, const char *name,
                                      const char *paths);
/* Signs the role's file with its version as it is and serves it. */
void repo_publish(struct repo *r, const char *role);
/* The version goes up by one and it is published; then the snapshot and the timestamp the same. */
void repo_bump(struct repo *r, const char *role);
void repo_bump_all(struct repo *r); /* every targets role, snapshot, timestamp */
/* Serves any text under a name; NULL: none any more. */
void repo_serve(struct repo *r, const char *name, const char *text);
const char *repo_file(const struct repo *r, const char *name); /* NULL: none */
struct repo_role *repo_role(struct repo *r, const char *name);

/* --- a client ------------------------------------------------------------------------------------------- */

#define WORLD_MEMORY (3u << 20)

struct world {
    struct repo repo;
    struct repo_file *stored; /* by role */
    size_t stored_n;
    char log[8192]; /* what was requested: "2.root.json timestamp.json ..." */
    size_t calls;   /* of store and fetch */
    size_t fail_at; /* that call fails with fail_with; 0: none does */
    int fail_with;
    int64_t now_s;
    void *memory;
    struct tuf_config config;
    struct tuf_client client;
    struct err e;
};

/* A client that begins with the repository's root. */
void world_init(struct world *w);
void world_fini(struct world *w);
void world_restart(struct world *w, size_t memory); /* the client anew; what is stored stays */
int world_refresh(struct world *w);                 /* w->log begins anew */
int world_target(struct world *w, const char *name, struct tuf_target *out);
const char *world_stored(const struct world *w, const char *role);     /* NULL: none */
void world_store(struct world *w, const char *role, const char *text); /* NULL: none */
int world_version(const struct world *w, const char *role);            /* of what is stored; 0: none */
/* The refresh ended with that code, its text has those words, and requested that. */
void world_expect(struct world *w, int rc, const char *words, const char *log);

/* For cmocka: a world for each test, the keys for all of them. */
int world_setup(void **state);
int world_teardown(void **state);
int repo_group_up(void **state);
int repo_group_down(void **state);
#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

#endif
