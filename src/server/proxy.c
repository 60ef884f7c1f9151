#include "server/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>

#define CLIENT_MAX 1024 /* bytes of the identity's field */

/* --- who may say so ------------------------------------------------------------------------------------ */

/* "192.0.2.1:5123" or "[2001:db8::1]:5123" as net_peer has it. */
static bool read_peer(const struct net_peer *peer, struct config_network *out)
{
    struct config_network n = {.family = peer->address[0] == '[' ? AF_INET6 : AF_INET};
    const char *end = strrchr(peer->address, n.family == AF_INET6 ? ']' : ':');
    const char *from = peer->address + (n.family == AF_INET6);
    char text[INET6_ADDRSTRLEN];
    if (end == NULL || end < from || (size_t)(end - from) >= sizeof text)
        return false;
    memcpy(text, from, (size_t)(end - from));
    text[end - from] = '\0';
    if (inet_pton(n.family, text, n.bytes) != 1)
        return false;
    *out = n;
    return true;
}

static bool within(const struct config_network *net, const struct config_network *address)
{
    if (net->family != address->family)
        return false;
    size_t whole = net->bits / 8;
    unsigned rest = net->bits % 8;
    if (memcmp(net->bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || ((net->bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

bool proxy_listed(const char *list, const struct net_peer *peer)
{
    struct config_network address, net;
    if (list[0] == '\0' || !read_peer(peer, &address))
        return false;
    struct str rest = str_of(list);
    while (config_network_next(&rest, &net, NULL) == 1)
        if (within(&net, &address))
            return true;
    return false;
}

/* --- who it is ----------------------------------------------------------------------------------------- */

static int bad(struct err *e, const char *what)
{
    return err_set(e, ERR_INVALID,
                   "the proxy's header field " PROXY_CLIENT_FIELD " %s; its configuration should be as "
                   "pqota nginx-conf writes it",
                   what);
}

/* Cuts "NAME=value; " off *rest, or "NAME=value" for the last. */
static bool take(struct str *rest, const char *name, bool last, struct str *value)
{
    size_t n = strlen(name);
    if (rest->n < n || memcmp(rest->p, name, n) != 0)
        return false;
    struct str from = {.p = rest->p + n, .n = rest->n - n};
    if (last) {
        *value = from;
        return true;
    }
    const char *end = memchr(from.p, ';', from.n);
    if (end == NULL || (size_t)(end - from.p) + 2 > from.n || end[1] != ' ')
        return false;
    *value = (struct str){.p = from.p, .n = (size_t)(end - from.p)};
    *rest = (struct str){.p = end + 2, .n = from.n - value->n - 2};
    return true;
}

static bool is_hex(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\0' || strchr("0123456789abcdefABCDEF", s.p[i]) == NULL)
            return false;
    return s.n > 0;
}

static void lower(struct str s, char *out)
{
    for (size_t i = 0; i < s.n; i++)
        out[i] = s.p[i] >= 'A' && s.p[i] <= 'F' ? (char)(s.p[i] - 'A' + 'a') : s.p[i];
    out[s.n] = '\0';
}

static int read_certificate(struct str serial, struct str sha1, struct str issuer, struct proxy_client *out,
                            struct err *e)
{
    struct proxy_client c = {.certificate = true, .issuer = issuer};
    while (serial.n > 0 && serial.p[0] == '0')
        serial = (struct str){.p = serial.p + 1, .n = serial.n - 1};
    if (!is_hex(serial) || serial.n >= sizeof c.serial)
        return bad(e, "has no serial number of one of our certificates");
    if (!is_hex(sha1) || sha1.n != sizeof c.sha1 - 1)
        return bad(e, "has no SHA-1 of a certificate");
    if (issuer.n == 0)
        return bad(e, "names no issuer");
    lower(serial, c.serial);
    lower(sha1, c.sha1);
    *out = c;
    return 0;
}

int proxy_client_parse(struct str value, struct proxy_client *out, struct err *e)
{
    struct str rest = value, verify, serial, sha1, issuer;
    if (value.n > CLIENT_MAX)
        return bad(e, "is too long");
    if (!take(&rest, "verify=", false, &verify) || !take(&rest, "serial=", false, &serial) ||
        !take(&rest, "sha1=", false, &sha1) || !take(&rest, "issuer=", true, &issuer))
        return bad(e, "is not \"verify=...; serial=...; sha1=...; issuer=...\"");
    if (str_is(verify, "SUCCESS"))
        return read_certificate(serial, sha1, issuer, out, e);
    if (verify.n > 7 && memcmp(verify.p, "FAILED:", 7) == 0)
        return err_set(e, ERR_UNAUTHENTICATED, "the proxy could not verify the client's certificate: %.*s",
                       (int)(verify.n - 7 < 200 ? verify.n - 7 : 200), verify.p + 7);
    if (!str_is(verify, "NONE") || serial.n + sha1.n + issuer.n > 0)
        return bad(e, "says neither SUCCESS, NONE nor FAILED");
    *out = (struct proxy_client){.certificate = false};
    return 0;
}

/* --- by which name it came ----------------------------------------------------------------------------- */

/* The field's value and how often it is there. */
static size_t field(const struct http_request *req, const char *name, struct str *value)
{
    size_t count = 0;
    *value = (struct str){.p = NULL, .n = 0};
    for (size_t i = 0; i < req->header_count; i++)
        if (str_eq_nocase(req->headers[i].name, str_of(name))) {
            *value = req->headers[i].value;
            count++;
        }
    return count;
}

/* What is put into links must look like a host. */
static bool is_host(struct str host)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                    (c != '\0' && strchr(".-_:[]", c) != NULL);
        if (!fine)
            return false;
    }
    return host.n > 0;
}

static void read_address(const struct http_request *req, struct proxy_says *out)
{
    struct str value;
    unsigned char raw[16];
    char text[INET6_ADDRSTRLEN];
    if (field(req, "X-Real-IP", &value) != 1 || value.n == 0 || value.n >= sizeof text)
        return;
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    if (inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1)
        snprintf(out->address, sizeof out->address, "%s", text);
}

static void read_name(const struct http_request *req, struct proxy_says *out)
{
    struct str value;
    uint64_t port;
    size_t count = field(req, "X-Forwarded-Host", &value);
    if (count == 1 && is_host(value))
        out->host = value;
    else
        out->bad_host = count > 0;
    if (field(req, "X-Forwarded-Proto", &value) == 1 && (str_is(value, "https") || str_is(value, "http")))
        out->scheme = value;
    if (field(req, "X-Forwarded-Port", &value) == 1 && str_to_u64(value, 65535, &port) == 0)
        out->port = value;
}

const char *proxy_base_url(const struct proxy_says *says, const struct exchange *x, struct arena *a)
{
    struct str host = says->host, none = STR("");
    struct str scheme = says->scheme.n > 0         ? says->scheme
                        : x->peer->kind == NET_TLS ? STR("https")
                                                   : STR("http");
    if (host.n == 0)
        host = http_header_get(&x->req, "host");
    if (says->bad_host || !is_host(host))
        return "";
    const char *colon = memrchr(host.p, ':', host.n);
    bool has_port = colon != NULL && (host.p[0] != '[' || colon[-1] == ']');
    bool usual = str_is(says->port, str_is(scheme, "https") ? "443" : "80");
    struct str port = has_port || usual ? none : says->port;
    const struct str parts[] = {scheme, STR("://"), host, port.n > 0 ? STR(":") : none, port};
    const char *url = arena_join(a, parts, sizeof parts / sizeof parts[0]);
    return url != NULL ? url : "";
}

/* --- all of it ----------------------------------------------------------------------------------------- */

/* A proxy that forwards and does not say for whom would make everybody local. */
static int unnamed(const struct http_request *req, struct err *e)
{
    static const char *const signs[] = {"X-Real-IP",         "X-Forwarded-For", "X-Forwarded-Host",
                                        "X-Forwarded-Proto", "Forwarded",       "Via"};
    struct str value;
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (field(req, signs[i], &value) > 0)
            return bad(e, "is missing");
    return 0;
}

int proxy_read(const struct server_config *c, const struct net_peer *peer, const struct http_request *req,
               bool must_name, struct proxy_says *out, struct err *e)
{
    struct proxy_says says = {.local = peer->kind == NET_UNIX};
    says.believed = (peer->kind == NET_UNIX && c->unix_proxy) ||
                    (peer->kind == NET_PLAIN && proxy_listed(c->insecure_proxies, peer));
    if (!says.believed) {
        *out = (struct proxy_says){.believed = false};
        return 0;
    }
    struct str value;
    size_t count = field(req, PROXY_CLIENT_FIELD, &value);
    int rc = 0;
    if (count > 1)
        rc = bad(e, "is there more than once");
    else if (count == 1)
        rc = proxy_client_parse(value, &says.client, e);
    else if (must_name)
        rc = unnamed(req, e);
    if (rc != 0)
        return rc;
    says.named = count == 1;
    read_address(req, &says);
    read_name(req, &says);
    *out = says;
    return 0;
}
