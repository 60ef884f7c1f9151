#include "http/request.h"

#define HOST_MAX 300

static int refuse(int *status, struct err *e, int what, const char *why)
{
    *status = what;
    return err_set(e, what == 400 ? ERR_INVALID : ERR_UNSUPPORTED, "%s", why);
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return s.n > 0;
}

static enum http_method method_of(struct str s)
{
    static const struct {
        const char *text;
        enum http_method method;
    } known[] = {
        {"GET", HTTP_GET}, {"HEAD", HTTP_HEAD},     {"POST", HTTP_POST},
        {"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (str_is(s, known[i].text))
            return known[i].method;
    return HTTP_OTHER;
}

/* HTTP/1.0 and HTTP/1.1 are spoken; another version in the same form is 505, anything else 400. */
static int version_of(struct str v, int *minor, int *status, struct err *e)
{
    if (str_is(v, "HTTP/1.1") || str_is(v, "HTTP/1.0")) {
        *minor = v.p[v.n - 1] - '0';
        return 0;
    }
    bool formed = v.n == 8 && memcmp(v.p, "HTTP/", 5) == 0 && v.p[5] >= '0' && v.p[5] <= '9' &&
                  v.p[6] == '.' && v.p[7] >= '0' && v.p[7] <= '9';
    if (formed)
        return refuse(status, e, 505, "this server speaks HTTP/1.1 and HTTP/1.0");
    return refuse(status, e, 400, "the request line must end in a space and HTTP/1.1");
}

static bool has_prefix_nocase(struct str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && str_eq_nocase((struct str){.p = s.p, .n = n}, (struct str){.p = prefix, .n = n});
}

/* Origin-form, or absolute-form reduced to it (RFC 9112 section 3.2). */
static int target_of(struct http_request *req, int *status, struct err *e)
{
    struct str t = req->target;
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] <= 0x20 || t.p[i] >= 0x7F || t.p[i] == '#')
            return refuse(status, e, 400, "the request target has a character that must be percent-encoded");
    if (t.n > 0 && t.p[0] != '/') {
        size_t scheme = has_prefix_nocase(t, "http://") ? 7 : has_prefix_nocase(t, "https://") ? 8 : 0;
        if (scheme == 0)
            return refuse(status, e, 400, "the request target must begin with a slash");
        t = (struct str){.p = t.p + scheme, .n = t.n - scheme};
        size_t host = 0;
        while (host < t.n && t.p[host] != '/' && t.p[host] != '?')
            host++;
        if (host == 0)
            return refuse(status, e, 400, "the request target names no host");
        t = (struct str){.p = t.p + host, .n = t.n - host};
    }
    const char *mark = t.n > 0 ? memchr(t.p, '?', t.n) : NULL;
    size_t path = mark != NULL ? (size_t)(mark - t.p) : t.n;
    req->path = path > 0 ? (struct str){.p = t.p, .n = path} : STR("/");
    req->query =
        mark != NULL ? (struct str){.p = mark + 1, .n = t.n - path - 1} : (struct str){.p = NULL, .n = 0};
    return 0;
}

int http_request_line(struct http_request *req, struct str line, int *minor, int *status, struct err *e)
{
    struct str rest = line, method, target;
    /* Exactly two spaces: what is looser is read differently by different servers. */
    if (!str_split(&rest, ' ', &method) || !str_split(&rest, ' ', &target) || rest.p == NULL ||
        target.n == 0 || memchr(rest.p, ' ', rest.n) != NULL || !is_token(method))
        return refuse(status, e, 400,
                      "the request line must be a method, a target and HTTP/1.1, one space between");
    int rc = version_of(rest, minor, status, e);
    if (rc != 0)
        return rc;
    if (str_is(method, "CONNECT"))
        return refuse(status, e, 501, "this server is no proxy: CONNECT is not served");
    req->method = method_of(method);
    req->method_text = method;
    req->target = target;
    return target_of(req, status, e);
}

/* The only field of that name; *count says how many there are. */
static struct str only(const struct http_request *req, const char *name, size_t *count)
{
    struct str value = {.p = NULL, .n = 0};
    *count = 0;
    for (size_t i = 0; i < req->header_count; i++)
        if (str_eq_nocase(req->headers[i].name, str_of(name))) {
            value = req->headers[i].value;
            ++*count;
        }
    return value;
}

static int check_host(const struct http_request *req, int minor, int *status, struct err *e)
{
    size_t count;
    struct str host = only(req, "Host", &count);
    if (count > 1)
        return refuse(status, e, 400, "the request has several Host header fields");
    if (count == 0)
        return minor == 0 ? 0 : refuse(status, e, 400, "the request has no Host header field");
    if (host.n > HOST_MAX)
        return refuse(status, e, 400, "the Host header field is too long");
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == '\0' || strchr("-._~:%[]!$&'()*+,;=", c) == NULL))
            return refuse(status, e, 400, "the Host header field is no host name and port");
    }
    return 0;
}

/* One way to find the body's end, or none (RFC 9112 section 6.3). */
static int check_framing(struct http_request *req, int minor, int *status, struct err *e)
{
    size_t lengths, codings;
    struct str length = only(req, "Content-Length", &lengths);
    struct str coding = only(req, "Transfer-Encoding", &codings);
    if (lengths > 0 && codings > 0)
        return refuse(status, e, 400, "the request has both Content-Length and Transfer-Encoding");
    if (lengths > 1)
        return refuse(status, e, 400, "the request has several Content-Length header fields");
    if (codings > 0 && minor == 0)
        return refuse(status, e, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (codings > 1 || (codings == 1 && !str_eq_nocase(coding, STR("chunked"))))
        return refuse(status, e, 501, "the only Transfer-Encoding served is chunked");
    if (lengths == 1 && str_to_u64(length, INT64_MAX, &req->content_length) != 0)
        return refuse(status, e, 400, "Content-Length must be a decimal number of bytes");
    req->has_length = lengths == 1;
    req->chunked = codings == 1;
    return 0;
}

static void take_connection(struct http_request *req, int minor)
{
    bool wants_close = false, wants_more = false;
    for (size_t i = 0; i < req->header_count; i++) {
        if (!str_eq_nocase(req->headers[i].name, STR("Connection")))
            continue;
        struct str rest = req->headers[i].value, option;
        while (str_split(&rest, ',', &option)) {
            option = str_trim(option);
            wants_close |= str_eq_nocase(option, STR("close"));
            wants_more |= str_eq_nocase(option, STR("keep-alive"));
        }
    }
    req->keep_alive = !wants_close && (minor == 1 || wants_more);
}

int http_request_fields(struct http_request *req, int minor, int *status, struct err *e)
{
    int rc = check_host(req, minor, status, e);
    if (rc == 0)
        rc = check_framing(req, minor, status, e);
    if (rc != 0)
        return rc;
    take_connection(req, minor);

    size_t expects;
    struct str expect = only(req, "Expect", &expects);
    if (expects > 1 || (expects == 1 && !str_eq_nocase(expect, STR("100-continue"))))
        return refuse(status, e, 417, "the only expectation served is 100-continue");
    /* RFC 9110 section 10.1.1: ignored in HTTP/1.0, and pointless without a body. */
    req->expect_continue = expects == 1 && minor == 1 && (req->chunked || req->content_length > 0);
    req->minor = minor;
    return 0;
}
