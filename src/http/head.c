#include "base/clock.h"
#include "base/log.h"
#include "http/message.h"

static const struct {
    int status;
    const char *text;
} texts[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Unknown";
}

/* A header that would end its line early, or one that is written below, must not get out (RFC 9112
   section 11.1). */
static bool may_be_sent(const struct http_header *h)
{
    static const struct str ours[] = {{.p = "Date", .n = 4},
                                      {.p = "Connection", .n = 10},
                                      {.p = "Content-Length", .n = 14},
                                      {.p = "Transfer-Encoding", .n = 17}};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (h->name.n == ours[i].n && str_eq_nocase(h->name, ours[i]))
            return false;
    unsigned bad = h->name.n == 0; /* all is looked at, so that it may be many bytes at a time */
    for (size_t i = 0; i < h->name.n; i++) {
        unsigned char c = (unsigned char)h->name.p[i];
        bad |= (unsigned)(c <= 0x20) | (unsigned)(c >= 0x7F) | (unsigned)(c == ':');
    }
    for (size_t i = 0; i < h->value.n; i++) {
        unsigned char c = (unsigned char)h->value.p[i];
        bad |= ((unsigned)(c < 0x20) & (unsigned)(c != '\t')) | (unsigned)(c == 0x7F);
    }
    if (bad)
        log_error("http", "a response header with control characters was left out", LOG_S("name", h->name));
    return !bad;
}

static int add_header(struct buf *out, struct str name, struct str value)
{
    int rc = buf_add_str(out, name);
    if (rc == 0)
        rc = buf_add(out, ": ", 2);
    if (rc == 0)
        rc = buf_add_str(out, value);
    return rc != 0 ? rc : buf_add(out, "\r\n", 2);
}

static int add_status(struct buf *out, int status)
{
    int rc = buf_add_str(out, STR("HTTP/1.1 "));
    if (rc == 0)
        rc = buf_add_u64(out, (uint64_t)status);
    if (rc == 0)
        rc = buf_add_str(out, STR(" "));
    if (rc == 0)
        rc = buf_add_str(out, str_of(http_status_text(status)));
    return rc != 0 ? rc : buf_add_str(out, STR("\r\n"));
}

static int add_length(struct buf *out, uint64_t n)
{
    int rc = buf_add_str(out, STR("Content-Length: "));
    if (rc == 0)
        rc = buf_add_u64(out, n);
    return rc != 0 ? rc : buf_add_str(out, STR("\r\n"));
}

/* Each thread keeps the text of the second that it was asked for last. */
static const char *date_text(int64_t now_ms)
{
    static _Thread_local int64_t second = -1;
    static _Thread_local char text[CLOCK_TEXT_MAX];
    if (now_ms < 0 || second != now_ms / 1000) {
        clock_format_http(now_ms, text);
        second = now_ms < 0 ? -1 : now_ms / 1000;
    }
    return text;
}

static int write_head(const struct http_request *req, const struct http_response *r, int64_t now_ms,
                      struct buf *out)
{
    int rc = add_status(out, r->status);
    bool interim = r->status < 200;
    if (rc == 0 && !interim)
        rc = add_header(out, STR("Date"), str_of(date_text(now_ms)));
    for (size_t i = 0; i < r->header_count && rc == 0; i++)
        if (may_be_sent(&r->headers[i]))
            rc = add_header(out, r->headers[i].name, r->headers[i].value);
    /* RFC 9110 section 8.6: no length with 1xx and 204; with 304 it would have to be that of a 200. */
    if (rc == 0 && !interim && !r->stream && r->status != 204 && r->status != 304)
        rc = add_length(out, http_body_length(r));
    bool keep = req != NULL && req->keep_alive && !r->close && !r->stream;
    if (rc == 0 && !interim && !keep)
        rc = add_header(out, STR("Connection"), STR("close"));
    else if (rc == 0 && !interim && req->minor == 0)
        rc = add_header(out, STR("Connection"), STR("keep-alive"));
    return rc != 0 ? rc : buf_add(out, "\r\n", 2);
}

int http_write_head(const struct http_request *req, const struct http_response *r, int64_t now_ms,
                    struct buf *out)
{
    size_t before = out->n;
    int rc = write_head(req, r, now_ms, out);
    if (rc != 0 && out->p != NULL) {
        out->n = before;
        out->p[before] = '\0';
    }
    return rc;
}
