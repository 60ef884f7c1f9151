/* Who connections are: the certificate that each shows, and what it asks for. */
#ifndef BENCH_PQLOAD_IDENTITY_H
#define BENCH_PQLOAD_IDENTITY_H

#include "pqload/options.h"
#include "pqload/request.h"
#include "tls/tls.h"

#define IDENTITY_BUFFER 65536 /* of what is read from the socket at once */
#define IDENTITIES_MAX 20000
#define IDENTITIES_FILE_MAX (64 << 20)

struct identity {
    const char *cert, *key, *path; /* without a certificate both are NULL */
    struct tls_ctx *tls;
    struct request request;
};

struct identities {
    struct identity *rows;
    size_t count;
    struct buf text; /* of the file; the rows point into it */
};

/* The one of the command line, or those of the file --identities. On failure too, identities_fini frees what
   there is. */
int identities_make(const struct options *o, struct identities *out, struct err *e) MUST_CHECK;
void identities_fini(struct identities *all);
/* Another context of that identity, for who must remember a session of its own. */
int identity_context(const struct options *o, const struct identity *who, struct tls_ctx **out,
                     struct err *e) MUST_CHECK;

#endif
