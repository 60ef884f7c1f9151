/* An operator's credential: a folder with key, certificate, the server's roots, and a profile naming them. */
#ifndef PQOTA_CMD_CREDENTIAL_H
#define PQOTA_CMD_CREDENTIAL_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "cmd/profile.h"

struct credential_request {
    const char *name; /* common name of the certificate */
    int64_t days;
    const struct profile *profile; /* whose server, roots and policy the new one takes */
    const char *ca_dir;            /* with operator-ca.pem and operator-ca.key; NULL: ../pki of the profile */
    const char *out_dir;           /* made, must not exist yet; NULL: ./NAME */
};

struct credential { /* texts in the arena */
    const char *dir;
    const char *profile, *key, *certificate_file, *roots; /* paths in it */
    struct str certificate;                               /* PEM */
};

/* Nothing is left behind when it fails. now_s: Unix seconds. */
int credential_make(const struct credential_request *request, struct arena *a, int64_t now_s,
                    struct credential *out, struct err *e) MUST_CHECK;
/* Takes away what credential_make made. */
void credential_remove(const struct credential *c);

#endif
