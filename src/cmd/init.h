/* What `pqota init` is asked to make, and the steps that make it. Every step keeps what exists. */
#ifndef PQOTA_CMD_INIT_H
#define PQOTA_CMD_INIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "pki/pki.h"

struct init {
    const char *dir;
    const char *policy; /* of roots and leaves: a chain is as strong as its weakest signature */
    const char *admin;  /* NULL: the first run made one; that is enough */
    const char *hosts[PKI_NAMES_MAX + 1]; /* names of the server, NULL-ended; the first is in the profile */
    uint16_t port;
    int64_t now_s;
    struct arena *arena;
    const char *config; /* path */
    bool config_kept;
    bool admin_new; /* the operator's certificate was made by this run */
};

/* "DIR/" and the formatted rest, in the arena; NULL when that is exhausted. */
const char *init_path(const struct init *in, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Says what became of a thing: "made" or "kept". */
void init_say(const struct init *in, bool made, const char *path, const char *what);
/* Refuses to make root's files in another user's folder. */
int init_check_owner(const char *dir, const char *verb, struct err *e) MUST_CHECK;

/* init_pki.c */
/* DIR/pki/<role>-ca.pem and .key, and the operators' empty revocation list. A root whose key was taken away
   is kept. */
int init_root(struct init *in, const char *role, const char *what, struct err *e) MUST_CHECK;
/* DIR/<name>.pem and .key, issued by DIR/pki/<role>-ca. */
int init_leaf(struct init *in, const char *role, const char *name, const struct pki_issue *want,
              const char *what, struct err *e) MUST_CHECK;

/* init_data.c: makes the database in that folder, and registers the operator's certificate as an admin's. */
int init_data(struct init *in, const char *data_dir, struct err *e) MUST_CHECK;

#endif
