#include "server/links.h"

#include "net/exchange.h"
#include "ota/settings.h"
#include "server/run.h"
#include "server/server.h"

#define HOST_MAX 255
#define NONE ((struct str){.p = NULL, .n = 0})

/* --- what is said -------------------------------------------------------------------------------------- */

static bool all_of(struct str s, const char *marks)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!plain && (c == '\0' || strchr(marks, c) == NULL))
            return false;
    }
    return s.n > 0 && s.n <= HOST_MAX;
}

static bool is_port(struct str s)
{
    uint64_t port;
    return s.n > 0 && s.n <= 5 && str_to_u64(s, 65535, &port) == 0 && port > 0;
}

/* "name", "name:port", "[address]:port"; false: it is none of these. */
static bool cut_host(struct str s, struct str *host, struct str *port)
{
    bool address = s.n > 0 && s.p[0] == '[';
    const char *end = address ? memchr(s.p, ']', s.n) : s.n > 0 ? memchr(s.p, ':', s.n) : NULL;
    if (address && end == NULL)
        return false;
    size_t n = address ? (size_t)(end - s.p) + 1 : end != NULL ? (size_t)(end - s.p) : s.n;
    struct str name = {.p = s.p, .n = n}, rest = {.p = s.p + n, .n = s.n - n};
    struct str inner = address ? (struct str){.p = s.p + 1, .n = n - 2} : name;
    if (!all_of(inner, address ? ":." : "-._"))
        return false;
    *host = name;
    *port = NONE;
    if (rest.n == 0)
        return true;
    *port = (struct str){.p = rest.p + 1, .n = rest.n - 1};
    return rest.p[0] == ':' && is_port(*port);
}

/* The first of a list is the proxy next to the client. */
static struct str first_of(const struct http_request *req, const char *name)
{
    struct str rest = http_header_get(req, name), part;
    return str_split(&rest, ',', &part) ? str_trim(part) : NONE;
}

/* A parameter of the first element of Forwarded (RFC 7239 section 4), without its quotes. */
static struct str forwarded(const struct http_request *req, const char *name)
{
    struct str rest = first_of(req, "Forwarded"), pair, key;
    while (str_split(&rest, ';', &pair)) {
        pair = str_trim(pair);
        if (!str_split(&pair, '=', &key) || !str_eq_nocase(key, str_of(name)))
            continue;
        if (pair.n >= 2 && pair.p[0] == '"' && pair.p[pair.n - 1] == '"')
            return (struct str){.p = pair.p + 1, .n = pair.n - 2};
        return pair;
    }
    return NONE;
}

static bool take_scheme(struct str s, struct came_by *c)
{
    if (str_eq_nocase(s, STR("https")))
        c->scheme = STR("https");
    else if (str_eq_nocase(s, STR("http")))
        c->scheme = STR("http");
    else
        return false;
    return true;
}

struct came_by links_came_by(const struct http_request *req, bool tls)
{
    struct came_by c = {.scheme = tls ? STR("https") : STR("http")};
    struct str port = first_of(req, "X-Forwarded-Port");
    if (!take_scheme(first_of(req, "X-Forwarded-Proto"), &c))
        take_scheme(forwarded(req, "proto"), &c);
    bool said = cut_host(first_of(req, "X-Forwarded-Host"), &c.host, &c.port) ||
                cut_host(forwarded(req, "host"), &c.host, &c.port);
    if (!said && !cut_host(http_header_get(req, "Host"), &c.host, &c.port))
        c.host = c.port = NONE;
    /* What stands with the name that the proxy was asked by counts more than what the proxy listens on. */
    if (is_port(port) && !(said && c.port.n > 0))
        c.port = port;
    if (str_is(c.port, str_is(c.scheme, "https") ? "443" : "80"))
        c.port = NONE;
    return c;
}

/* --- what links begin with ----------------------------------------------------------------------------- */

static bool is_loopback(struct str host)
{
    return str_eq_nocase(host, STR("localhost")) || str_is(host, "[::1]") ||
           (host.n > 4 && memcmp(host.p, "127.", 4) == 0);
}

/* Where files are given without TLS: to whom came so, and else where a listener for it can be reached. */
static const char *plain_url(const struct run *run, const struct came_by *c, const char *base)
{
    struct ddi_settings s;
    if (c->host.n == 0)
        return NULL;
    if (str_is(c->scheme, "http"))
        return base;
    settings_get_brief(run->server->ota.settings, &s);
    bool reached = run->server->config.insecure_plain_anywhere || is_loopback(c->host);
    if (!s.download_http || s.plain_port == 0 || !reached)
        return NULL;
    return arena_printf(&run->x->arena, "http://" STR_FMT ":%d", STR_ARG(c->host), s.plain_port);
}

void links_fill(struct run *run)
{
    const char *set = run->server->config.public_url;
    struct came_by c = links_came_by(&run->x->req, run->x->peer->kind == NET_TLS);
    const struct str parts[] = {c.scheme, STR("://"), c.host, c.port.n > 0 ? STR(":") : STR(""), c.port};
    const char *base =
        c.host.n == 0 ? set : arena_join(&run->x->arena, parts, sizeof parts / sizeof parts[0]);
    run->call.base_url = base != NULL ? base : "";
    run->call.file_url = set[0] != '\0' ? set : run->call.base_url;
    run->call.plain_url = plain_url(run, &c, run->call.base_url);
}
