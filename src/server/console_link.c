/* POST /api/sign-in-links: a link by which somebody signs in at the console once. */
#include "api/encode.h"
#include "model/operator.h"
#include "ota/accounts.h"
#include "server/console.h"
#include "server/server.h"

#define BODY_MAX 4096

struct asked {
    const char *name, *role; /* role NULL: admin if the account is new, else its own */
    struct account_password made;
};

/* Operators may be called what accounts may not. */
static int check_name(struct call *c, const struct asked *q)
{
    int rc = ota_account_check(q->name, q->role != NULL ? q->role : role_name(WHO_ADMIN), &c->err);
    if (rc == 0 || q->name != c->who->id || account_is_name(str_of(q->name)))
        return rc;
    const struct err why = c->err;
    return err_set(&c->err, why.code, "%s; it is your certificate's: say another with --account", why.text);
}

/* Nobody learns the password of an account that the link brings about; its owner sets one, or asks for
   another link. */
static int hash_new(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    struct asked *q = arena_new(c->arena, struct asked);
    if (q == NULL)
        return api_no_memory(c);
    c->carry = q;
    if (!c->server->config.console)
        return err_set(&c->err, ERR_CONFLICT, "the console is off: set enabled = yes in [console]");
    int rc = api_body(c, &body);
    yyjson_val *root = rc == 0 ? yyjson_doc_get_root(body) : NULL;
    if (rc == 0)
        rc = api_get_text(c, root, "account", ACCOUNT_NAME_MAX, &q->name);
    if (rc == 0 && q->name == NULL)
        q->name = c->who->id;
    if (rc == 0)
        rc = api_get_text(c, root, "role", 32, &q->role);
    if (rc == 0)
        rc = check_name(c, q);
    return rc == 0 ? ota_account_hash(&q->made, &c->err) : rc;
}

/* The port of the console's first address: the rest of the link is how its user reaches this machine. */
static int console_port(struct call *c, unsigned *port)
{
    char address[128];
    uint64_t n = 0;
    if (net_address(c->server->net, CONSOLE_LISTENER, address, sizeof address) != 0 ||
        str_to_u64(str_of(strrchr(address, ':') + 1), UINT16_MAX, &n) != 0)
        return err_set(&c->err, ERR_INTERNAL, "the console's port is not known");
    *port = (unsigned)n;
    return 0;
}

static int make_link(struct call *c)
{
    const struct asked *q = c->carry;
    char token[SESSION_TOKEN_SIZE];
    int64_t expires = 0;
    unsigned port = 0;
    int rc = console_port(c, &port);
    if (rc == 0)
        rc = ota_sign_in_link(c->ota, c->db, c->arena, c->who, q->name, q->role, q->made.phc, token, &expires,
                              &c->err);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? api_doc(c) : NULL;
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_obj_add_str(doc, root, "account", q->name);
    yyjson_mut_obj_add_uint(doc, root, "port", port);
    yyjson_mut_obj_add_str(doc, root, "link", token);
    api_put_time(doc, root, "expires", expires);
    http_set(c->res, "Cache-Control", "no-store");
    http_reply_json(c->res, c->arena, 201, doc);
    return CALL_NEXT;
}

static const struct route rows[] = {
    {HTTP_POST,
     "/api/sign-in-links",
     WHO_ADMIN,
     BODY_JSON,
     BODY_MAX,
     {{LANE_PASSWORD, hash_new}, {LANE_WRITE, make_link}}},
};

const struct route_table console_link_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
