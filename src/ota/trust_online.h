/*
 * Snapshot and timestamp of the image repository: what the server signs itself, over what the vendor signed
 * offline. Made when something was published, at start, after SIGHUP and a restore, and when a third of their
 * life is left; never for a request.
 *
 * The server asks trust_view_due at a timer; when it says so, it calls online_begin, then ota_online_look on
 * a reader, ota_online_sign on a worker for signatures, ota_online_store in the writer, and online_end in any
 * case. After a step, online_idle tells that nothing is left to do.
 */
#ifndef PQOTA_OTA_TRUST_ONLINE_H
#define PQOTA_OTA_TRUST_ONLINE_H

#include "ota/ota.h"
#include "ota/trust.h"
#include "ota/trust_view.h"
#include "store/metadata.h"

#define TRUST_SPACE_BYTES ((size_t)1 << 26) /* that one reading of files may take; touched as it is used */

struct online_set {         /* what is in force besides: what they are made of */
    struct metadata root;   /* with its body */
    struct metadata *items; /* targets and delegated roles, no bodies */
    size_t count;
    struct metadata snapshot, timestamp; /* version 0: none yet */
};

/* Reads it of the image repository; root.version 0: there is none yet. */
int online_read(struct db *db, struct arena *a, struct online_set *out, struct err *e) MUST_CHECK;
/* ERR_CONFLICT unless it is still in force. Writer only. */
int online_check(struct db *db, const struct online_set *was, struct err *e) MUST_CHECK;

/*
 * Signs a new snapshot (unless NULL) and timestamp over the set, and checks them by its root. Needs no
 * database. ERR_NOT_FOUND: this server has no key for it. ERR_MISMATCH: the root names others.
 */
int online_make(struct ota *ota, const struct online_set *set, struct arena *a, struct metadata *snapshot,
                struct metadata *timestamp, struct err *e) MUST_CHECK;

struct online_work {
    struct arena arena;
    bool anew;
    struct online_set set;
    bool sign_snapshot, sign_timestamp;
    struct metadata snapshot, timestamp; /* made */
};
void online_begin(struct ota *ota, struct online_work *w);
/* rc: of the whole; a failure makes it due again soon. Frees what the work holds. */
void online_end(struct ota *ota, struct online_work *w, int rc);
static inline bool online_idle(const struct online_work *w)
{
    return !w->sign_timestamp;
}

/* People should look: what they sign ends soon; what the server signs itself was not renewed. */
bool online_is_late(const struct trust_row *r, int64_t now_ms);

/* Also notes how long each role is good, and says in the log what ends soon, once a day. */
int ota_online_look(struct ota *ota, struct db *db, struct online_work *w, struct err *e) MUST_CHECK;
int ota_online_sign(struct ota *ota, struct online_work *w, struct err *e) MUST_CHECK;
int ota_online_store(struct ota *ota, struct db *db, struct online_work *w, struct err *e) MUST_CHECK;

#endif
