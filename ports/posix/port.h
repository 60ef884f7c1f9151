/* A device in four files: flash.c (storage and boot loader), http.c (transport), trust.c (who may make
   firmware), device.c (the rest). */
#ifndef PORT_H
#define PORT_H

#include "pqc_tls.h"
#include "pqota_client.h"
#include "pqota_manifest.h"

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

struct manifest_record { /* of the manifest that was taken last */
    uint32_t version;
    uint32_t key; /* CRC of the director's first key: of another key no version was seen yet */
};

struct flash {
    int state, boot, manifest, slot[2]; /* descriptors */
    struct boot_record record;
};

/* Opens and on the first start makes the files in dir; then does what a boot loader does. 0 or -1. */
int flash_start(struct flash *f, const char *dir);
/* Stores f->record. 0 or -1; the record in memory is then no more than a wish. */
int flash_save_record(struct flash *f);
struct pqota_storage flash_storage(struct flash *f);
/* Version 0 when none is stored, or the firmware has replaced the director's key since. */
void flash_load_manifest(struct flash *f, const unsigned char key[PQOTA_MANIFEST_KEY],
                         struct manifest_record *r);
int flash_save_manifest(struct flash *f, const struct manifest_record *r); /* 0 or -1 */

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

/* --- trust.c ------------------------------------------------------------------------------------------- */

#define TRUST_NOT_STORED 1 /* beside enum pqota_manifest_result */

struct trust {
    struct flash *flash;
    struct http *http;
    const char *device, *model; /* this one's */
    unsigned char vendor[PQOTA_MANIFEST_KEYS][PQOTA_MANIFEST_KEY];
    unsigned char director[PQOTA_MANIFEST_KEYS][PQOTA_MANIFEST_KEY];
    size_t vendors, directors; /* keys that are there */
    unsigned char manifest[PQOTA_MANIFEST_MAX], scratch[PQOTA_MANIFEST_TBS];
    size_t n; /* bytes of the manifest */
};

/* Adds the key in that file, which has its bytes and nothing else. 0 or -1. */
int trust_add_key(unsigned char keys[PQOTA_MANIFEST_KEYS][PQOTA_MANIFEST_KEY], size_t *count,
                  const char *path);
/* A pqota_trust's vouch; ctx is the struct trust. */
enum pqota_vouch trust_vouch(void *ctx, const struct pqota_target *hint,
                             const struct pqota_standing *confirmed, struct pqota_target *out,
                             char why[PQOTA_TEXT_SIZE]);

#endif
