/*
 * The domain: what the product does, without HTTP and SQL. Each file answers one subject (enrol, publish,
 * select, report, deploy, ...) and is called by a face (src/api, later src/ddi) with the `struct db` that the
 * lane has.
 */
#ifndef PQOTA_OTA_OTA_H
#define PQOTA_OTA_OTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

struct store;
struct pki_ca;
struct principals; /* who counts and who is revoked, in memory; see ota/principal.h */
struct crl;        /* when the revocation list was made; see ota/crl.h */
struct sealer;     /* seals secrets that the database keeps; see keys/seal.h */
struct trust;      /* who vouches for firmware; see ota/trust.h */
struct settings;   /* of hawkBit's interfaces, as they are now; see ota/settings.h */
struct seen;       /* when devices were last seen, kept in memory and flushed in batches; see ota/seen.h */

#define OTA_SLICE_MS 5 /* a background job of the writer gives way after so long */

/* The MQTT broker, as the server sees it. */
enum ota_broker { OTA_BROKER_OFF, OTA_BROKER_DOWN, OTA_BROKER_UP };

/* Made by the server; constant while requests run but for what its own headers say is swapped. */
struct ota {
    struct store *store;
    const struct clock *clock;
    struct principals *principals;
    struct seen *seen;
    struct crl *crl;
    struct trust *trust;
    const struct sealer *sealer;
    struct settings *settings;
    struct pki_ca *(*device_ca)(void *ctx); /* a reference to the current one (SIGHUP may change it) */
    void *device_ca_ctx;
    const char *device_roots_file; /* handed out on enrolment and by GET /pki/ */
    const char *server_roots_file;
    const char *operator_roots_file; /* what an operator's certificate is checked against */
    int64_t device_days, renew_grace_days, crl_hours;
    int64_t poll_seconds;
    int64_t status_max;
    bool approval;                               /* each deployment needs a second person */
    int64_t event_days, action_days, blob_hours; /* days: 0 keeps everything */
    int64_t started_ms;                          /* Unix milliseconds */
    bool announce;                               /* MQTT is on: see ota/announce.h */
    enum ota_broker (*broker)(void *ctx);        /* NULL: off */
    void *broker_ctx;
};

#endif
