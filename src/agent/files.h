/* The agent's files in its state folder (mode 0700): the client library's storage, and where the rest lies.
   */
#ifndef PQOTA_AGENT_FILES_H
#define PQOTA_AGENT_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "pqota_client.h"

#define FILES_HEADROOM                                                                                       \
    (128 * 1024) /* bytes beside the artifact: of the state and the identity, while replaced */

struct files {
    char dir[PATH_MAX];
    char state[PATH_MAX]; /* the client library's */
    char artifact[PATH_MAX];
    char key[PATH_MAX];      /* the device's own, 0600 */
    char cert[PATH_MAX];     /* its chain */
    char cert_new[PATH_MAX]; /* a renewed one that was not used yet */
    char roots[PATH_MAX];    /* whom the device trusts; missing before enrolment */
    char roots_new[PATH_MAX];
    char server[PATH_MAX]; /* the address it enrolled at, and the policy */
    char model[PATH_MAX];  /* what enrolment said it is */
    char floor[PATH_MAX];  /* the clock's */
    char lock[PATH_MAX];
    char question[PATH_MAX], answer[PATH_MAX]; /* the user's consent: see consent.h */
    int artifact_fd;                           /* -1: none */
    int lock_fd;
};

/* Names everything; makes the folder if `make`. */
int files_open(struct files *f, const char *dir, bool make, struct err *e) MUST_CHECK;
void files_close(struct files *f);
/* One agent a folder: ERR_BUSY when another has it. */
int files_lock(struct files *f, struct err *e) MUST_CHECK;
/* Says in the lock's file that SIGUSR1 wakes this process, which has the lock. */
void files_may_wake(struct files *f);
/* The process that has the lock, if SIGUSR1 wakes it; else 0. */
pid_t files_woken(const struct files *f);
/* Removes what a cut-off write left beside the files of a folder (*.tmp, *.check). */
void files_sweep(const char *dir);
/* The descriptor that is written, checked and installed; -1 when there is no artifact. */
int files_artifact_fd(const struct files *f);
const char *files_artifact_path(const struct files *f);
/* For an installer that wants the file for itself; the storage opens it again when it needs it. */
void files_artifact_close(struct files *f);
/* `f` must outlive them. */
struct pqota_storage files_storage(struct files *f);
struct pqota_sha256 files_sha256(void **state); /* *state is NULL before, and freed by files_sha256_free */
void files_sha256_free(void **state);

#endif
