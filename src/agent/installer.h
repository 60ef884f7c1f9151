/*
 * Installers: one row each in a table. An installer is given an artifact that was checked on the very
 * descriptor it gets, and answers the client library's questions (pqota_client.h, struct pqota_installer).
 */
#ifndef PQOTA_AGENT_INSTALLER_H
#define PQOTA_AGENT_INSTALLER_H

#include <stdbool.h>

#include "agent/config.h"
#include "agent/process.h"
#include "base/clock.h"
#include "pqota_client.h"

struct files;
struct installer;

struct installer_kind {
    const char *name;
    /* What the settings need for this one. */
    int (*check)(const struct agent_config *c, struct err *e);
    int (*running_version)(struct installer *in, char out[PQOTA_NAME_SIZE], struct err *e);
    enum pqota_install (*install)(struct installer *in, const struct pqota_artifact *a,
                                  char why[PQOTA_TEXT_SIZE]);
    enum pqota_confirm (*confirm)(struct installer *in, const struct pqota_artifact *a, uint32_t *wait_s,
                                  char why[PQOTA_TEXT_SIZE]);
    /* At the start, when no update is under way: puts right what an update left half-way whose state was
       lost. *wait_s > 0: ask again then. NULL: nothing can be left. */
    void (*recover)(struct installer *in, uint32_t *wait_s);
    /* `pqota-agent confirm`. NULL: this kind confirms by itself. */
    int (*mark_good)(struct installer *in, struct err *e);
};

extern const struct installer_kind installer_command, installer_slots, installer_rauc, installer_swupdate;

struct installer {
    const struct installer_kind *kind;
    const struct agent_config *config;
    struct files *files;
    int64_t (*now_s)(void *ctx); /* Unix seconds, never below the floor */
    void *now_ctx;
};

int installer_check(const struct agent_config *c, struct err *e) MUST_CHECK;
int installer_init(struct installer *in, const struct agent_config *c, struct files *files,
                   int64_t (*now_s)(void *ctx), void *now_ctx, struct err *e) MUST_CHECK;
/* The callbacks for the client library; `in` must outlive them. */
struct pqota_installer installer_callbacks(struct installer *in);

/* --- for the installers themselves --- */

/* Runs a configured command with PQOTA_NAME, PQOTA_VERSION, PQOTA_SHA256, PQOTA_SIZE, PQOTA_FILENAME, and
   with `file` PQOTA_FILE. `a` and `slot` may be NULL. true: it ended with 0; otherwise why says what
   happened. */
struct installer_run {
    const char *what;    /* "the health command" */
    const char *command; /* as configured */
    const struct pqota_artifact *artifact;
    const char *slot; /* PQOTA_SLOT */
    const char *last; /* one more argument, or NULL */
    bool file;
    int64_t timeout_s;
    int code; /* out: its exit code, -1 when it did not run or not end */
};
bool installer_run(struct installer *in, struct installer_run *r, char why[PQOTA_TEXT_SIZE]);

/* version_command or version_file. */
int installer_version(struct installer *in, char out[PQOTA_NAME_SIZE], struct err *e) MUST_CHECK;
int installer_version_check(const struct agent_config *c, struct err *e) MUST_CHECK;
/* The first line of a file as a version. */
int installer_read_version(const char *path, char out[PQOTA_NAME_SIZE], struct err *e) MUST_CHECK;
/* For the kinds whose way back is not ours: health command, then good_command, or bad_command and a reboot.
   */
enum pqota_confirm installer_confirm(struct installer *in, const struct pqota_artifact *a, const char *good,
                                     const char *bad, uint32_t *wait_s, char why[PQOTA_TEXT_SIZE]);

#endif
