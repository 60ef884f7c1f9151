/* Inside pqota_trust: TUF's workflow with a device's callbacks, and what a device demands of the two
   repositories together. */
#ifndef PQOTA_CLIENT_VERIFIER_H
#define PQOTA_CLIENT_VERIFIER_H

#include "pqota_trust.h"
#include "trust/client.h"

#define VERIFIER_SLOW_S 60
#define VERIFIER_DECISION_MAX 65536 /* bytes of a director's file */
#define VERIFIER_PART 6             /* of the memory, one file may have this part */
#define VERIFIER_REFUSAL_MAX 65536  /* bytes of an answer that is no metadata, before it is cut off */

struct verifier {
    struct pqota_trust_settings set;
    unsigned char *work;
    size_t work_size;
    size_t peak;            /* the most of it that was used */
    const char *repository; /* whose files the callbacks get and store now */
    struct tuf_client tuf;
};

/* verifier.c */
/* Makes v->tuf a client of that repository, whose root is the newer one of the stored and the configured. */
int verifier_open(struct verifier *v, const char *repository, struct err *e) MUST_CHECK;
/* After ERR_CORRUPT: what is stored goes, and the configured root takes its place. */
int verifier_begin(struct verifier *v, struct err *e) MUST_CHECK;
/* The most that v->tuf used is noted. */
void verifier_close(struct verifier *v);

/* vouch.c */
enum pqota_vouch verifier_vouch(void *ctx, const struct pqota_target *hint,
                                const struct pqota_standing *standing, struct pqota_target *out,
                                char why[PQOTA_TEXT_SIZE]);

/* demands.c: what the director wants, kept while the image repository is asked. */
struct wanted {
    char path[TUF_TARGET_NAME_MAX + 1];
    int64_t length; /* bytes */
    bool has_sha512;
    unsigned char sha256[TRUST_SHA256_SIZE], sha512[TRUST_SHA512_SIZE];
};
/* filename: the one that is asked for where there may be several; NULL: a device that runs one.
   ERR_NOT_FOUND: the director names nothing. ERR_DENIED: not that one. */
int wanted_read(const struct tuf_doc *director, const char *filename, struct wanted *out,
                struct err *e) MUST_CHECK;
/* Everything that a device demands of the image's entry. ERR_DENIED, ERR_MISMATCH, ERR_INVALID: it must not
   be installed. */
int wanted_check(const struct wanted *w, const struct tuf_target *image, const char *model,
                 const struct pqota_standing *standing, struct pqota_target *out, struct err *e) MUST_CHECK;

#endif
