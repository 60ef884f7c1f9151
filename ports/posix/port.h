/* A device in three files: flash.c (storage and boot loader), http.c (transport), device.c (the rest). */
#ifndef PORT_H
#define PORT_H

#include "pqc_tls.h"
#include "pqota_client.h"

#define SECTOR 4096                    /* bytes that flash erases at a time */
#define SLOT_MOST (64 * 1024 * SECTOR) /* bytes of the largest image */

/* --- flash.c ------------------------------------------------------------------------------------------- */

enum trial { TRIAL_NONE, TRIAL_PENDING, TRIAL_RUNNING };

struct boot_record { /* what the boot loader and the firmware tell each other */
    uint32_t boots;  /* counts every start: the boot id */
    uint32_t slot;   /* that runs, 0 or 1 */
    uint32_t
        trial; /* enum trial: the other slot is to be started once; this one is started and unconfirmed */
    char version[2][PQOTA_NAME_SIZE]; /* of the image in each slot, "" for none */
};

struct flash {
    int state, boot, slot[2]; /* descriptors */
    struct boot_record record;
};

/* Opens and on the first start makes the files in dir; then does what a boot loader does. 0 or -1. */
int flash_start(struct flash *f, const char *dir);
/* Stores f->record. 0 or -1; the record in memory is then no more than a wish. */
int flash_save_record(struct flash *f);
struct pqota_storage flash_storage(struct flash *f);

/* --- http.c -------------------------------------------------------------------------------------------- */

struct http {
    pqc_tls_ctx_t tls;
    const char *host, *port;
    int fd;
    pqc_tls_conn_t conn; /* NULL between connections */
};

/* A pqota_transport's request; ctx is the struct http. The connection stays open for the next one. */
int http_request(void *ctx, const struct pqota_request *request, struct pqota_response *response,
                 pqota_sink sink, void *sink_ctx);
void http_close(struct http *h);

#endif
