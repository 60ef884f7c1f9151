/* /console/session, /console/sessions, /console/password: signing in and out, and one's own password. */
#include <stdio.h>
#include <string.h>

#include "api/encode.h"
#include "keys/password.h"
#include "model/operator.h"
#include "ota/accounts.h"
#include "server/console.h"
#include "server/login.h"
#include "server/run.h"
#include "server/server.h"
#include "store/accounts.h"

#define BODY_MAX 8192

/* What each step hands to the next. */
struct attempt {
    const char *name, *link; /* one of them */
    char password[PASSWORD_MAX], fresh[PASSWORD_MAX];
    size_t password_n, fresh_n;
    const char *phc; /* what to check the password against; NULL: nobody has that name */
    struct account_password hashed;
};

static void wipe(void *carry)
{
    struct attempt *t = carry;
    explicit_bzero(t->password, sizeof t->password);
    explicit_bzero(t->fresh, sizeof t->fresh);
}

static struct attempt *begin(struct call *c)
{
    struct attempt *t = arena_new(c->arena, struct attempt);
    if (t != NULL) {
        c->carry = t;
        c->carry_free = wipe;
    }
    return t;
}

static int take_password(struct call *c, yyjson_val *root, const char *key, char to[PASSWORD_MAX], size_t *n)
{
    struct str given;
    int rc = json_get_str(root, key, PASSWORD_MAX, &given, &c->err);
    if (rc != 0)
        return rc;
    memcpy(to, given.p, given.n);
    *n = given.n;
    return 0;
}

/* --- what the page knows of itself --------------------------------------------------------------------- */

static int reply(struct call *c, const struct session *s, enum who role)
{
    const struct run *run = container_of(c, struct run, call);
    const struct tls_info *tls = run->x->peer->tls;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    const struct identity as = {.who = role};
    api_put_text(doc, root, "name", s != NULL ? s->account.name : NULL);
    api_put_text(doc, root, "role", s != NULL ? identity_role(&as) : NULL);
    api_put_time(doc, root, "expires", s != NULL ? s->expires_at : 0);
    yyjson_mut_obj_add_bool(doc, root, "by_link", s != NULL && s->by_link);
    yyjson_mut_obj_add_str(doc, root, "version", PQOTA_VERSION);
    yyjson_mut_val *connection = yyjson_mut_obj_add_obj(doc, root, "connection");
    yyjson_mut_obj_add_str(doc, connection, "group", tls->group);
    yyjson_mut_obj_add_str(doc, connection, "signature", tls->signature);
    yyjson_mut_obj_add_str(doc, connection, "cipher", tls->cipher);
    yyjson_mut_obj_add_bool(doc, connection, "post_quantum", strstr(tls->group, "MLKEM") != NULL);
    http_reply_json(c->res, c->arena, 200, doc);
    return CALL_NEXT;
}

static int show(struct call *c)
{
    struct session s;
    enum who role;
    if (!c->who->account)
        return reply(c, NULL, WHO_ANYONE);
    int rc = ota_session_find(c->ota, c->db, c->arena, c->who->token, &s, &role, &c->err);
    return rc == 0 ? reply(c, &s, role) : rc;
}

/* --- signing in ----------------------------------------------------------------------------------------- */

static int refuse_wrong(struct call *c)
{
    /* One text for all: nobody learns which names there are. */
    return err_set(&c->err, ERR_UNAUTHENTICATED,
                   "the name or the password is wrong, or the account is disabled");
}

static int refuse_guessing(struct call *c, int64_t seconds)
{
    logins_count(c->server->logins, LOGIN_LIMITED);
    const char *text = arena_printf(c->arena, "%lld", (long long)seconds);
    if (text != NULL)
        http_set(c->res, "Retry-After", text);
    c->status = 429;
    return err_set(&c->err, ERR_DENIED, /* for ERR_BUSY the answer says when to come back by itself */
                   "there were too many wrong attempts: wait %lld seconds, or ask an administrator for a "
                   "one-time link (pqota console)",
                   (long long)seconds);
}

static int64_t must_wait(struct call *c, const struct attempt *t)
{
    return login_wait(c->server->logins, c->who->address, str_of(t->name));
}

static void note_failure(struct call *c, const char *name)
{
    login_failed(c->server->logins, c->who->address, CONSOLE_LISTENER, str_of(name));
}

static int look_up(struct call *c, struct attempt *t)
{
    struct account account;
    if (!account_is_name(str_of(t->name)))
        return 0;
    int rc = store_account_by_name(c->db, c->arena, t->name, &account, &c->err);
    if (rc == 0 && account.disabled_at == 0)
        t->phc = account.password;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Nobody guesses one, so that a good one gets in whoever guesses at passwords beside it. */
static int check_link(struct call *c, const struct attempt *t, int64_t wait)
{
    int rc = ota_sign_in_link_check(c->ota, c->db, c->arena, str_of(t->link), &c->err);
    if (rc != ERR_UNAUTHENTICATED)
        return rc;
    if (wait > 0)
        return refuse_guessing(c, wait);
    note_failure(c, NULL);
    return rc;
}

static int read_sign_in(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    struct attempt *t = begin(c);
    if (t == NULL)
        return api_no_memory(c);
    int rc = api_body(c, &body);
    yyjson_val *root = rc == 0 ? yyjson_doc_get_root(body) : NULL;
    if (rc == 0)
        rc = api_get_text(c, root, "link", SESSION_TOKEN_SIZE, &t->link);
    if (rc == 0 && t->link == NULL)
        rc = api_need_text(c, root, "name", ACCOUNT_NAME_MAX, &t->name);
    if (rc == 0 && t->link == NULL)
        rc = take_password(c, root, "password", t->password, &t->password_n);
    if (rc != 0)
        return rc;
    int64_t wait = must_wait(c, t);
    if (t->link != NULL)
        return check_link(c, t, wait);
    return wait > 0 ? refuse_guessing(c, wait) : look_up(c, t);
}

/* The wait is asked for again: what queued behind others of its kind would be tried all the same. */
static int check_sign_in(struct call *c)
{
    struct attempt *t = c->carry;
    if (t->link != NULL)
        return CALL_NEXT;
    int64_t wait = must_wait(c, t);
    if (wait > 0)
        return refuse_guessing(c, wait);
    bool right = false;
    int rc = password_verify((struct str){.p = t->password, .n = t->password_n}, t->phc, &right, &c->err);
    if (rc != 0)
        return rc;
    if (!right) {
        note_failure(c, t->name);
        return refuse_wrong(c);
    }
    logins_count(c->server->logins, LOGIN_RIGHT);
    return CALL_NEXT;
}

static int write_sign_in(struct call *c)
{
    const struct attempt *t = c->carry;
    const char *name = t->name;
    char token[SESSION_TOKEN_SIZE];
    struct session s;
    enum who role;
    int64_t seconds = c->server->config.console_session_hours * 3600;
    int rc =
        t->link != NULL ? ota_sign_in_link_take(c->ota, c->db, c->arena, str_of(t->link), &name, &c->err) : 0;
    if (rc == ERR_UNAUTHENTICATED)
        note_failure(c, NULL);
    if (rc == 0)
        rc = ota_session_open(c->ota, c->db, c->arena, c->who, name, t->link != NULL ? NULL : t->phc, seconds,
                              token, &s, &c->err);
    if (rc == 0)
        rc = role_parse(str_of(s.account.role), &role, &c->err);
    if (rc != 0)
        return rc;
    const char *cookie = console_cookie(c->arena, token, seconds);
    explicit_bzero(token, sizeof token);
    if (cookie == NULL)
        return api_no_memory(c);
    http_set(c->res, "Set-Cookie", cookie);
    return reply(c, &s, role);
}

/* --- signing out ---------------------------------------------------------------------------------------- */

static int sign_out(struct call *c, bool all)
{
    int rc = ota_session_close(c->ota, c->db, c->arena, c->who, all, &c->err);
    const char *cookie = console_cookie(c->arena, NULL, 0);
    if (rc != 0)
        return rc;
    if (cookie == NULL)
        return api_no_memory(c);
    http_set(c->res, "Set-Cookie", cookie);
    http_reply_empty(c->res, 204);
    return CALL_NEXT;
}

static int sign_out_here(struct call *c)
{
    return sign_out(c, false);
}

static int sign_out_everywhere(struct call *c)
{
    return sign_out(c, true);
}

/* --- one's own password --------------------------------------------------------------------------------- */

/* In a session that came by a link nobody has to know the old one. Told before anything is hashed. */
static int may_leave_out_old(struct call *c)
{
    struct session s;
    enum who role;
    int rc = ota_session_find(c->ota, c->db, c->arena, c->who->token, &s, &role, &c->err);
    return rc != 0 || s.by_link ? rc : err_set(&c->err, ERR_DENIED, "say the old password too");
}

static int read_change(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    struct attempt *t = begin(c);
    if (t == NULL)
        return api_no_memory(c);
    t->name = c->who->id;
    int rc = api_body(c, &body);
    yyjson_val *root = rc == 0 ? yyjson_doc_get_root(body) : NULL;
    if (rc == 0 && yyjson_obj_get(root, "old") != NULL)
        rc = take_password(c, root, "old", t->password, &t->password_n);
    if (rc == 0)
        rc = take_password(c, root, "new", t->fresh, &t->fresh_n);
    if (rc == 0)
        rc = password_check((struct str){.p = t->fresh, .n = t->fresh_n}, &c->err);
    if (rc != 0)
        return rc;
    if (t->password_n == 0)
        return may_leave_out_old(c);
    int64_t wait = must_wait(c, t);
    return wait > 0 ? refuse_guessing(c, wait) : look_up(c, t);
}

static int check_change(struct call *c)
{
    struct attempt *t = c->carry;
    bool right = t->password_n == 0;
    int64_t wait = right ? 0 : must_wait(c, t); /* again, as at a sign-in */
    if (wait > 0)
        return refuse_guessing(c, wait);
    int rc =
        right ? 0
              : password_verify((struct str){.p = t->password, .n = t->password_n}, t->phc, &right, &c->err);
    if (rc == 0 && !right) {
        note_failure(c, t->name);
        return err_set(&c->err, ERR_DENIED, "the old password is wrong");
    }
    t->hashed.given = (struct str){.p = t->fresh, .n = t->fresh_n};
    return rc == 0 ? ota_account_hash(&t->hashed, &c->err) : rc;
}

static int write_change(struct call *c)
{
    const struct attempt *t = c->carry;
    int rc = ota_session_set_password(c->ota, c->db, c->arena, c->who, t->password_n > 0 ? t->phc : NULL,
                                      t->hashed.phc, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

static const struct route rows[] = {
    {HTTP_GET, "/console/session", WHO_ANYONE | WHO_READERS, BODY_NONE, 0, {{LANE_READ, show}}},
    {HTTP_POST,
     "/console/session",
     WHO_ANYONE | WHO_READERS,
     BODY_JSON,
     BODY_MAX,
     {{LANE_READ, read_sign_in}, {LANE_PASSWORD, check_sign_in}, {LANE_WRITE, write_sign_in}}},
    {HTTP_DELETE, "/console/session", WHO_READERS, BODY_NONE, 0, {{LANE_WRITE, sign_out_here}}},
    {HTTP_DELETE, "/console/sessions", WHO_READERS, BODY_NONE, 0, {{LANE_WRITE, sign_out_everywhere}}},
    {HTTP_PUT,
     "/console/password",
     WHO_READERS,
     BODY_JSON,
     BODY_MAX,
     {{LANE_READ, read_change}, {LANE_PASSWORD, check_change}, {LANE_WRITE, write_change}}},
};

const struct route_table console_session_routes = {
    .rows = rows, .count = sizeof rows / sizeof rows[0], .face = FACE_CONSOLE};
