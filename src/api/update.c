/* GET /api/update, and POST /api/update/{action}/status and consent: what a device should do, whether its
   user agrees, and how it goes. */
#include "api/api.h"
#include "api/firmware_json.h"
#include "ota/consent.h"
#include "ota/ota.h"
#include "ota/poll.h"
#include "ota/report.h"
#include "ota/seen.h"

#define REPORT_MAX 16384 /* bytes of a report's body */

static const char *must_word(enum poll_must m)
{
    return m == POLL_FORCED ? "forced" : m == POLL_ATTEMPT ? "attempt" : "skip";
}

/* One that waits for its user's consent has nothing to fetch yet. */
static int put_work(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *root, const struct poll_answer *a)
{
    if (a->action.state == ACTION_WAITING)
        return 0;
    yyjson_mut_obj_add_str(doc, root, "download", must_word(a->terms.download));
    yyjson_mut_obj_add_str(doc, root, "install", must_word(a->terms.install));
    return firmware_put_artifacts(c, doc, root, &a->release);
}

static int reply_update(struct call *c, const struct poll_answer *a)
{
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_obj_add_sint(doc, root, "action", a->action.pk);
    yyjson_mut_obj_add_sint(doc, root, "deployment", a->action.deployment);
    yyjson_mut_obj_add_str(doc, root, "state", action_state_word(a->action.state));
    yyjson_mut_val *release =
        firmware_put_name(doc, root, a->release.pk, a->release.name, a->release.version);
    yyjson_mut_obj_add_str(doc, release, "notes", a->release.notes);
    int rc = put_work(c, doc, root, a);
    yyjson_mut_obj_add_sint(doc, root, "poll", c->ota->poll_seconds);
    if (rc == 0)
        http_reply_json(c->res, c->arena, 200, doc);
    return rc;
}

/* What the device is able to, if it says so: older agents do not. */
static int query_able(struct call *c, const char *name, bool *out)
{
    const char *word;
    int rc = api_query_text(c, name, str_is_name, &word);
    if (rc == 0 && word != NULL && strcmp(word, "yes") != 0 && strcmp(word, "no") != 0)
        return err_set(&c->err, ERR_INVALID, "%s= is yes or no", name);
    *out = rc == 0 && word != NULL && strcmp(word, "yes") == 0;
    return rc;
}

/* Not one that waits for a user whom the device cannot ask, or that would be installed at once by an agent
   that does not know that it is not to be. */
static bool may_tell(const struct poll_answer *a, bool asks, bool holds)
{
    if (a->action.state == ACTION_WAITING)
        return asks;
    return a->terms.install != POLL_SKIP || holds || !action_may_cancel(a->action.state);
}

static int poll(struct call *c)
{
    const char *version;
    struct poll_answer a;
    bool asks = false, holds = false;
    int rc = api_query_text(c, "version", str_is_name, &version);
    if (rc == 0)
        rc = query_able(c, "consent", &asks);
    if (rc == 0)
        rc = query_able(c, "hold", &holds);
    if (rc != 0)
        return rc;
    const int64_t now = clock_unix_ms(c->ota->clock);
    if (!c->writing)
        seen_touch(c->ota->seen, c->who->id, now);
    const struct poll_question q = {
        .device = c->who->id, .now_ms = now, .version = str_of(version), .transport = c->who->transport};
    rc = ota_poll(c->ota, c->db, c->writing, c->arena, &q, &a, &c->err);
    if (rc == POLL_UPGRADE)
        return CALL_UPGRADE;
    const char *interval = arena_i64(c->arena, c->ota->poll_seconds);
    if (rc == 0 && interval == NULL)
        rc = api_no_memory(c);
    if (rc != 0)
        return rc;
    http_set(c->res, "Poll-Interval", interval);
    http_set(c->res, "Cache-Control", "no-store");
    if (a.update && may_tell(&a, asks, holds))
        return reply_update(c, &a);
    http_reply_empty(c->res, 204);
    return 0;
}

static int report(struct call *c)
{
    int64_t action;
    struct report r;
    auto_json yyjson_doc *doc = NULL;
    int rc = api_param_id(c, 0, &action);
    if (rc == 0)
        rc = api_body(c, &doc);
    if (rc == 0)
        rc = ota_report_read(yyjson_doc_get_root(doc), &r, &c->err);
    if (rc == 0)
        rc = ota_report(c->ota, c->db, c->arena, c->who->id, action, &r, &c->err);
    if (rc != 0)
        return rc;
    seen_touch(c->ota->seen, c->who->id, clock_unix_ms(c->ota->clock));
    http_reply_empty(c->res, 204);
    return 0;
}

static int consent(struct call *c)
{
    int64_t action;
    struct str answer;
    const char *message;
    auto_json yyjson_doc *doc = NULL;
    int rc = api_param_id(c, 0, &action);
    if (rc == 0)
        rc = api_body(c, &doc);
    if (rc == 0)
        rc = json_get_str(yyjson_doc_get_root(doc), "answer", 16, &answer, &c->err);
    if (rc == 0)
        rc = api_get_text(c, yyjson_doc_get_root(doc), "message", ACTION_MESSAGE_MAX, &message);
    if (rc != 0)
        return rc;
    bool yes = str_is(answer, "confirmed");
    if (!yes && !str_is(answer, "denied"))
        return err_set(&c->err, ERR_INVALID, "\"answer\" is confirmed or denied");
    if (message == NULL)
        message = yes ? "the device's user agreed" : "the device's user refused";
    rc = ota_consent(c->ota, c->db, c->arena, c->who->id, action, yes, message, &c->err);
    if (rc != 0)
        return rc;
    seen_touch(c->ota->seen, c->who->id, clock_unix_ms(c->ota->clock));
    http_reply_empty(c->res, 204);
    return 0;
}

static const struct route rows[] = {
    {HTTP_GET, "/api/update", WHO_DEVICE, BODY_NONE, 0, {{LANE_READ, poll}}},
    {HTTP_POST, "/api/update/{}/status", WHO_DEVICE, BODY_JSON, REPORT_MAX, {{LANE_WRITE, report}}},
    {HTTP_POST, "/api/update/{}/consent", WHO_DEVICE, BODY_JSON, REPORT_MAX, {{LANE_WRITE, consent}}},
};

const struct route_table api_update_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
