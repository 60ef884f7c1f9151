/* A vendor beside a server: keys of every role, metadata and signed files made by hand. */
#ifndef PQOTA_TESTS_OTA_VENDOR_FIXTURE_H
#define PQOTA_TESTS_OTA_VENDOR_FIXTURE_H

#include "ota/trust_accept.h"
#include "ota/trust_online.h"
#include "ota/trust_show.h"
#include "ota/trust_view.h"
#include "release_fixture.h"
#include "trust/make.h"

enum vendor_key {
    VENDOR_ROOT,
    VENDOR_TARGETS,
    VENDOR_TIMESTAMP,
    VENDOR_SNAPSHOT,
    VENDOR_DIRECTOR,
    VENDOR_KEYS
};

struct vendor {
    struct arena arena;
    struct sign_keys keys[VENDOR_KEYS];
    char path[VENDOR_KEYS][128];
    char dir[128];       /* what `pqota trust init` leaves */
    int64_t timestamp_s; /* life of timestamps, for vendor_load */
};

/* state is a struct fixture whose vendor has keys that the server uses, too; nothing was imported yet. */
int vendor_setup(void **state);
int vendor_teardown(void **state);
struct vendor *vendor_of(struct fixture *f);

/* Reads [trust]; insecure: uploads are published at once. */
void vendor_load(struct fixture *f, bool insecure);
/* Writes the first metadata and imports them. */
void vendor_import(struct fixture *f);
/* A target that the vendor's own role signs for, in a body of targets. */
void vendor_add(yyjson_mut_doc *doc, const struct release *r, const char *model, int64_t sequence);
/* A body of targets of that version. */
yyjson_mut_doc *vendor_targets(struct fixture *f, int64_t version);
/* The signed file with that one document of the image repository; frees the body. */
struct str vendor_sign(struct fixture *f, const char *role, yyjson_mut_doc *body, enum vendor_key by);
/* All three steps of accepting; the first that fails. */
int vendor_upload(struct fixture *f, struct str file);
int vendor_write(struct fixture *f, struct trust_accept *t); /* the last of them */
/* One round of the server's own signing; whether it signed. */
bool vendor_renew(struct fixture *f);
int64_t vendor_version(struct fixture *f, const char *role);

#endif
