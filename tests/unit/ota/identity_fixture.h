/* A store, authorities and a clock of its own for each test of enrolment, renewal, revocation. */
#ifndef PQOTA_TESTS_OTA_IDENTITY_FIXTURE_H
#define PQOTA_TESTS_OTA_IDENTITY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ota/crl.h"
#include "ota/device.h"
#include "ota/enrol.h"
#include "ota/operators.h"
#include "ota/ota.h"
#include "ota/principal.h"
#include "ota/renew.h"
#include "ota/seen.h"
#include "ota/token.h"
#include "ota/trust.h"
#include "store/db.h"
#include "store/store.h"

#define assert_ok(call, e)                                                                                   \
    do {                                                                                                     \
        int ok_rc_ = (call);                                                                                 \
        if (ok_rc_ != 0)                                                                                     \
            fail_msg("%s: %d %s", #call, ok_rc_, (e).text);                                                  \
    } while (0)

#define DAY_MS 86400000LL
#define DAYS 90  /* life of a device certificate */
#define GRACE 30 /* days */

struct fixture {
    char dir[64];
    char device_roots[128], operator_roots[128];
    int64_t now_ms; /* what the clock says */
    struct clock clock;
    struct store *store;
    struct db *reader;
    struct pki_ca *device_ca, *operator_ca;
    EVP_PKEY *key; /* a device's */
    struct ota ota;
    struct arena arena;
    struct err e;
    struct identity admin;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Runs inside a transaction of the writer and waits for the commit. */
typedef int fixture_job(struct fixture *f, struct db *db, void *arg, struct err *e);
int fixture_write(struct fixture *f, fixture_job *run, void *arg);
int64_t fixture_ask(struct fixture *f, const char *sql); /* one number */
const char *fixture_ask_text(struct fixture *f, const char *sql);

/* From now on the server has these keys of update metadata. */
void fixture_trust(struct fixture *f, const struct trust_settings *s);
EVP_PKEY *fixture_key(struct fixture *f); /* a new one; pki_key_free */
struct str fixture_csr(struct fixture *f, EVP_PKEY *key);

/* A token of an admin's; device NULL for any. Fails the test when refused. */
struct str fixture_token(struct fixture *f, const char *model, const char *device, int64_t uses);

/* Enrolment step by step, and all four. */
struct enrolment fixture_enrolment(struct fixture *f, struct str token, EVP_PKEY *key, const char *id);
int fixture_reserve(struct fixture *f, struct enrolment *en); /* with check before it */
int fixture_store(struct fixture *f, struct enrolment *en);
int fixture_enrol(struct fixture *f, struct str token, EVP_PKEY *key, const char *id, struct enrolment *out);

/* As the server does at a request with that certificate: identify, and note a first use. */
int fixture_call(struct fixture *f, const struct pki_cert *cert, const char *id, struct identity *who);
int fixture_renew(struct fixture *f, const struct identity *who, EVP_PKEY *key, struct renewal *out);
int fixture_revoke(struct fixture *f, const char *id);
/* A certificate from the operators' root. */
struct pki_cert fixture_operator(struct fixture *f, const char *name, struct str *pem);

#endif
