#include "agent/tunnel_request.h"

#include "base/json.h"
#include "base/list.h"
#include "http/route.h"

#define HOST_MAX 262 /* a name of 255 bytes, a colon and a port */
#define BASE "/{}/controller/v1/{}"
#define MD5SUM ".MD5SUM"

static const struct row {
    struct route route;
    enum tunnel_what what;
} rows[] = {
#define ROW(m, p, w) {{.method = HTTP_##m, .path = BASE p}, TUNNEL_##w}
    ROW(GET, "", SMALL),
    ROW(PUT, "/configData", SMALL),
    ROW(GET, "/deploymentBase/{}", DEPLOYMENT),
    ROW(POST, "/deploymentBase/{}/feedback", FEEDBACK),
    ROW(GET, "/cancelAction/{}", SMALL),
    ROW(POST, "/cancelAction/{}/feedback", SMALL),
    ROW(GET, "/installedBase/{}", DEPLOYMENT),
    ROW(PUT, "/installedBase", SMALL),
    ROW(GET, "/confirmationBase", SMALL),
    ROW(GET, "/confirmationBase/{}", DEPLOYMENT),
    ROW(POST, "/confirmationBase/{}/feedback", SMALL),
    ROW(POST, "/confirmationBase/activateAutoConfirm", SMALL),
    ROW(POST, "/confirmationBase/deactivateAutoConfirm", SMALL),
    ROW(GET, "/softwaremodules/{}/artifacts", SMALL),
    ROW(GET, "/softwaremodules/{}/artifacts/{}", FILE),
#undef ROW
};
#define ROWS (sizeof rows / sizeof *rows)

static bool is_loopback_name(struct str host)
{
    if (str_eq_nocase(host, STR("localhost")) || str_is(host, "[::1]"))
        return true;
    for (size_t i = 0; i < host.n; i++)
        if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9'))
            return false;
    return host.n > 4 && memcmp(host.p, "127.", 4) == 0;
}

/* The name before ":port". */
static struct str host_name(struct str host)
{
    size_t n = host.n;
    while (n > 0 && host.p[n - 1] >= '0' && host.p[n - 1] <= '9')
        n--;
    bool port = n > 0 && n < host.n && host.p[n - 1] == ':';
    return (struct str){.p = host.p, .n = port ? n - 1 : host.n};
}

static bool is_host(struct str host)
{
    if (host.n == 0 || host.n > HOST_MAX)
        return false;
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c != '\0' && strchr(".-_:[]", c) != NULL);
        if (!good)
            return false;
    }
    return true;
}

/* A page in a browser on this device must not speak for it: neither through a name of its own that leads here
   (the Host tells), nor as a form that is sent across (browsers name its Origin). */
static int check_browser(const struct http_request *req, const char *listen, bool local, struct arena *a,
                         struct tunnel_ask *out, int *status, struct err *e)
{
    struct str host = str_trim(http_header_get(req, "Host"));
    if (host.n == 0)
        host = str_of(local ? "localhost" : listen);
    if (!is_host(host)) {
        *status = 400;
        return err_set(e, ERR_INVALID, "the Host of the request is none");
    }
    if (!local && !is_loopback_name(host_name(host)) && !str_is(host, listen)) {
        *status = 421;
        return err_set(e, ERR_DENIED, "the tunnel is reached as localhost, 127.0.0.1 or [::1] only");
    }
    if (http_header_get(req, "Origin").p != NULL) {
        *status = 403;
        return err_set(e, ERR_DENIED, "the tunnel is not for pages in a browser");
    }
    out->base_url = arena_printf(a, "http://%.*s", (int)host.n, host.p);
    if (out->base_url != NULL)
        return 0;
    *status = 503;
    return err_set(e, ERR_NOMEM, "there is no memory for the request");
}

static bool ends_with(struct str s, struct str end)
{
    return s.n >= end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

static bool is_dots(struct str s)
{
    return str_is(s, ".") || str_is(s, "..");
}

/* What stands before .MD5SUM is a file's name as well: the text is short, and no file. */
static void fill(const struct row *row, const struct str *param, struct tunnel_ask *out)
{
    out->what = row->what;
    out->tenant = param[0];
    switch (row->what) {
    case TUNNEL_DEPLOYMENT:
    case TUNNEL_FEEDBACK:
        out->action = param[2];
        break;
    case TUNNEL_FILE:
        out->module = param[2];
        out->filename = param[3];
        if (ends_with(param[3], STR(MD5SUM)))
            out->what = TUNNEL_TEXT;
        break;
    case TUNNEL_SMALL:
    case TUNNEL_TEXT:
        break;
    }
}

static int find(const struct http_request *req, struct arena *a, struct route_found *found, int *status,
                const char **allow, struct err *e)
{
    struct route routes[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        routes[i] = rows[i].route;
    const struct route_table table = {.rows = routes, .count = ROWS, .face = FACE_DDI};
    int rc = route_find(&table, 1, req, a, found, e);
    if (rc == ERR_UNSUPPORTED)
        *allow = found->allow;
    *status = rc == ERR_UNSUPPORTED ? 405 : rc == ERR_NOT_FOUND ? 404 : rc == ERR_NOMEM ? 503 : 400;
    if (rc == 0)
        found->row = &rows[found->row - routes].route;
    return rc;
}

int tunnel_read_ask(const struct http_request *req, const char *device, const char *listen, bool local,
                    struct arena *a, struct tunnel_ask *out, int *status, const char **allow, struct err *e)
{
    struct route_found found = {0};
    struct tunnel_ask ask = {0};
    *allow = NULL;
    int rc = check_browser(req, listen, local, a, &ask, status, e);
    if (rc == 0)
        rc = find(req, a, &found, status, allow, e);
    if (rc != 0)
        return rc;
    *status = 404;
    for (size_t i = 0; i < CALL_PARAMS_MAX; i++)
        if (is_dots(found.param[i]))
            return err_set(e, ERR_NOT_FOUND, "there is nothing at this path");
    if (!str_is(found.param[1], device)) {
        *status = 403;
        return err_set(e, ERR_DENIED, "this tunnel speaks for the device %s alone", device);
    }
    /* They stand next to each other; a whole URL (RFC 9112 section 3.2.2) does not go behind the server's. */
    ask.target = req->path;
    if (req->query.p != NULL)
        ask.target.n += 1 + req->query.n;
    fill(container_of(found.row, struct row, route), found.param, &ask);
    *out = ask;
    return 0;
}

/* --- refusals ------------------------------------------------------------------------------------------- */

#define REPOSITORY "org.eclipse.hawkbit.repository.exception."

static const struct kind {
    int status;
    const char *exception, *code;
} kinds[] = {
    {400, "jakarta.validation.ConstraintViolationException", "hawkbit.server.error.repo.constraintViolation"},
    {403, REPOSITORY "InsufficientPermissionException", "hawkbit.server.error.insufficientPermission"},
    {404, REPOSITORY "EntityNotFoundException", "hawkbit.server.error.repo.entityNotFound"},
    {405, "org.springframework.web.HttpRequestMethodNotSupportedException",
     "hawkbit.server.error.repo.genericError"},
};
static const struct kind other = {0, REPOSITORY "GenericRepositoryException",
                                  "hawkbit.server.error.repo.genericError"};

void tunnel_error(struct http_response *r, struct arena *a, int status, const char *message)
{
    const struct kind *kind = &other;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].status == status)
            kind = &kinds[i];
    if (!str_is_text(str_of(message)))
        message = http_status_text(status);
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    if (root == NULL || !yyjson_mut_obj_add_str(doc, root, "exceptionClass", kind->exception) ||
        !yyjson_mut_obj_add_str(doc, root, "errorCode", kind->code) ||
        !yyjson_mut_obj_add_str(doc, root, "message", message)) {
        http_reply_no_memory(r);
        return;
    }
    http_reply_json(r, a, status, doc);
}
