/* What is said over MQTT. */
#include "base/clock.h"
#include "base/json.h"
#include "ota/announce.h"
#include "ota/poll.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/devices.h"
#include "store/events.h"
#include "store/members.h"
#include "store/releases.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for an announcement");
}

static int64_t jitter_of(const struct announcer *by, int64_t devices)
{
    if (devices < by->wakes_per_second)
        return 0;
    int64_t seconds = (devices + by->wakes_per_second - 1) / by->wakes_per_second;
    return seconds < ANNOUNCE_JITTER_MAX ? seconds : ANNOUNCE_JITTER_MAX;
}

static int deployment_jitter(struct announcer *by, struct db *db, const struct deployment *d, int64_t *out,
                             struct err *e)
{
    for (size_t i = 0; i < ANNOUNCE_KNOWN; i++)
        if (by->known[i].deployment == d->pk) {
            *out = by->known[i].seconds;
            return 0;
        }
    int64_t devices;
    int rc = store_deployment_reach(db, d, ANNOUNCE_JITTER_MAX * by->wakes_per_second, &devices, e);
    if (rc != 0)
        return rc;
    size_t at = by->next_known++ % ANNOUNCE_KNOWN;
    by->known[at].deployment = d->pk;
    by->known[at].seconds = *out = jitter_of(by, devices);
    return 0;
}

static int finish(yyjson_mut_doc *doc, struct arena *a, const char *topic, bool retain,
                  struct announcement *out, struct err *e)
{
    struct announcement made = {.topic = topic, .payload = json_write(doc, a), .retain = retain};
    if (topic == NULL || made.payload.p == NULL)
        return no_memory(e);
    *out = made;
    return 1;
}

static yyjson_mut_doc *new_object(yyjson_mut_val **root)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    *root = doc != NULL ? yyjson_mut_obj(doc) : NULL;
    if (doc != NULL)
        yyjson_mut_doc_set_root(doc, *root);
    return doc;
}

static void put_time(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, int64_t ms)
{
    char text[CLOCK_TEXT_MAX];
    yyjson_mut_obj_add_strcpy(doc, obj, key, clock_format(ms, text));
}

/* --- releases ------------------------------------------------------------------------------------------ */

static int write_release(const struct announcer *by, struct db *db, struct arena *a, const struct release *r,
                         struct announcement *out, struct err *e)
{
    int64_t devices;
    int rc = store_release_reach(db, r->pk, &devices, e);
    const char *url = arena_printf(a, "%s/api/firmware/%lld/file", by->base_url, (long long)r->pk);
    yyjson_mut_val *root;
    auto_json_mut yyjson_mut_doc *doc = new_object(&root);
    if (rc != 0)
        return rc;
    if (doc == NULL || url == NULL)
        return no_memory(e);
    yyjson_mut_obj_add_str(doc, root, "version", r->version);
    yyjson_mut_obj_add_str(doc, root, "name", r->name);
    yyjson_mut_obj_add_str(doc, root, "model", r->model_count > 0 ? r->models[0] : "");
    yyjson_mut_val *models = yyjson_mut_obj_add_arr(doc, root, "models");
    for (size_t i = 0; i < r->model_count; i++)
        yyjson_mut_arr_add_str(doc, models, r->models[i]);
    yyjson_mut_obj_add_sint(doc, root, "release", r->pk);
    if (r->artifact_count > 0) {
        yyjson_mut_obj_add_sint(doc, root, "size", r->artifacts[0].size);
        yyjson_mut_obj_add_str(doc, root, "sha256", r->artifacts[0].sha256);
        yyjson_mut_obj_add_str(doc, root, "url", url);
    }
    yyjson_mut_obj_add_sint(doc, root, "jitter_seconds", jitter_of(by, devices));
    return finish(doc, a, ANNOUNCE_RELEASE_TOPIC, true, out, e);
}

/* What is retained was perhaps the deleted one: then the newest that is left takes its place. */
static int replace_deleted(const struct announcer *by, struct db *db, struct arena *a,
                           const struct release *deleted, struct announcement *out, struct err *e)
{
    const enum release_state published = RELEASE_PUBLISHED;
    const struct release_filter filter = {.state = &published};
    struct release *left;
    size_t count;
    bool more;
    int rc = store_release_list(db, a, &filter, 0, 1, &left, &count, &more, e);
    if (rc != 0 || (count > 0 && left[0].pk > deleted->pk))
        return rc;
    if (count > 0)
        return write_release(by, db, a, &left[0], out, e);
    *out = (struct announcement){.topic = ANNOUNCE_RELEASE_TOPIC, .retain = true};
    return 1;
}

int ota_say_release(const struct announcer *by, struct db *db, struct arena *a, int64_t release,
                    struct announcement *out, struct err *e)
{
    struct release r;
    int rc = store_release_by_pk(db, a, release, &r, e);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc == 0 && r.deleted_at != 0)
        return replace_deleted(by, db, a, &r, out, e);
    if (rc == 0)
        rc = store_release_details(db, a, &r, e);
    if (rc != 0 || r.state != RELEASE_PUBLISHED)
        return rc;
    return write_release(by, db, a, &r, out, e);
}

/* --- devices ------------------------------------------------------------------------------------------- */

static int write_device(struct announcer *by, struct db *db, struct arena *a, const char *topic,
                        int64_t deployment, struct announcement *out, struct err *e)
{
    struct deployment d;
    int64_t jitter;
    yyjson_mut_val *root;
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    if (rc == 0)
        rc = deployment_jitter(by, db, &d, &jitter, e);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = new_object(&root);
    if (doc == NULL)
        return no_memory(e);
    yyjson_mut_obj_add_sint(doc, root, "deployment", d.pk);
    yyjson_mut_obj_add_sint(doc, root, "release", d.release);
    yyjson_mut_obj_add_str(doc, root, "name", d.release_name);
    yyjson_mut_obj_add_str(doc, root, "version", d.release_version);
    yyjson_mut_obj_add_sint(doc, root, "jitter_seconds", jitter);
    put_time(doc, root, "at", d.created_at);
    return finish(doc, a, topic, true, out, e);
}

/* only: nothing is said if it is another deployment's turn, or none's; 0: whatever there is, is said. */
static int say_device(struct announcer *by, struct db *db, struct arena *a, int64_t device, int64_t only,
                      struct announcement *out, struct err *e)
{
    struct device d;
    int64_t deployment = 0;
    int rc = store_device_by_pk(db, a, device, &d, e);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc == 0)
        rc = ota_poll_expect(db, a, &d, clock_unix_ms(by->clock), &deployment, e);
    if (rc != 0 || (only != 0 && deployment != only))
        return rc;
    const char *topic = arena_printf(a, ANNOUNCE_DEVICE_TOPIC, d.id);
    if (topic == NULL)
        return no_memory(e);
    rc = 1;
    if (deployment != 0)
        rc = write_device(by, db, a, topic, deployment, out, e);
    else
        *out = (struct announcement){.topic = topic, .retain = true};
    if (rc == 1)
        out->position = device;
    return rc;
}

int ota_say_device(struct announcer *by, struct db *db, struct arena *a, int64_t device,
                   struct announcement *out, struct err *e)
{
    return say_device(by, db, a, device, 0, out, e);
}

int ota_say_deployment(struct announcer *by, struct db *db, struct arena *a, int64_t deployment,
                       int64_t position, size_t look, struct announcement **out, size_t *count, int64_t *last,
                       bool *end, struct err *e)
{
    struct deployment d;
    int64_t members[ANNOUNCE_LOOK_MAX];
    size_t looked = 0, n = 0;
    look = look < ANNOUNCE_LOOK_MAX ? look : ANNOUNCE_LOOK_MAX;
    struct announcement *list = arena_array(a, struct announcement, look + 1);
    if (list == NULL)
        return no_memory(e);
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    if (rc == ERR_NOT_FOUND) {
        *count = 0;
        *last = position;
        *end = true;
        return 0;
    }
    if (rc == 0)
        rc = store_member_told(db, &d, position, look, members, &looked, last, end, e);
    if (rc != 0)
        return rc;
    /* Cancelled: whatever is left for them to do takes its place. */
    int64_t only = d.state == DEPLOYMENT_RUNNING ? d.pk : 0;
    for (size_t i = 0; rc == 0 && i < looked; i++) {
        rc = say_device(by, db, a, members[i], only, &list[n], e);
        if (rc == 1) {
            n++;
            rc = 0;
        }
    }
    if (rc != 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}

/* --- events -------------------------------------------------------------------------------------------- */

static int write_event(struct arena *a, const struct event *v, struct announcement *out, struct err *e)
{
    yyjson_mut_val *root;
    auto_json_mut yyjson_mut_doc *doc = new_object(&root);
    if (doc == NULL)
        return no_memory(e);
    yyjson_mut_obj_add_sint(doc, root, "id", v->id);
    put_time(doc, root, "at", v->at);
    yyjson_mut_obj_add_str(doc, root, "kind", v->kind);
    yyjson_mut_obj_add_str(doc, root, "who", v->who);
    yyjson_mut_obj_add_str(doc, root, "address", v->address);
    yyjson_mut_obj_add_str(doc, root, "subject", v->subject);
    yyjson_mut_obj_add_str(doc, root, "detail", v->detail);
    int rc = finish(doc, a, ANNOUNCE_EVENT_TOPIC, false, out, e);
    if (rc == 1)
        out->position = v->id;
    return rc;
}

int ota_say_events(struct db *db, struct arena *a, int64_t after, size_t limit, struct announcement **out,
                   size_t *count, struct err *e)
{
    struct event *events;
    size_t n;
    int rc = store_event_after(db, a, after, limit, &events, &n, e);
    if (rc != 0)
        return rc;
    struct announcement *list = arena_array(a, struct announcement, n + 1);
    if (list == NULL)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        rc = write_event(a, &events[i], &list[i], e);
        if (rc < 0)
            return rc;
    }
    *out = list;
    *count = n;
    return 0;
}
