/* What a device sends as feedback: lenient in what it says, strict in what it means. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "ota/feedback.h"

#define SAID_MAX ((size_t)(FEEDBACK_MESSAGES_MAX + 1) * (ACTION_MESSAGE_MAX + 1))

static const char *const executions[] = {
    [FEEDBACK_CLOSED] = "closed",       [FEEDBACK_DOWNLOADED] = "downloaded",
    [FEEDBACK_DOWNLOAD] = "download",   [FEEDBACK_PROCEEDING] = "proceeding",
    [FEEDBACK_SCHEDULED] = "scheduled", [FEEDBACK_RESUMED] = "resumed",
    [FEEDBACK_CANCELED] = "canceled",   [FEEDBACK_REJECTED] = "rejected",
};

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to read a device's feedback");
}

/* --- messages ------------------------------------------------------------------------------------------ */

/* Bytes of the character at the beginning (RFC 3629), 0 when there is none. */
static size_t character(struct str s)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++)
        if (str_is_utf8((struct str){.p = s.p, .n = n}))
            return n;
    return 0;
}

/* One line: SWUpdate, for one, sends raw line ends, and parts of what its installers print. */
static struct str one_line(struct str s, char out[ACTION_MESSAGE_MAX])
{
    size_t n = 0;
    while (s.n > 0) {
        size_t c = character(s);
        bool plain = c > 1 || (c == 1 && (unsigned char)s.p[0] >= 0x20 && s.p[0] != 0x7F);
        size_t put = plain ? c : 1;
        if (n + put > ACTION_MESSAGE_MAX)
            break;
        if (plain)
            memcpy(out + n, s.p, c);
        else
            out[n] = c == 0 ? '?' : ' ';
        n += put;
        size_t step = c > 0 ? c : 1;
        s = (struct str){.p = s.p + step, .n = s.n - step};
    }
    return str_trim((struct str){.p = out, .n = n});
}

static int add_line(struct buf *b, struct str text, struct err *e)
{
    char line[ACTION_MESSAGE_MAX];
    struct str s = one_line(text, line);
    int rc = 0;
    if (s.n > 0 && b->n > 0)
        rc = buf_add(b, "\n", 1);
    if (rc == 0 && s.n > 0)
        rc = buf_add_str(b, s);
    return rc != 0 ? no_memory(e) : 0;
}

static int add_detail(struct buf *b, yyjson_val *v, struct err *e)
{
    if (yyjson_is_str(v))
        return add_line(b, json_text(v), e);
    if (yyjson_is_null(v))
        return 0;
    if (yyjson_is_ctn(v))
        return err_set(e, ERR_INVALID, "\"details\" must be an array of strings");
    auto_free char *text = yyjson_val_write(v, YYJSON_WRITE_NOFLAG, NULL);
    return text != NULL ? add_line(b, str_of(text), e) : no_memory(e);
}

static int add_details(struct buf *b, yyjson_val *details, bool *too_many, struct err *e)
{
    if (details == NULL || yyjson_is_null(details))
        return 0;
    if (!yyjson_is_arr(details))
        return err_set(e, ERR_INVALID, "\"details\" must be an array of strings");
    size_t i, max;
    yyjson_val *v;
    *too_many = yyjson_arr_size(details) > FEEDBACK_MESSAGES_MAX;
    yyjson_arr_foreach(details, i, max, v)
    {
        int rc = i < FEEDBACK_MESSAGES_MAX ? add_detail(b, v, e) : 0;
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int add_code(struct buf *b, yyjson_val *obj, struct err *e)
{
    char line[64];
    int64_t code;
    int rc = json_get_i64(obj, "code", INT32_MIN, INT32_MAX, INT64_MIN, &code, e);
    if (rc != 0 || code == INT64_MIN)
        return rc;
    snprintf(line, sizeof line, "Device reported status code: %lld", (long long)code);
    return add_line(b, str_of(line), e);
}

int ota_feedback_messages(yyjson_val *obj, struct arena *a, struct feedback *out, struct err *e)
{
    auto_buf struct buf b;
    struct str rest, first = STR("");
    bool too_many = false;
    buf_init(&b, SAID_MAX);
    int rc = add_details(&b, yyjson_obj_get(obj, "details"), &too_many, e);
    if (rc == 0)
        rc = add_code(&b, obj, e);
    if (rc != 0)
        return rc;
    const char *said = arena_dup(a, b.n > 0 ? b.p : "", b.n);
    rest = str_of(said);
    const char *message = said != NULL && str_split(&rest, '\n', &first) ? arena_dup_str(a, first) : said;
    if (message == NULL)
        return no_memory(e);
    out->said = said;
    out->message = message;
    out->too_many = too_many;
    return 0;
}

/* --- what it means ------------------------------------------------------------------------------------- */

static int read_execution(yyjson_val *status, enum feedback_execution *out, struct err *e)
{
    struct str word = json_text(yyjson_obj_get(status, "execution"));
    for (size_t i = 0; i < sizeof executions / sizeof executions[0]; i++)
        if (word.n > 0 && str_is(word, executions[i])) {
            *out = (enum feedback_execution)i;
            return 0;
        }
    return err_set(e, ERR_INVALID,
                   "\"status.execution\" is closed, downloaded, download, proceeding, scheduled, resumed, "
                   "canceled or rejected");
}

static int read_finished(yyjson_val *result, bool *failure, struct err *e)
{
    struct str word = json_text(yyjson_obj_get(result, "finished"));
    bool failed = word.n > 0 && str_is(word, "failure");
    if (!failed && (word.n == 0 || (!str_is(word, "success") && !str_is(word, "none"))))
        return err_set(e, ERR_INVALID, "\"status.result.finished\" is success, failure or none");
    *failure = failed;
    return 0;
}

/* {"cnt", "of"}; what makes no sense says nothing. */
static int read_progress(yyjson_val *result)
{
    yyjson_val *p = yyjson_obj_get(result, "progress");
    yyjson_val *cnt = yyjson_obj_get(p, "cnt"), *of = yyjson_obj_get(p, "of");
    if (!yyjson_is_uint(cnt) || !yyjson_is_uint(of))
        return ACTION_PROGRESS_NONE;
    uint64_t n = yyjson_get_uint(cnt), all = yyjson_get_uint(of);
    if (all == 0 || n > all || all > UINT64_MAX / 100)
        return ACTION_PROGRESS_NONE;
    return (int)(100 * n / all);
}

int ota_feedback_read(yyjson_val *body, struct arena *a, struct feedback *out, struct err *e)
{
    yyjson_val *status = yyjson_obj_get(body, "status"), *result = yyjson_obj_get(status, "result");
    struct feedback f = {.progress = read_progress(result)};
    if (!yyjson_is_obj(status))
        return err_set(e, ERR_INVALID, "the body lacks \"status\"");
    int rc = read_execution(status, &f.execution, e);
    if (rc == 0)
        rc = read_finished(result, &f.failure, e);
    if (rc == 0)
        rc = ota_feedback_messages(status, a, &f, e);
    if (rc == 0)
        *out = f;
    return rc;
}
