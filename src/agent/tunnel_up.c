#include "agent/tunnel_up.h"

#include <stdio.h>
#include <string.h>

#define URL_MAX (AGENT_URL_ROOM + 8192)
#define AGENT_URL_ROOM 1024
#define LINES_MAX (UP_CONDITIONS_MAX + 5)
#define NUMBER_MAX (UINT64_MAX >> 1)

struct transfer {
    struct link *link;
    const struct up_sink *sink;
    struct up_answer *answer;
    bool told; /* sink->head was called */
    int rc;    /* of the sink */
};

bool up_content_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *total)
{
    struct str s = str_of(text), unit, from, to;
    return str_split(&s, ' ', &unit) && str_is(unit, "bytes") && str_split(&s, '-', &from) &&
           str_split(&s, '/', &to) && str_to_u64(from, NUMBER_MAX, first) == 0 &&
           str_to_u64(to, NUMBER_MAX, last) == 0 && str_to_u64(s, NUMBER_MAX, total) == 0 &&
           *first <= *last && *last < *total;
}

static void keep(char out[UP_FIELD_SIZE], struct str value)
{
    if (value.n >= UP_FIELD_SIZE || !str_is_text(value))
        return;
    memcpy(out, value.p, value.n);
    out[value.n] = '\0';
}

static size_t on_header(char *data, size_t one, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct up_answer *r = t->answer;
    struct str line = {.p = data, .n = one * n}, name;
    while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    if (line.n > 5 && memcmp(line.p, "HTTP/", 5) == 0) { /* a new answer: a 100 came before it */
        *r = (struct up_answer){.length = UP_LENGTH_UNKNOWN};
        return one * n;
    }
    if (!str_split(&line, ':', &name) || line.p == NULL)
        return one * n;
    const struct {
        struct str name;
        char *place;
    } fields[] = {
        {STR("Content-Type"), r->type},           {STR("ETag"), r->etag},
        {STR("Last-Modified"), r->modified},      {STR("Content-Disposition"), r->disposition},
        {STR("Content-Range"), r->content_range}, {STR("Retry-After"), r->retry_after},
    };
    struct str value = str_trim(line);
    uint64_t length;
    if (str_eq_nocase(name, STR("Content-Length")) && str_to_u64(value, NUMBER_MAX, &length) == 0)
        r->length = length;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (str_eq_nocase(name, fields[i].name))
            keep(fields[i].place, value);
    return one * n;
}

static void tell(struct transfer *t)
{
    long status = 0;
    if (t->told)
        return;
    t->told = true;
    curl_easy_getinfo(t->link->curl, CURLINFO_RESPONSE_CODE, &status);
    t->answer->status = (int)status;
    t->rc = t->sink->head(t->sink->ctx, t->answer);
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
    struct transfer *t = arg;
    tell(t);
    if (t->rc == 0)
        t->rc = t->sink->data(t->sink->ctx, data, one * n);
    return t->rc == 0 ? one * n : CURL_WRITEFUNC_ERROR;
}

static bool add_line(struct curl_slist **list, const char *name, struct str value)
{
    char line[UP_RANGE_SIZE + 64];
    int n = snprintf(line, sizeof line, "%s: %.*s", name, (int)value.n, value.n > 0 ? value.p : "");
    if (n < 0 || (size_t)n >= sizeof line)
        return false;
    struct curl_slist *more = curl_slist_append(*list, line);
    *list = more != NULL ? more : *list;
    return more != NULL;
}

static bool make_lines(const struct up_request *q, struct curl_slist **list)
{
    bool good = add_line(list, "Accept", str_of(q->accept));
    if (q->method == HTTP_POST || q->method == HTTP_PUT) {
        struct curl_slist *more = curl_slist_append(*list, "Expect:"); /* bodies are small */
        good = good && more != NULL;
        *list = more != NULL ? more : *list;
        struct str type = q->content_type.n > 0 ? q->content_type : STR("application/json");
        good = good && add_line(list, "Content-Type", type);
    }
    if (q->range != NULL)
        good = good && add_line(list, "Range", str_of(q->range));
    if (q->if_range != NULL)
        good = good && add_line(list, "If-Range", str_of(q->if_range));
    for (size_t i = 0; i < q->condition_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)q->conditions[i].name.n, q->conditions[i].name.p);
        good = good && add_line(list, name, q->conditions[i].value);
    }
    return good;
}

static CURLcode set_request(struct link *l, const struct up_request *q, struct transfer *t,
                            struct curl_slist *lines)
{
    CURL *c = l->curl;
    CURLcode rc = CURLE_OK;
    char url[URL_MAX];
    int n = snprintf(url, sizeof url, "%s%.*s", l->set.server, (int)q->target.n, q->target.p);
    if (n < 0 || (size_t)n >= sizeof url)
        return CURLE_URL_MALFORMAT;
    bool put = q->method == HTTP_PUT, body = put || q->method == HTTP_POST;
#define SET(option, value) (rc = rc != CURLE_OK ? rc : curl_easy_setopt(c, (option), (value)))
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_CUSTOMREQUEST, NULL);
    SET(CURLOPT_HTTPGET, 1L); /* also takes back a HEAD */
    if (body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.n);
        SET(CURLOPT_POSTFIELDS, q->body.n > 0 ? q->body.p : "");
    } else if (q->method == HTTP_HEAD) {
        SET(CURLOPT_NOBODY, 1L);
    }
    if (put)
        SET(CURLOPT_CUSTOMREQUEST, "PUT");
    SET(CURLOPT_HTTPHEADER, lines);
    SET(CURLOPT_TIMEOUT, q->file ? 0L : l->set.small_s != 0 ? (long)l->set.small_s : (long)LINK_SMALL_S);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
#undef SET
    return rc;
}

int up_perform(struct link *l, const struct up_request *q, const struct up_sink *sink,
               struct up_answer *answer, struct err *e)
{
    struct curl_slist *lines = NULL;
    struct transfer t = {.link = l, .sink = sink, .answer = answer};
    *answer = (struct up_answer){.length = UP_LENGTH_UNKNOWN};
    l->trouble[0] = '\0';
    l->tls.code = 0;
    CURLcode rc = make_lines(q, &lines) ? set_request(l, q, &t, lines) : CURLE_OUT_OF_MEMORY;
    if (rc == CURLE_OK)
        rc = curl_easy_perform(l->curl);
    if (rc == CURLE_OK)
        tell(&t);
    curl_easy_setopt(l->curl, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(l->curl, CURLOPT_POSTFIELDS, NULL);
    curl_slist_free_all(lines);
    if (answer->status > 0) /* there is an answer, so the server's certificate was good */
        clock_floor_verified(l->set.floor);
    if (t.rc != 0)
        return t.rc;
    if (rc == CURLE_OK)
        return 0;
    if (rc == CURLE_ABORTED_BY_CALLBACK)
        return err_set(e, ERR_GONE, "stopped");
    const char *why = l->tls.code != 0        ? l->tls.text
                      : l->trouble[0] != '\0' ? l->trouble
                                              : curl_easy_strerror(rc);
    return err_set(e, rc == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_IO, "%s: %s", l->set.server, why);
}
