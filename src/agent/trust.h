/* Who vouches for updates on this device: pqota_trust with the agent's link, clock, files and OpenSSL. */
#ifndef PQOTA_AGENT_TRUST_H
#define PQOTA_AGENT_TRUST_H

#include "agent/config.h"
#include "agent/link.h"
#include "agent/metadata.h"
#include "base/buf.h"

#define AGENT_TRUST_MEMORY PQOTA_TRUST_MEMORY_DEFAULT

struct agent_trust {
    struct metadata metadata;
    struct buf image_root, director_root;
    char device[PQOTA_NAME_SIZE], model[PQOTA_NAME_SIZE];
    void *memory;
    struct pqota_trust callback, metadata_says;
    uint32_t
        counter; /* against rollback: confirmed by the tunnel, should it have updated this device before */
};

/* The model of this device: the setting, else what enrolment said. ERR_NOT_FOUND: neither is there. */
int agent_trust_model(const struct agent_config *c, const struct files *f, char out[PQOTA_NAME_SIZE],
                      struct err *e) MUST_CHECK;
/* `link` and its clock floor must outlive it, and it must stay where it is. */
/* several: it is asked about releases of several files, a file at a time. */
int agent_trust_open(struct agent_trust *t, const struct agent_config *c, const struct files *f,
                     const char *device, bool several, struct link *link, struct err *e) MUST_CHECK;
void agent_trust_close(struct agent_trust *t);

/* show_trust.c, for `pqota-agent status`: what is stored of the metadata, and until when it is good. */
void agent_trust_print(const struct agent_config *c, const struct files *f, int64_t now_s);

#endif
