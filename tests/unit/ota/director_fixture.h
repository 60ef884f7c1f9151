/* A server with a director's keys and a device, and what is asked of it over and over. */
#ifndef PQOTA_TESTS_OTA_DIRECTOR_FIXTURE_H
#define PQOTA_TESTS_OTA_DIRECTOR_FIXTURE_H

#include "release_fixture.h"

#include "ota/director.h"
#include "ota/trust.h"

#define LIFE_S (7 * 86400)
#define THIRD_MS (LIFE_S * 1000LL / 3)

/* As release_setup, with both keys and the device "d1" of the model "m". */
int director_setup(void **state);

extern const enum trust_scheme director_pair[2];
void director_make_keys(struct fixture *f, const char *name, const enum trust_scheme *schemes, size_t count,
                        char path[128]);
/* Files; NULL: none. */
void director_use_keys(struct fixture *f, const char *director, const char *manifest);
/* Signatures made so far. */
uint64_t director_count(struct fixture *f, enum director_kind kind);

void director_sql(struct fixture *f, char *text);
/* "gw" for the model "m", as if the vendor had signed it. */
struct release director_publish(struct fixture *f, const char *version);
void director_install(struct fixture *f, const struct release *r, const char *from);

/* Steps of the writer, on a struct director_work. */
int director_run_look(struct fixture *f, struct db *db, void *arg, struct err *e);
int director_run_store(struct fixture *f, struct db *db, void *arg, struct err *e);
/* As the server does: until it must be signed, or is there; and to the end. */
int director_try_look(struct fixture *f, struct director_work *w);
int director_try_fetch(struct fixture *f, enum director_kind kind, const char *id, struct director_work *out);

struct director_named {
    int64_t version, expires_s, length;
    const char *path; /* what it names, "" for nothing, with a blank between several */
    struct str text;
    bool signed_now;
};
/* The targets.json of d1. */
struct director_named director_fetch(struct fixture *f);
void assert_named(struct director_named n, const char *path, bool signed_now);

#endif
