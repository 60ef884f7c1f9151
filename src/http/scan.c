#include "http/scan.h"

#include <stdint.h>
#include <string.h>

static enum http_scan_result bad(int *status, struct err *e, int what, const char *why)
{
    *status = what;
    err_set(e, what == 400 ? ERR_INVALID : ERR_TOO_LARGE, "%s", why);
    return HTTP_SCAN_BAD;
}

static enum http_scan_result too_long(const struct http_scan *s, int *status, struct err *e)
{
    if (s->kind == HTTP_SCAN_CHUNK)
        return bad(status, e, 400, "a chunk's size line is too long: leave chunk extensions out");
    if (s->kind == HTTP_SCAN_HEAD && s->lines == 0)
        return bad(status, e, 414, "the request line is longer than this server takes");
    return bad(status, e, 431, "the request's header fields are larger in all than this server takes");
}

static enum http_scan_result end_line(struct http_scan *s, int *status, struct err *e)
{
    if (!s->cr)
        return bad(status, e, 400, "a line ends in a bare line feed: lines end in CR LF");
    s->cr = false;
    bool empty = s->line == 0;
    s->line = 0;
    s->lines++;
    if (s->kind == HTTP_SCAN_CHUNK)
        return HTTP_SCAN_END;
    if (s->kind == HTTP_SCAN_TRAILER)
        return empty ? HTTP_SCAN_END : HTTP_SCAN_MORE;
    if (empty && s->lines == 1)
        return bad(status, e, 400, "an empty line stands where a request line belongs");
    return empty ? HTTP_SCAN_END : HTTP_SCAN_MORE;
}

static enum http_scan_result one(struct http_scan *s, unsigned char c, int *status, struct err *e)
{
    if (++s->total > s->max)
        return too_long(s, status, e);
    if (c == '\n')
        return end_line(s, status, e);
    if (s->cr)
        return bad(status, e, 400, "a carriage return stands without its line feed");
    if (c == '\r') {
        s->cr = true;
        return HTTP_SCAN_MORE;
    }
    if ((c < 0x20 && c != '\t') || c == 0x7F)
        return bad(status, e, 400, "a control character stands in the request's head");
    if (s->line == 0 && (c == ' ' || c == '\t'))
        return bad(status, e, 400, "a line begins with white space: folded header fields are refused");
    s->line++;
    if (s->kind != HTTP_SCAN_HEAD || s->lines > 0)
        return HTTP_SCAN_MORE;
    if (c == ' ')
        s->spaces++;
    else if (s->spaces == 1 && ++s->target > s->target_max)
        return bad(status, e, 414, "the request target is longer than this server takes");
    return HTTP_SCAN_MORE;
}

/* How many of the bytes are neither control characters nor the end of a line: eight at a time, as far as that
   is so of all of them. */
static size_t plain_run(const char *p, size_t n)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    size_t i = 0;
    for (uint64_t x; n - i >= sizeof x; i += sizeof x) {
        memcpy(&x, p + i, sizeof x);
        uint64_t del = x ^ 0x7F * ones;
        if ((((x - 0x20 * ones) & ~x) | ((del - ones) & ~del)) & tops)
            break;
    }
    while (i < n && (unsigned char)p[i] >= 0x20 && p[i] != 0x7F)
        i++;
    return i;
}

/* What stands within a line and is only counted; in a head's first line the spaces are not. */
static size_t skip_plain(struct http_scan *s, const char *p, size_t n)
{
    if (s->cr || s->line == 0 || s->total >= s->max)
        return 0;
    size_t room = s->max - s->total;
    bool first = s->kind == HTTP_SCAN_HEAD && s->lines == 0;
    if (first) {
        const char *space = memchr(p, ' ', n);
        n = space != NULL ? (size_t)(space - p) : n;
        if (s->spaces == 1 && room > s->target_max - s->target)
            room = s->target_max - s->target;
    }
    size_t run = plain_run(p, n < room ? n : room);
    s->total += run;
    s->line += run;
    if (first && s->spaces == 1)
        s->target += run;
    return run;
}

enum http_scan_result http_scan(struct http_scan *s, const char *p, size_t n, size_t *used, int *status,
                                struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        i += skip_plain(s, p + i, n - i);
        if (i == n)
            break;
        enum http_scan_result r = one(s, (unsigned char)p[i], status, e);
        if (r != HTTP_SCAN_MORE) {
            *used = i + 1;
            return r;
        }
    }
    *used = n;
    return HTTP_SCAN_MORE;
}
