/* Holders' keys that sign a request: read from files and URIs, checked to be wanted, used. */
#ifndef PQOTA_CMD_SIGN_WITH_H
#define PQOTA_CMD_SIGN_WITH_H

#include "cmd/line.h"
#include "cmd/passphrase.h"
#include "cmd/signing.h"

#define SIGN_WITH_MAX 16 /* files and URIs at once */

struct sign_with {
    struct passphrase passphrase;
    struct sign_keys keys[SIGN_WITH_MAX];
    const char *uri[SIGN_WITH_MAX]; /* where each is from */
    size_t count;
    size_t signatures, entries; /* made */
};

/* The keys that the option names. sign_with_close is due in any case, and wipes them. */
int sign_with_open(struct sign_with *w, const struct line_args *args, const char *option, struct arena *a,
                   struct err *e) MUST_CHECK;
void sign_with_close(struct sign_with *w);
#define auto_sign_with __attribute__((cleanup(sign_with_close)))

/* A key that is none of the roles' is a mistake, and is told before anything is signed. */
int sign_with_check(const struct sign_with *w, const struct signing *s, struct err *e) MUST_CHECK;
/* Every document by every key that may, and the entries of manifests by the key that makes them. */
int sign_with_sign(struct sign_with *w, struct signing *s, struct err *e) MUST_CHECK;

#endif
