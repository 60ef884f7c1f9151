/*
 * Who a device of hawkBit's protocol is: by a token of its own, by the gateway's, by a certificate, or by
 * what a proxy's header fields say; how it comes to be registered; and its token, which is kept sealed.
 */
#ifndef PQOTA_OTA_DDI_DEVICE_H
#define PQOTA_OTA_DDI_DEVICE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/identity.h"
#include "base/str.h"
#include "store/asking.h"

struct db;
struct ota;

#define DDI_TOKEN_MADE 32 /* characters of one that is made: letters and digits, 190 bits */
#define DDI_TOKEN_MIN 16  /* of one that an operator gives */
#define DDI_TOKEN_MAX 128
#define DDI_TOKEN_SIZE (DDI_TOKEN_MAX + 1)
#define DDI_NAME_MAX 128
#define DDI_DESCRIPTION_MAX 512

/* SHA-256 in hex. ERR_INVALID: it is longer than any token, or empty. */
int ddi_token_hash(struct str token, char out[SHA256_HEX_SIZE], struct err *e) MUST_CHECK;
/* ERR_INVALID: DDI_TOKEN_MIN to DDI_TOKEN_MAX visible ASCII characters. The error does not repeat it. */
int ddi_token_check(struct str token, struct err *e) MUST_CHECK;

/* --- who it is: any thread's reader, and again with the writer -------------------------------------- */

struct ddi_claim {
    const char *id;
    enum identity_by by;
    const char *hash; /* of the token, for BY_TARGET_TOKEN and BY_GATEWAY_TOKEN */
};
/* 0: it is that device. ERR_NOT_FOUND: the claim is good, but there is no such device yet: ota_ddi_register.
   ERR_UNAUTHENTICATED: a wrong token, a way that is off, a revoked device, one that has a certificate and
   came without. A claim by certificate or header was checked by the caller; here only whether it counts for
   that device, and whether that way is on. */
int ota_ddi_admit(struct ota *ota, struct db *db, struct arena *a, const struct ddi_claim *claim,
                  struct asking *out, struct err *e) MUST_CHECK;

/* --- writer only ------------------------------------------------------------------------------------ */

/* A device that nobody announced and whose claim is good: named after its id, of the model that the settings
   say, with a token made for it. ERR_CONFLICT: it is there already. */
int ota_ddi_register(struct ota *ota, struct db *db, struct arena *a, const struct ddi_claim *claim,
                     struct err *e) MUST_CHECK;

struct ddi_new {
    const char *id;
    const char *model;       /* NULL: what the settings say */
    const char *name;        /* NULL: the id */
    const char *description; /* NULL: none */
    struct str token;        /* n 0: one is made */
};
/* What an operator announces. token: what it got. ERR_CONFLICT: the id is taken. */
int ota_ddi_create(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                   const struct ddi_new *n, char token[DDI_TOKEN_SIZE], struct err *e) MUST_CHECK;

/* In place of the one that it had, which does not count any more. given.n 0: one is made. token: what it
   got. */
int ota_ddi_token_set(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                      const char *id, struct str given, char token[DDI_TOKEN_SIZE], struct err *e) MUST_CHECK;

/* A device that got a certificate may come by token again; the certificate counts still. Releasing twice is
   fine. */
int ota_ddi_release(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                    const char *id, struct err *e) MUST_CHECK;

/* --- any reader ------------------------------------------------------------------------------------- */

/* For operators and admins alone: ERR_DENIED to others. ERR_NOT_FOUND: there is no such device, or it has no
   token; ERR_CONFLICT: it was sealed with another secret key. The caller wipes it. */
int ota_ddi_token_show(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                       const char *id, char token[DDI_TOKEN_SIZE], struct err *e) MUST_CHECK;

#endif
