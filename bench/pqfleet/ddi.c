/* A device that speaks hawkBit's device protocol (DDI v1). */
#include "pqfleet/ddi_read.h"
#include "pqfleet/device.h"

#define BASE_MAX 160

static struct str base_of(const struct sim *s, const struct device *d, char out[BASE_MAX])
{
    char id[DEVICE_ID_MAX];
    device_id(s, d, id);
    int n = snprintf(out, BASE_MAX, "/%s/controller/v1/%s", s->options->tenant, id);
    return (struct str){.p = out, .n = (size_t)n};
}

/* --- what it asks -------------------------------------------------------------------------------------- */

static int put_attributes(const struct sim *s, const struct device *d, struct ask *out, struct err *e)
{
    const struct options *o = s->options;
    int n = snprintf(out->body, sizeof out->body, "{\"mode\":\"merge\",\"data\":{\"version\":\"%s\"",
                     device_version(s, d->running));
    for (size_t i = 0; i < o->attribute_count && n > 0 && (size_t)n < sizeof out->body; i++) {
        const char *pair = o->attributes[i], *equals = strchr(pair, '=');
        n += snprintf(out->body + n, sizeof out->body - (size_t)n, ",\"%.*s\":\"%s\"", (int)(equals - pair),
                      pair, equals + 1);
    }
    if (n > 0 && (size_t)n < sizeof out->body)
        n += snprintf(out->body + n, sizeof out->body - (size_t)n, "}}");
    if (n < 0 || (size_t)n >= sizeof out->body)
        return err_set(e, ERR_TOO_LARGE, "the attributes are more than %d bytes", ASK_BODY_MAX);
    out->method = "PUT";
    out->body_n = (size_t)n;
    return 0;
}

static void post_feedback(struct ask *out, int32_t action, const char *execution, const char *result,
                          const char *detail)
{
    out->method = "POST";
    out->body_n = (size_t)snprintf(out->body, sizeof out->body,
                                   "{\"id\":\"%d\",\"status\":{\"execution\":\"%s\",\"result\":{\"finished\":"
                                   "\"%s\"},\"details\":[\"pqfleet: %s\"]}}",
                                   (int)action, execution, result, detail);
}

static void post_report(const struct device *d, struct ask *out)
{
    static const struct {
        const char *execution, *result, *detail;
    } rows[] = {
        [REPORT_PROCEEDING] = {"proceeding", "none", "begun"},
        [REPORT_DOWNLOADED] = {"downloaded", "none", "downloaded"},
        [REPORT_INSTALLING] = {"proceeding", "none", "installing"},
        [REPORT_SUCCESS] = {"closed", "success", "installed"},
        [REPORT_FAILURE] = {"closed", "failure", "it failed, as was drawn"},
    };
    const char *detail = d->broken ? "an artifact could not be had" : rows[d->report].detail;
    post_feedback(out, d->action, rows[d->report].execution, rows[d->report].result, detail);
}

static void post_consent(const struct device *d, struct ask *out)
{
    out->method = "POST";
    out->body_n = (size_t)snprintf(out->body, sizeof out->body,
                                   "{\"confirmation\":\"%s\",\"details\":[\"pqfleet: as was drawn\"]}",
                                   d->deny ? "denied" : "confirmed");
}

static int ask(const struct sim *s, const struct device *d, struct ask *out, struct err *e)
{
    char base[BASE_MAX];
    base_of(s, d, base);
    int n = 0, rc = 0;
    switch ((enum step)d->step) {
    case STEP_CONFIG:
        n = snprintf(out->path, sizeof out->path, "%s/configData", base);
        rc = put_attributes(s, d, out, e);
        break;
    case STEP_OFFER:
    case STEP_CANCEL:
        n = snprintf(out->path, sizeof out->path, "%s", d->link);
        break;
    case STEP_CONSENT:
        n = snprintf(out->path, sizeof out->path, "%s/confirmationBase/%d/feedback", base, (int)d->action);
        post_consent(d, out);
        break;
    case STEP_REPORT:
        n = snprintf(out->path, sizeof out->path, "%s/deploymentBase/%d/feedback", base, (int)d->action);
        post_report(d, out);
        break;
    case STEP_CANCELLED:
        n = snprintf(out->path, sizeof out->path, "%s/cancelAction/%d/feedback", base, (int)d->stop);
        post_feedback(out, d->stop, "closed", "success", "cancelled");
        break;
    default:
        n = snprintf(out->path, sizeof out->path, "%s", base);
    }
    if (rc == 0 && (n < 0 || (size_t)n >= sizeof out->path))
        rc = err_set(e, ERR_TOO_LARGE, "a path is longer than %d bytes", OFFER_PATH_MAX);
    return rc;
}

/* --- what it makes of the answer ----------------------------------------------------------------------- */

/* After a poll and, if that was asked for, telling attributes: looks at what there was. */
static void follow(struct sim *s, struct device *d, bool nothing)
{
    if (d->link != NULL)
        device_go(d, d->stop != 0 ? STEP_CANCEL : STEP_OFFER);
    else
        device_idle(s, d, nothing);
}

/* Whether the link is one to follow: not to what the device hangs in, has denied, or has ended. */
static int look_at(struct device *d, const struct ddi_poll *p, bool *worth, struct err *e)
{
    int64_t action = p->deployment != 0 ? p->deployment : p->confirmation;
    *worth = false;
    if (action == 0)
        return 0;
    if (d->action == action && (d->stage == STAGE_HUNG || (d->stage == STAGE_DENIED && p->confirmation != 0)))
        return 0;
    int rc = device_check(d, action, e);
    *worth = rc == 0;
    d->linked = (int32_t)action;
    return rc;
}

static int take_poll(struct sim *s, struct device *d, const struct answer *a, struct err *e)
{
    auto_json yyjson_doc *doc = NULL;
    char base[BASE_MAX];
    struct ddi_poll p;
    bool worth = false;
    device_unlink(d);
    if (a->status != 200)
        return err_set(e, ERR_BUSY, "a poll is answered with %d", a->status);
    int rc = json_parse_object(a->body, &doc, e);
    if (rc == 0)
        rc = ddi_read_poll(yyjson_doc_get_root(doc), base_of(s, d, base), &p, e);
    if (rc != 0)
        return rc;
    bool again = d->stage == STAGE_CLAIMED; /* until it told what really runs */
    bool news = p.config || again || d->told != d->running;
    struct err late = {0};
    if (p.cancel == 0 && !again)
        rc = look_at(d, &p, &worth, &late);
    if (rc != 0)
        counts_error(s->counts, ERROR_REPLY, late.text); /* and goes on as if it were not there */
    d->stop = (int32_t)p.cancel;
    d->consent = p.confirmation != 0;
    if (p.cancel != 0 || worth) {
        rc = device_link(d, p.path, e);
        if (rc != 0)
            return rc;
    }
    if (news)
        device_go(d, STEP_CONFIG);
    else
        follow(s, d, p.path.p == NULL);
    return 0;
}

static int take_config(struct sim *s, struct device *d, const struct answer *a, struct err *e)
{
    if (a->status > 299)
        return err_set(e, ERR_BUSY, "telling attributes is answered with %d", a->status);
    s->counts->configs++;
    d->told = d->running;
    if (d->stage == STAGE_CLAIMED) {
        device_rest(s, d);
        device_finish(s, d, OUTCOME_FELL_BACK, a->status);
    }
    if (d->link != NULL)
        follow(s, d, false);
    else
        device_rest(s, d); /* the next poll says whether there is nothing else */
    return 0;
}

static int take_offer(struct sim *s, struct device *d, const struct answer *a, struct err *e)
{
    auto_json yyjson_doc *doc = NULL;
    struct offer o;
    device_unlink(d);
    device_rest(s, d);
    if (a->status > 299)
        return 0; /* gone since the poll */
    int rc = json_parse_object(a->body, &doc, e);
    if (rc == 0)
        rc = ddi_read_offer(yyjson_doc_get_root(doc), d->consent ? "confirmation" : "deployment", &o, e);
    if (rc == 0 && o.action != d->linked)
        rc = err_set(e, ERR_INVALID, "the link to action %d leads to action %lld", (int)d->linked,
                     (long long)o.action);
    if (rc != 0)
        return rc;
    device_begin(s, d, o.action, d->consent ? STAGE_ASKED : STAGE_OFFERED);
    if (!d->consent)
        return device_offered(s, d, &o, e);
    device_go(d, STEP_CONSENT);
    return 0;
}

static int take_cancel(struct sim *s, struct device *d, const struct answer *a, struct err *e)
{
    auto_json yyjson_doc *doc = NULL;
    int64_t stop;
    device_unlink(d);
    device_rest(s, d);
    if (a->status > 299)
        return 0;
    int rc = json_parse_object(a->body, &doc, e);
    if (rc == 0)
        rc = ddi_read_cancel(yyjson_doc_get_root(doc), &stop, e);
    if (rc != 0)
        return rc;
    d->stop = (int32_t)stop;
    device_go(d, STEP_CANCELLED);
    return 0;
}

static int take(struct sim *s, struct device *d, const struct answer *a, struct err *e)
{
    switch ((enum step)d->step) {
    case STEP_CONFIG:
        return take_config(s, d, a, e);
    case STEP_OFFER:
        return take_offer(s, d, a, e);
    case STEP_CANCEL:
        return take_cancel(s, d, a, e);
    case STEP_CANCELLED:
        device_cancelled(s, d, a->status);
        return 0;
    default:
        return take_poll(s, d, a, e);
    }
}

const struct protocol protocol_ddi = {.ask = ask, .take = take};
