#include "server/console.h"

#include <stdio.h>

#include "server/run.h"
#include "server/server.h"

#define ORIGIN_MAX 512

/* No script and no style but ours, nothing from elsewhere, nobody may frame it; and with Trusted Types no
   text ever becomes markup. */
#define CONSOLE_POLICY                                                                                       \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "    \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "      \
    "trusted-types 'none'"

bool console_is(const struct net_peer *peer)
{
    return strcmp(peer->listener, CONSOLE_LISTENER) == 0;
}

/* What is open to anybody is for devices, as is what their updates are checked by. The console's own page
   leads to the interface's description. */
bool console_has(const struct route_table *table, const struct route *row)
{
    static const char *const devices[] = {"/tuf/", "/pki/"};
    if (table->face == FACE_CONSOLE || strcmp(row->path, "/openapi.json") == 0)
        return true;
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (strncmp(row->path, devices[i], strlen(devices[i])) == 0)
            return false;
    return (row->who & WHO_READERS) != 0 && (row->who & WHO_ANYONE) == 0;
}

/* RFC 6265 section 4.2: "a=b; c=d". */
static struct str find_cookie(const struct http_request *req)
{
    struct str rest = http_header_get(req, "cookie"), pair;
    while (str_split(&rest, ';', &pair)) {
        struct str name;
        if (str_split(&pair, '=', &name) && str_is(str_trim(name), CONSOLE_COOKIE))
            return str_trim(pair);
    }
    return (struct str){0};
}

int console_identify(struct run *run, struct err *e)
{
    struct exchange *x = run->x;
    struct identity id = {.who = WHO_ANYONE, .transport = "pq"};
    memcpy(id.address, run->who.address, sizeof id.address);
    struct str cookie = find_cookie(&x->req);
    struct session s;
    enum who role;
    struct err unknown = {0};
    int rc = cookie.n > 0 ? ota_session_hash(cookie, id.token, &unknown) : ERR_INVALID;
    if (rc == 0)
        rc = ota_session_find(&run->server->ota, exchange_loop_ctx(x), &x->arena, id.token, &s, &role, e);
    if (rc == 0) {
        id.who = role;
        id.account = true;
        snprintf(id.id, sizeof id.id, "%s", s.account.name);
    } else if (rc != ERR_INVALID && rc != ERR_UNAUTHENTICATED) {
        return rc;
    } else {
        id.token[0] = '\0';
    }
    run->who = id;
    return 0;
}

bool console_is_own_page(const struct http_request *req)
{
    char own[ORIGIN_MAX];
    struct str origin = http_header_get(req, "origin"), host = http_header_get(req, "host");
    int n = snprintf(own, sizeof own, "https://" STR_FMT, STR_ARG(host));
    return origin.p != NULL && n > 0 && (size_t)n < sizeof own && str_eq_nocase(origin, str_of(own));
}

void console_set_headers(struct http_response *res)
{
    http_set(res, "Content-Security-Policy", CONSOLE_POLICY);
    http_set(res, "X-Content-Type-Options", "nosniff");
    http_set(res, "Referrer-Policy", "no-referrer");
    http_set(res, "Cross-Origin-Opener-Policy", "same-origin");
    http_set(res, "Cross-Origin-Resource-Policy", "same-origin");
    http_set(res, "Cache-Control", "no-store");
}

const char *console_cookie(struct arena *a, const char *token, int64_t seconds)
{
    return arena_printf(a, CONSOLE_COOKIE "=%s; Path=/; Max-Age=%lld; Secure; HttpOnly; SameSite=Strict",
                        token != NULL ? token : "", (long long)(token != NULL ? seconds : 0));
}
