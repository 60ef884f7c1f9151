#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "http/condition.h"
#include "http/message.h"
#include "http/range.h"

#define BOUNDARY_BYTES 16

static void add_bytes(struct http_response *r, const char *z)
{
    struct str s = str_of(z);
    r->parts[r->part_count++] = (struct http_part){.kind = HTTP_PART_BYTES, .bytes = s, .length = s.n};
}

static void add_range(struct http_response *r, uint64_t offset, uint64_t length)
{
    if (length > 0)
        r->parts[r->part_count++] =
            (struct http_part){.kind = HTTP_PART_FILE, .offset = offset, .length = length};
}

/* attachment; filename="...", quoted (RFC 6266 section 4.1, RFC 9110 section 5.6.4). */
static const char *disposition(struct arena *a, const char *filename)
{
    static const char lead[] = "attachment; filename=\"";
    size_t n = strlen(filename);
    char *out = arena_alloc(a, sizeof lead + 2 * n + 2);
    if (out == NULL)
        return NULL;
    memcpy(out, lead, sizeof lead - 1);
    char *p = out + sizeof lead - 1;
    for (size_t i = 0; i < n; i++) {
        char c = filename[i];
        if (c == '"' || c == '\\')
            *p++ = '\\';
        *p++ = c < 0x20 || c >= 0x7F || c == '/' ? '_' : c;
    }
    *p = '"';
    return out;
}

/* What tells about the file whatever part of it is sent. */
static bool describe(struct http_response *r, struct arena *a, const struct http_file *file)
{
    char date[CLOCK_TEXT_MAX];
    const char *modified = arena_dup_str(a, str_of(clock_format_http(file->modified_ms, date)));
    const char *attach = file->filename != NULL ? disposition(a, file->filename) : NULL;
    if (modified == NULL || (file->filename != NULL && attach == NULL))
        return false;
    http_set(r, "ETag", file->etag);
    http_set(r, "Last-Modified", modified);
    http_set(r, "Accept-Ranges", "bytes");
    http_set(r, "X-Content-Type-Options", "nosniff");
    if (attach != NULL)
        http_set(r, "Content-Disposition", attach);
    return true;
}

static bool reply_one(struct http_response *r, struct arena *a, const struct http_file *file,
                      const struct http_range *range)
{
    const char *where =
        arena_printf(a, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->first, range->last, file->size);
    if (where == NULL)
        return false;
    r->status = 206;
    http_set(r, "Content-Type", file->content_type);
    http_set(r, "Content-Range", where);
    add_range(r, range->first, range->last - range->first + 1);
    return true;
}

/* multipart/byteranges (RFC 9110 section 14.6); nobody can guess the boundary and put it into a file. */
static bool reply_several(struct http_response *r, struct arena *a, const struct http_file *file,
                          const struct http_range *ranges, size_t count)
{
    unsigned char raw[BOUNDARY_BYTES];
    char boundary[2 * BOUNDARY_BYTES + 1];
    if (rand_bytes(raw, sizeof raw, NULL) != 0)
        return false;
    hex_encode(raw, sizeof raw, boundary);
    const char *type = arena_printf(a, "multipart/byteranges; boundary=%s", boundary);
    const char *end = arena_printf(a, "\r\n--%s--\r\n", boundary);
    if (type == NULL || end == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *lead = arena_printf(
            a,
            "%s--%s\r\nContent-Type: %s\r\nContent-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n\r\n",
            i == 0 ? "" : "\r\n", boundary, file->content_type, ranges[i].first, ranges[i].last, file->size);
        if (lead == NULL)
            return false;
        add_bytes(r, lead);
        add_range(r, ranges[i].first, ranges[i].last - ranges[i].first + 1);
    }
    add_bytes(r, end);
    r->status = 206;
    http_set(r, "Content-Type", type);
    return true;
}

static bool reply_unsatisfiable(struct http_response *r, struct arena *a, uint64_t size)
{
    const char *whole = arena_printf(a, "bytes */%" PRIu64, size);
    if (whole == NULL)
        return false;
    http_reply_problem_status(r, a, 416, "No byte of the file lies in the range that was asked for.");
    http_set(r, "Content-Range", whole);
    return true;
}

/* RFC 9110 section 14.2: Range means something with GET alone. */
static enum http_range_result wanted(const struct http_request *req, const struct http_file *file,
                                     struct http_range *ranges, size_t *count)
{
    struct str value = http_header_get(req, "Range");
    if (req->method != HTTP_GET || value.p == NULL ||
        !http_condition_range(req, str_of(file->etag), file->modified_ms / 1000))
        return HTTP_RANGE_WHOLE;
    return http_range_parse(value, file->size, ranges, count);
}

static bool reply(const struct http_request *req, struct http_response *r, struct arena *a,
                  const struct http_file *file)
{
    struct http_range ranges[HTTP_RANGES_MAX];
    size_t count = 0;
    switch (http_condition_check(req, str_of(file->etag), file->modified_ms / 1000)) {
    case HTTP_COND_FAILED:
        http_reply_problem_status(r, a, 412, "The file is not the one that the request's condition names.");
        return true;
    case HTTP_COND_NOT_MODIFIED:
        http_reply_empty(r, 304);
        return describe(r, a, file);
    default:
        break;
    }
    enum http_range_result range = wanted(req, file, ranges, &count);
    if (range == HTTP_RANGE_NONE)
        return reply_unsatisfiable(r, a, file->size);
    if (!describe(r, a, file))
        return false;
    if (range == HTTP_RANGE_SOME)
        return count == 1 ? reply_one(r, a, file, &ranges[0]) : reply_several(r, a, file, ranges, count);
    r->status = 200;
    http_set(r, "Content-Type", file->content_type);
    add_range(r, 0, file->size);
    return true;
}

void http_reply_file(const struct http_request *req, struct http_response *r, struct arena *a,
                     const struct http_file *file)
{
    http_response_fini(r);
    r->file = file->fd; /* given back by whatever else is answered in the end */
    r->file_done = file->done;
    r->file_owner = file->owner;
    if (!reply(req, r, a, file)) {
        log_error("http", "no memory or randomness to answer with a file", LOG_STR("etag", file->etag));
        http_reply_no_memory(r);
    }
}
