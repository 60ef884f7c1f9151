/* /api/accounts: people and scripts that log in with name and password. */
#include "ota/accounts.h"

#include <string.h>

#include "api/api.h"
#include "api/encode.h"

/* What hashing hands to writing. */
struct asked {
    const char *name, *role;
    char given[PASSWORD_MAX];
    struct account_password password;
};

static void wipe(void *carry)
{
    struct asked *q = carry;
    explicit_bzero(q->given, sizeof q->given);
    explicit_bzero(q->password.made, sizeof q->password.made);
}

static void put_account(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct account *v)
{
    api_put_text(doc, obj, "name", v->name);
    api_put_text(doc, obj, "role", v->role);
    api_put_time(doc, obj, "created", v->created_at);
    api_put_text(doc, obj, "created_by", v->created_by);
    api_put_time(doc, obj, "changed", v->changed_at);
    api_put_time(doc, obj, "disabled", v->disabled_at);
}

/* made: a password that is shown this once, or "". */
static int reply(struct call *c, int status, const struct account *account, const char *made)
{
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    put_account(doc, root, account);
    if (made[0] != '\0')
        yyjson_mut_obj_add_str(doc, root, "password", made);
    http_set(c->res, "Cache-Control", "no-store");
    http_reply_json(c->res, c->arena, status, doc);
    return CALL_NEXT;
}

/* A missing password is to be made; an empty one is a mistake. */
static int take_password(struct call *c, yyjson_val *root, struct asked *q)
{
    struct str given;
    if (yyjson_obj_get(root, "password") == NULL)
        return 0;
    int rc = json_get_str(root, "password", PASSWORD_MAX, &given, &c->err);
    if (rc == 0)
        rc = password_check(given, &c->err);
    if (rc != 0)
        return rc;
    memcpy(q->given, given.p, given.n);
    q->password.given = (struct str){.p = q->given, .n = given.n};
    return 0;
}

static struct asked *begin(struct call *c)
{
    struct asked *q = arena_new(c->arena, struct asked);
    if (q != NULL) {
        c->carry = q;
        c->carry_free = wipe;
    }
    return q;
}

static int hash_new(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    struct asked *q = begin(c);
    if (q == NULL)
        return api_no_memory(c);
    int rc = api_body(c, &body);
    yyjson_val *root = rc == 0 ? yyjson_doc_get_root(body) : NULL;
    if (rc == 0)
        rc = api_need_text(c, root, "name", ACCOUNT_NAME_MAX, &q->name);
    if (rc == 0)
        rc = api_need_text(c, root, "role", 32, &q->role);
    if (rc == 0)
        rc = ota_account_check(q->name, q->role, &c->err);
    if (rc == 0)
        rc = take_password(c, root, q);
    return rc == 0 ? ota_account_hash(&q->password, &c->err) : rc;
}

static int enter(struct call *c)
{
    const struct asked *q = c->carry;
    struct account account;
    int rc = ota_account_create(c->ota, c->db, c->arena, c->who, q->name, q->role, &q->password, &account,
                                &c->err);
    return rc == 0 ? reply(c, 201, &account, q->password.made) : rc;
}

static int list(struct call *c)
{
    const char *after = NULL;
    struct account *accounts = NULL;
    size_t count = 0, limit = 0;
    int rc = api_query_limit(c, &limit);
    if (rc == 0)
        rc = api_query_text(c, "after", account_is_name, &after);
    if (rc == 0)
        rc = ota_account_list(c->db, c->arena, after, limit + 1, &accounts, &count, &c->err);
    if (rc != 0)
        return rc;
    bool more = api_list_cut(&count, limit);
    struct api_list l;
    rc = api_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        put_account(l.doc, api_list_add(&l), &accounts[i]);
    api_list_end(c, &l, more ? accounts[count - 1].name : NULL);
    return CALL_NEXT;
}

static int hash_again(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    struct asked *q = begin(c);
    if (q == NULL)
        return api_no_memory(c);
    int rc = api_param_text(c, 0, account_is_name, &q->name);
    if (rc == 0)
        rc = api_body(c, &body);
    if (rc == 0)
        rc = take_password(c, yyjson_doc_get_root(body), q);
    return rc == 0 ? ota_account_hash(&q->password, &c->err) : rc;
}

static int change_password(struct call *c)
{
    const struct asked *q = c->carry;
    struct account account;
    int rc =
        ota_account_set_password(c->ota, c->db, c->arena, c->who, q->name, &q->password, &account, &c->err);
    return rc == 0 ? reply(c, 200, &account, q->password.made) : rc;
}

static int change_role(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    const char *name = NULL, *role = NULL;
    struct account account;
    int rc = api_param_text(c, 0, account_is_name, &name);
    if (rc == 0)
        rc = api_body(c, &body);
    if (rc == 0)
        rc = api_need_text(c, yyjson_doc_get_root(body), "role", 32, &role);
    if (rc == 0)
        rc = ota_account_set_role(c->ota, c->db, c->arena, c->who, name, role, &account, &c->err);
    return rc == 0 ? reply(c, 200, &account, "") : rc;
}

static int set_disabled(struct call *c, bool disabled)
{
    const char *name = NULL;
    struct account account;
    int rc = api_param_text(c, 0, account_is_name, &name);
    if (rc == 0)
        rc = ota_account_disable(c->ota, c->db, c->arena, c->who, name, disabled, &account, &c->err);
    return rc == 0 ? reply(c, 200, &account, "") : rc;
}

static int disable(struct call *c)
{
    return set_disabled(c, true);
}

static int enable(struct call *c)
{
    return set_disabled(c, false);
}

static int forget(struct call *c)
{
    const char *name = NULL;
    int rc = api_param_text(c, 0, account_is_name, &name);
    if (rc == 0)
        rc = ota_account_remove(c->ota, c->db, c->arena, c->who, name, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

#define BODY_MAX 16384 /* a password of 1024 bytes, each perhaps as \u00XX */

static const struct route rows[] = {
    {HTTP_POST,
     "/api/accounts",
     WHO_ADMIN,
     BODY_JSON,
     BODY_MAX,
     {{LANE_PASSWORD, hash_new}, {LANE_WRITE, enter}}},
    {HTTP_GET, "/api/accounts", WHO_ADMIN, BODY_NONE, 0, {{LANE_QUERY, list}}},
    {HTTP_POST,
     "/api/accounts/{}/password",
     WHO_ADMIN,
     BODY_JSON,
     BODY_MAX,
     {{LANE_PASSWORD, hash_again}, {LANE_WRITE, change_password}}},
    {HTTP_POST, "/api/accounts/{}/role", WHO_ADMIN, BODY_JSON, 4096, {{LANE_WRITE, change_role}}},
    {HTTP_POST, "/api/accounts/{}/disable", WHO_ADMIN, BODY_JSON, 4096, {{LANE_WRITE, disable}}},
    {HTTP_POST, "/api/accounts/{}/enable", WHO_ADMIN, BODY_JSON, 4096, {{LANE_WRITE, enable}}},
    {HTTP_DELETE, "/api/accounts/{}", WHO_ADMIN, BODY_NONE, 0, {{LANE_WRITE, forget}}},
};
const struct route_table api_accounts_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
