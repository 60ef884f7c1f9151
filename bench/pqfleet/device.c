#include "pqfleet/device.h"

#include <stdlib.h>

#define SECOND 1e9
#define BACKOFF_FIRST 0.1 /* seconds */
#define BACKOFF_POWER_MAX 10

static const struct protocol *protocol_of(const struct sim *s)
{
    return s->options->protocol == PROTOCOL_DDI ? &protocol_ddi : &protocol_native;
}

/* --- versions ------------------------------------------------------------------------------------------ */

int names_number(struct names *n, struct str name, uint16_t *out, struct err *e)
{
    for (size_t i = 0; i < n->count; i++) {
        if (str_is(name, n->list[i])) {
            *out = (uint16_t)i;
            return 0;
        }
    }
    if (n->count == NAMES_MAX)
        return err_set(e, ERR_TOO_LARGE, "the server offers more than %d versions", NAMES_MAX);
    char *copy = strndup(name.p, name.n);
    if (copy == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a version");
    *out = (uint16_t)n->count;
    n->list[n->count++] = copy;
    return 0;
}

void names_fini(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->list[i]);
    n->count = 0;
}

const char *device_version(const struct sim *s, uint16_t number)
{
    return s->names.list[number];
}

/* --- life ---------------------------------------------------------------------------------------------- */

void device_init(struct device *d, const struct sim *s, uint64_t number)
{
    *d = (struct device){.number = (uint32_t)number, .chance = draw_start(s->options->seed, number)};
}

static void drop_artifacts(struct device *d)
{
    while (d->artifacts != NULL) {
        struct artifact *next = d->artifacts->next;
        free(d->artifacts);
        d->artifacts = next;
    }
}

void device_unlink(struct device *d)
{
    free(d->link);
    d->link = NULL;
}

void device_fini(struct device *d)
{
    drop_artifacts(d);
    device_unlink(d);
}

void device_id(const struct sim *s, const struct device *d, char out[DEVICE_ID_MAX])
{
    snprintf(out, DEVICE_ID_MAX, "%s%07u", s->options->id_prefix, (unsigned)d->number);
}

int device_link(struct device *d, struct str path, struct err *e)
{
    device_unlink(d);
    d->link = strndup(path.p, path.n);
    return d->link != NULL ? 0 : err_set(e, ERR_NOMEM, "no memory for a link");
}

void device_go(struct device *d, enum step step)
{
    d->step = (uint8_t)step;
    d->wait = 0;
}

/* Around that many seconds. */
static uint64_t about(struct device *d, double seconds, double jitter)
{
    return (uint64_t)(seconds * (1 + jitter * (2 * draw_next(&d->chance) - 1)) * SECOND);
}

void device_rest(const struct sim *s, struct device *d)
{
    d->step = STEP_POLL;
    d->wait = about(d, s->options->interval, s->options->jitter);
}

static void settle(struct sim *s, struct device *d, bool settled)
{
    s->counts->settled += (uint64_t)settled - (uint64_t)d->settled;
    d->settled = settled;
}

static void note(struct sim *s, const struct device *d, int32_t action, uint32_t attempt, enum outcome how,
                 int status)
{
    char id[DEVICE_ID_MAX];
    s->counts->outcomes[how]++;
    if (s->fates == NULL)
        return;
    device_id(s, d, id);
    fprintf(s->fates, "%s %d %u %s %d %s\n", id, (int)action, (unsigned)attempt, outcome_names[how], status,
            device_version(s, d->running));
}

void device_finish(struct sim *s, struct device *d, enum outcome how, int status)
{
    note(s, d, d->action, d->attempt, how, status);
    d->past = d->action;
    d->action = 0;
    d->stage = STAGE_NONE;
    d->dealt = true;
    drop_artifacts(d);
    if (how == OUTCOME_VANISHED) {
        d->step = STEP_GONE;
        device_unlink(d);
        settle(s, d, true);
    }
}

/* What is said of an action that the server does not speak of any more, or of where it stands at the end. */
static const enum outcome outcome_of_stage[STAGES] = {
    [STAGE_ASKED] = OUTCOME_ASKED,           [STAGE_DENIED] = OUTCOME_DENIED,
    [STAGE_OFFERED] = OUTCOME_OFFERED,       [STAGE_PROCEEDING] = OUTCOME_PROCEEDING,
    [STAGE_DOWNLOADED] = OUTCOME_DOWNLOADED, [STAGE_HUNG] = OUTCOME_HUNG,
    [STAGE_REPORTING] = OUTCOME_REPORTING,   [STAGE_CLAIMED] = OUTCOME_CLAIMED,
};

static void leave(struct sim *s, struct device *d)
{
    enum outcome how = outcome_of_stage[d->stage];
    if (d->stage == STAGE_ASKED || d->stage == STAGE_OFFERED)
        how = OUTCOME_WITHDRAWN;
    device_finish(s, d, how, 0);
}

void device_end(struct sim *s, struct device *d)
{
    if (d->stage != STAGE_NONE)
        device_finish(s, d, outcome_of_stage[d->stage], 0);
}

/* --- what is offered ----------------------------------------------------------------------------------- */

int device_check(const struct device *d, int64_t action, struct err *e)
{
    if (action != d->past)
        return 0;
    return err_set(e, ERR_CONFLICT, "action %lld is offered again, although the device ended it",
                   (long long)action);
}

void device_begin(struct sim *s, struct device *d, int64_t action, enum stage stage)
{
    if (d->stage != STAGE_NONE && d->action != action)
        leave(s, d);
    settle(s, d, false);
    if (d->stage == STAGE_NONE) {
        const struct options *o = s->options;
        d->action = (int32_t)action;
        d->attempt++;
        d->fate = (uint8_t)draw_fate(&o->rates, o->seed, d->number, d->attempt);
        d->deny = draw_denial(&o->rates, o->seed, d->number, d->attempt);
        d->broken = false;
        d->stage = (uint8_t)stage;
    }
}

static int keep_artifacts(struct device *d, const struct offer *o, struct err *e)
{
    drop_artifacts(d);
    for (size_t i = o->file_count; i-- > 0;) {
        const struct offer_file *f = &o->files[i];
        struct artifact *a = calloc(1, sizeof *a + f->path.n + 1);
        if (a == NULL)
            return err_set(e, ERR_NOMEM, "no memory for an artifact's link");
        a->size = f->size;
        memcpy(a->sha256, f->sha256, sizeof a->sha256);
        memcpy(a->path, f->path.p, f->path.n);
        a->next = d->artifacts;
        d->artifacts = a;
    }
    return 0;
}

static void begin_report(struct device *d, enum report r)
{
    d->report = (uint8_t)r;
    device_go(d, STEP_REPORT);
    if (r == REPORT_SUCCESS || r == REPORT_FAILURE)
        d->stage = STAGE_REPORTING;
}

int device_offered(struct sim *s, struct device *d, const struct offer *o, struct err *e)
{
    int rc = names_number(&s->names, o->version, &d->offered, e);
    bool had = d->stage == STAGE_DOWNLOADED;
    if (rc == 0 && !had && s->options->download != DOWNLOAD_NONE)
        rc = keep_artifacts(d, o, e);
    if (rc != 0)
        return rc;
    d->install = o->install;
    d->window = o->window;
    if (!had) {
        s->counts->offers++;
        d->stage = STAGE_OFFERED;
    }
    if (d->fate == FATE_VANISH)
        device_finish(s, d, OUTCOME_VANISHED, 200);
    else if (!o->download || (had && !o->install))
        device_rest(s, d);
    else
        begin_report(d, REPORT_PROCEEDING);
    return 0;
}

void device_idle(struct sim *s, struct device *d, bool nothing)
{
    if (nothing && d->stage != STAGE_NONE)
        leave(s, d);
    if (d->dealt || d->stage == STAGE_HUNG || d->stage == STAGE_DENIED)
        settle(s, d, true);
    device_rest(s, d);
}

/* --- how it goes --------------------------------------------------------------------------------------- */

static bool fails(const struct sim *s, const struct device *d)
{
    const char *bad = s->options->bad_version;
    return d->broken || d->fate == FATE_FAIL ||
           (bad != NULL && strcmp(bad, device_version(s, d->offered)) == 0);
}

/* Fetches what is left to fetch; then goes on. */
static void advance(struct sim *s, struct device *d)
{
    if (d->artifacts != NULL && !d->broken) {
        device_go(d, STEP_FETCH);
        return;
    }
    bool bad = fails(s, d);
    if (!d->install && (d->window || !bad)) {
        begin_report(d, d->broken ? REPORT_FAILURE : REPORT_DOWNLOADED);
        return;
    }
    if (s->options->protocol == PROTOCOL_NATIVE && d->report == REPORT_PROCEEDING && !d->broken) {
        begin_report(d, REPORT_INSTALLING);
        return;
    }
    begin_report(d, bad ? REPORT_FAILURE : REPORT_SUCCESS);
    d->wait = d->broken ? 0 : about(d, s->options->install, s->options->jitter);
}

static void proceeded(struct sim *s, struct device *d)
{
    d->stage = STAGE_PROCEEDING;
    if (d->fate != FATE_HANG) {
        advance(s, d);
        return;
    }
    d->stage = STAGE_HUNG;
    drop_artifacts(d);
    device_idle(s, d, false);
}

static void ended(struct sim *s, struct device *d, int status)
{
    device_rest(s, d);
    if (d->report == REPORT_FAILURE) {
        device_finish(s, d, OUTCOME_FAILURE, status);
    } else if (d->fate != FATE_FALL_BACK) {
        d->running = d->offered;
        device_finish(s, d, OUTCOME_SUCCESS, status);
    } else {
        d->stage = STAGE_CLAIMED; /* until it has told what really runs */
    }
}

static void reported(struct sim *s, struct device *d, int status)
{
    s->counts->reports++;
    enum report r = (enum report)d->report;
    if (r == REPORT_SUCCESS || r == REPORT_FAILURE) {
        ended(s, d, status);
    } else if (status >= 300) {
        device_rest(s, d);
        device_finish(s, d, OUTCOME_WITHDRAWN, status);
    } else if (r == REPORT_DOWNLOADED) {
        d->stage = STAGE_DOWNLOADED;
        device_rest(s, d);
    } else if (r == REPORT_PROCEEDING) {
        proceeded(s, d);
    } else {
        advance(s, d);
    }
}

void device_cancelled(struct sim *s, struct device *d, int status)
{
    s->counts->reports++;
    device_rest(s, d);
    if (d->stop == d->action)
        device_finish(s, d, OUTCOME_CANCELLED, status);
    else if (d->stop != d->past) /* before it was looked at */
        note(s, d, d->stop, 0, OUTCOME_CANCELLED, status);
    d->past = d->stop;
    d->dealt = true;
}

static void consented(struct sim *s, struct device *d, int status)
{
    s->counts->consents++;
    if (status >= 300)
        device_finish(s, d, OUTCOME_WITHDRAWN, status);
    else if (d->deny)
        d->stage = STAGE_DENIED;
    device_rest(s, d);
    if (status < 300 && !d->deny)
        device_go(d, STEP_POLL); /* what it agreed to is there now */
}

static void fetched(struct sim *s, struct device *d, const struct answer *a)
{
    struct err e = {0};
    struct artifact *f = d->artifacts;
    bool full = s->options->download == DOWNLOAD_FULL;
    int rc = 0;
    if (a->status != 200)
        rc = err_set(&e, ERR_NOT_FOUND, "an artifact was offered, and is answered with %d", a->status);
    else if (a->length != f->size || (full && memcmp(a->sha256, f->sha256, sizeof f->sha256) != 0))
        rc = err_set(&e, ERR_MISMATCH, "an artifact of %llu bytes came, not the %llu that were offered%s",
                     (unsigned long long)a->length, (unsigned long long)f->size,
                     a->length == f->size ? " (another SHA-256)" : "");
    s->counts->downloads++;
    s->counts->download_bytes += full ? a->length : 0;
    d->artifacts = f->next;
    free(f);
    d->broken = rc != 0;
    advance(s, d);
    if (rc != 0)
        counts_error(s->counts, ERROR_REPLY, e.text);
}

/* --- answers ------------------------------------------------------------------------------------------- */

static enum ask_kind kind_of(const struct device *d)
{
    switch ((enum step)d->step) {
    case STEP_POLL:
        return ASK_POLL;
    case STEP_REPORT:
    case STEP_CONSENT:
    case STEP_CANCELLED:
        return ASK_REPORT;
    case STEP_FETCH:
        return ASK_FETCH;
    default:
        return ASK_OTHER;
    }
}

int device_ask(const struct sim *s, const struct device *d, struct ask *out, struct err *e)
{
    out->kind = kind_of(d);
    out->method = "GET";
    out->body_n = 0;
    if (out->kind != ASK_FETCH)
        return protocol_of(s)->ask(s, d, out, e);
    out->method = s->options->download == DOWNLOAD_HEAD ? "HEAD" : "GET";
    snprintf(out->path, sizeof out->path, "%s", d->artifacts->path);
    return 0;
}

int device_take(struct sim *s, struct device *d, const struct answer *a, struct err *e)
{
    /* 405: there is nothing to be cancelled any more. */
    bool over = a->status == 404 || a->status == 410 || (a->status == 405 && d->step == STEP_CANCELLED);
    enum ask_kind kind = kind_of(d);
    if (!over && (a->status < 200 || a->status > 299))
        return err_set(e, ERR_BUSY, "%s is answered with %d: %.*s",
                       kind == ASK_POLL     ? "a poll"
                       : kind == ASK_REPORT ? "a report"
                                            : "a request",
                       a->status, (int)(a->body.n < 200 ? a->body.n : 200), a->body.n > 0 ? a->body.p : "");
    int rc = 0;
    switch ((enum step)d->step) {
    case STEP_REPORT:
        reported(s, d, a->status);
        break;
    case STEP_CONSENT:
        consented(s, d, a->status);
        break;
    case STEP_FETCH:
        fetched(s, d, a);
        break;
    default:
        rc = protocol_of(s)->take(s, d, a, e);
    }
    if (rc == 0)
        d->failures = 0;
    return rc;
}

void device_failed(struct sim *s, struct device *d)
{
    enum ask_kind kind = kind_of(d);
    double wait = BACKOFF_FIRST * (double)(1U << d->failures);
    if (d->failures < BACKOFF_POWER_MAX)
        d->failures++;
    if (wait > s->options->backoff)
        wait = s->options->backoff;
    if (kind == ASK_REPORT)
        s->counts->repeats++;
    else if (kind == ASK_OTHER)
        d->step = STEP_POLL;
    d->wait = about(d, wait, 0.5);
}
