/* Who the device is: its key, its certificate, whom it trusts; how it gets them and keeps them fresh. */
#ifndef PQOTA_AGENT_IDENTITY_H
#define PQOTA_AGENT_IDENTITY_H

#include "agent/config.h"
#include "agent/files.h"
#include "agent/link.h"
#include "pki/pki.h"

#define RENEW_RETRY_S 600          /* after a renewal that did not come through */
#define RENEW_REFUSED_S 3600       /* after one that was refused */
#define RENEW_GRACE_S (90 * 86400) /* a server takes an expired certificate for renewal so long */

/* The device's certificate; ERR_NOT_FOUND before enrolment. */
int identity_read(const struct files *f, struct pki_cert *out, struct err *e) MUST_CHECK;
/* The roots to trust: the ones the server sent, else the configured file. */
const char *identity_roots(const struct files *f, const struct agent_config *c);

/* A link that shows the device's certificate, and that nothing stops yet. */
struct link_settings identity_link(const struct files *f, const struct agent_config *c,
                                   struct clock_floor *floor);

struct enrolment {
    const char *server;                                /* as agent_server_url gave it */
    const char *ca_file, *token, *id, *policy, *proxy; /* id may be NULL */
};
/* Makes a key if there is none yet, and gets a certificate for it. May be repeated after a lost answer: the
   same key and token get the same certificate. ERR_CONFLICT when the device is enrolled. */
int identity_enroll(struct files *f, struct clock_floor *floor, const struct enrolment *how,
                    struct pki_cert *out, struct err *e) MUST_CHECK;

/* When to renew: two thirds of the life, and up to a twelfth more that depends on the device. */
int64_t identity_renew_at(const struct pki_cert *cert);
/* Renews when it is time: asks for a certificate on the same key, stores it beside the old one, and takes
   it only after a request with it worked. *next_s: seconds until this should be asked again. *changed: the
   files are new, so connections must be made anew. */
void identity_tick(struct files *f, struct link *l, int64_t now_s, int64_t *next_s, bool *changed);

#endif
