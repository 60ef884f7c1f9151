/* The server in the world. */
#include "world.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <yyjson.h>

static void note_report(struct world *w, const struct pqota_request *q)
{
    assert_true(w->reports_n < WORLD_REPORTS_MAX);
    struct world_report *r = &w->reports[w->reports_n++];
    memset(r, 0, sizeof *r);
    yyjson_doc *doc = yyjson_read(q->body, q->body_size, 0);
    assert_non_null(doc);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *text = yyjson_get_str(yyjson_obj_get(root, "state"));
    snprintf(r->state, sizeof r->state, "%s", text);
    text = yyjson_get_str(yyjson_obj_get(root, "version"));
    snprintf(r->version, sizeof r->version, "%s", text != NULL ? text : "");
    text = yyjson_get_str(yyjson_obj_get(root, "message"));
    snprintf(r->message, sizeof r->message, "%s", text != NULL ? text : "");
    yyjson_val *progress = yyjson_obj_get(root, "progress");
    r->progress = progress != NULL ? yyjson_get_int(progress) : -1;
    yyjson_doc_free(doc);
}

static int action_of(const struct world *w)
{
    return w->action != 0 ? w->action : 7;
}

static bool is_about(const struct world *w, const struct pqota_request *q, const char *what)
{
    char path[64];
    snprintf(path, sizeof path, "/api/update/%d/%s", action_of(w), what);
    return strcmp(q->path, path) == 0;
}

static int take_consent(struct world *w, const struct pqota_request *q)
{
    bool yes = strstr(q->body, "\"confirmed\"") != NULL;
    assert_true(yes || strstr(q->body, "\"denied\"") != NULL);
    if (!w->waiting)
        return 404;
    if (yes)
        w->waiting = false;
    w->agreed += yes;
    w->refused += !yes;
    return 204;
}

/* What the server of api.md does with a report. */
static int take_report(struct world *w, const struct pqota_request *q)
{
    if (is_about(w, q, "consent"))
        return take_consent(w, q);
    assert_true(is_about(w, q, "status"));
    if (strstr(q->body, "\"installing\"") != NULL) /* not before it may */
        assert_true(w->install == NULL || strcmp(w->install, "skip") != 0);
    if (w->status_answer != 0)
        return w->status_answer;
    if (w->closed)
        return 410;
    note_report(w, q);
    const struct world_report *r = world_last(w);
    bool terminal = strcmp(r->state, "succeeded") == 0 || strcmp(r->state, "failed") == 0;
    if (w->done[0] != '\0')
        return strcmp(w->done, r->state) == 0 ? 204 : 410;
    if (strcmp(r->state, "succeeded") == 0) {
        /* The one thing that must never be: success while something else runs. */
        assert_string_equal(r->version, "2.0");
        assert_string_equal(w->running, "2.0");
    }
    if (terminal || (w->download_only && strcmp(r->state, "downloaded") == 0)) {
        snprintf(w->done, sizeof w->done, "%s", r->state);
        w->offer[0] = '\0';
    }
    return 204;
}

static int send_file(struct world *w, const struct pqota_request *q, struct pqota_response *r,
                     pqota_sink sink, void *sink_ctx)
{
    size_t at = 0, end = w->file_n;
    w->downloads++;
    w->first_asked = q->ranged ? q->first : 0;
    r->status = 200;
    snprintf(w->etag_asked, sizeof w->etag_asked, "%s", q->if_range != NULL ? q->if_range : "");
    if (w->file_answer != 0) {
        r->status = w->file_answer;
        end = 0;
    } else if (q->ranged && !w->no_ranges) {
        if (q->first >= w->file_n) {
            r->status = 416;
            return PQOTA_OK;
        }
        r->status = 206;
        at = (size_t)q->first;
        end = q->last + 1 < w->file_n ? (size_t)q->last + 1 : w->file_n;
        r->range_first = at;
        r->range_total = w->file_n;
    }
    r->content_length = end - at;
    end += w->extra;
    for (size_t sent = 0; at < end;) {
        size_t n = end - at < 1000 ? end - at : 1000;
        if (w->body_cut != 0 && sent >= w->body_cut)
            return PQOTA_E_AGAIN;
        int rc = world_hit(w);
        if (rc != 0 || sink(sink_ctx, w->file + at, n) != 0)
            return PQOTA_E_AGAIN;
        at += n;
        sent += n;
    }
    return PQOTA_OK;
}

static int send_text(struct pqota_response *r, int status, const char *text, pqota_sink sink, void *sink_ctx)
{
    r->status = status;
    r->content_length = strlen(text);
    /* In two pieces, as a network may. */
    size_t half = strlen(text) / 2;
    if (half > 0 && sink(sink_ctx, text, half) != 0)
        return PQOTA_E_AGAIN;
    return strlen(text) > half && sink(sink_ctx, text + half, strlen(text) - half) != 0 ? PQOTA_E_AGAIN
                                                                                        : PQOTA_OK;
}

static const char *offer_text(const struct world *w, char text[sizeof w->offer + 128])
{
    static const char head[] = "{\"action\":7,";
    if (w->waiting) {
        snprintf(text, sizeof w->offer + 128,
                 "{\"action\":%d,\"state\":\"waiting\",\"release\":{\"name\":\"gw\",\"version\":\"2.0\"}}",
                 action_of(w));
        return text;
    }
    if ((w->install == NULL && w->action == 0) || strncmp(w->offer, head, strlen(head)) != 0)
        return w->offer;
    snprintf(text, sizeof w->offer + 128, "{\"action\":%d,%s%s%s%s", action_of(w),
             w->install != NULL ? "\"download\":\"forced\",\"install\":\"" : "",
             w->install != NULL ? w->install : "", w->install != NULL ? "\"," : "", w->offer + strlen(head));
    return text;
}

int world_request(void *ctx, const struct pqota_request *q, struct pqota_response *r, pqota_sink sink,
                  void *sink_ctx)
{
    struct world *w = ctx;
    int rc = world_hit(w);
    if (rc != 0)
        return rc;
    w->requests++;
    if (strncmp(q->path, "/api/firmware/12/file", 21) == 0) {
        assert_string_equal(q->method, "GET");
        rc = send_file(w, q, r, sink, sink_ctx);
    } else if (strcmp(q->method, "POST") == 0) {
        rc = send_text(r, take_report(w, q), w->status_answer != 0 ? "{\"title\":\"no\"}" : "", sink,
                       sink_ctx);
    } else {
        assert_memory_equal(q->path, "/api/update", 11);
        snprintf(w->poll_path, sizeof w->poll_path, "%s", q->path);
        w->polls++;
        r->poll_interval_s = w->poll_interval_s;
        int status = w->poll_answer != 0 ? w->poll_answer : w->offer[0] != '\0' ? 200 : 204;
        /* Without a word that it can ask, it is told of nothing that waits. */
        assert_non_null(strstr(q->path, "hold=yes"));
        if (status == 200 && w->waiting && strstr(q->path, "consent=yes") == NULL)
            status = 204;
        char text[sizeof w->offer + 128];
        rc = send_text(r, status, status == 200 ? offer_text(w, text) : "", sink, sink_ctx);
    }
    int lost = world_hit(w); /* the answer is lost */
    return lost != 0 ? lost : rc;
}
