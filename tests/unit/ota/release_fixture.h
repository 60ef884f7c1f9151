/* What tests of publishing, polling, reporting and deploying do over and over, on the fixture's store. */
#ifndef PQOTA_TESTS_OTA_RELEASE_FIXTURE_H
#define PQOTA_TESTS_OTA_RELEASE_FIXTURE_H

#include "identity_fixture.h"

#include <string.h>

#include "ota/deploy.h"
#include "ota/poll.h"
#include "ota/publish.h"
#include "ota/report.h"

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* As fixture_setup, with an interval and a bound on reports. */
int release_setup(void **state);

int64_t add_device(struct fixture *f, const char *id, const char *model);
void add_tag(struct fixture *f, const char *id, const char *tag);

/* models NULL: the name. */
int try_publish(struct fixture *f, const char *name, const char *version, const char *models,
                const char *sha256, struct release *out, bool *made);
/* Must work; the hash is the version's own. */
struct release publish(struct fixture *f, const char *name, const char *version, const char *models);
int try_unpublish(struct fixture *f, int64_t release);

int try_deploy(struct fixture *f, int64_t release, enum target_kind kind, const char *target, bool downgrade,
               struct deployment *out);
int64_t deploy(struct fixture *f, int64_t release, enum target_kind kind, const char *target);
void cancel(struct fixture *f, int64_t deployment);

/* As the server does: on the reader, and on the writer if that is asked for; *wrote tells. */
struct poll_answer poll_device(struct fixture *f, const char *id, const char *version, bool *wrote);
/* Is offered that release. Gives the action. */
int64_t assert_offered(struct fixture *f, const char *id, const char *version, int64_t release);
void assert_nothing(struct fixture *f, const char *id, const char *version);

int try_report(struct fixture *f, const char *id, int64_t action, enum action_state state,
               const char *version);
int try_report_full(struct fixture *f, const char *id, int64_t action, const struct report *r);

int64_t ask(struct fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *ask_text(struct fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
