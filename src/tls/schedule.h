/*
 * The key schedule of a TLS 1.3 handshake (RFC 8446 section 7.1) and the transcript that its secrets cover. A
 * call that fails is told by the last, tls_schedule_end, and by s->derive.failed.
 */
#ifndef PQOTA_TLS_SCHEDULE_H
#define PQOTA_TLS_SCHEDULE_H

#include "tls/derive.h"

struct tls_schedule {
    struct tls_derive derive;
    EVP_MD_CTX *transcript;
    unsigned char stage[TLS_SECRET_MAX]; /* what this stage's secrets and the next stage stem from */
    unsigned char hash[TLS_SECRET_MAX];  /* of the transcript, when it was last looked at */
};

void tls_schedule_begin(struct tls_schedule *s, const struct tls_suite *suite);
int tls_schedule_end(struct tls_schedule *s) MUST_CHECK; /* wipes it */

/* Messages go into the transcript; looking at it fixes what the secrets below cover. */
void tls_schedule_add(struct tls_schedule *s, const unsigned char *p, size_t n);
void tls_schedule_look(struct tls_schedule *s);
void tls_schedule_look_at_nothing(struct tls_schedule *s); /* as if it were empty */

/* The stages: early (psk: suite->secret_n bytes), handshake (the shared secret), master (NULL). */
void tls_schedule_first(struct tls_schedule *s, const unsigned char *psk);
void tls_schedule_next(struct tls_schedule *s, const unsigned char *shared, size_t n);
/* Derive-Secret of this stage: suite->secret_n bytes. */
void tls_schedule_secret(struct tls_schedule *s, const char *label, unsigned char *out);
/* The verify_data of a Finished, or a binder, under a secret (section 4.4.4): suite->secret_n bytes. */
void tls_schedule_finished(struct tls_schedule *s, const unsigned char *secret, unsigned char *out);

#endif
