#include "server/login.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "http/basic.h"
#include "keys/password.h"
#include "model/operator.h"
#include "server/run.h"
#include "server/server.h"
#include "store/accounts.h"

struct login {
    struct str name, password; /* in the request's arena */
    const char *phc;           /* NULL: nobody has that name, or it is disabled */
    int64_t changed_at;
    struct login_mark mark; /* when there is a phc */
    void (*then)(struct run *run);
    bool right;
    int64_t wait; /* seconds: it was not checked, since too many were wrong meanwhile */
    int rc;       /* of the check itself */
};

/* --- answers -------------------------------------------------------------------------------------------- */

static void refuse_wrong(struct run *run)
{
    /* One text for all: nobody learns which names there are. */
    run_refuse(run, 401, "the name or the password is wrong, or the account is disabled");
}

static void refuse_waiting(struct run *run, int64_t seconds)
{
    logins_count(run->server->logins, LOGIN_LIMITED);
    run_refuse(
        run, 429,
        "there were too many wrong passwords from this address or for this name: wait, then try again");
    const char *text = arena_printf(&run->x->arena, "%lld", (long long)seconds);
    if (text != NULL)
        http_set(&run->x->res, "Retry-After", text);
}

static void become(struct run *run, struct str name, enum who role)
{
    struct identity id = {.who = role, .account = true};
    snprintf(id.id, sizeof id.id, STR_FMT, STR_ARG(name));
    memcpy(id.address, run->who.address, sizeof id.address);
    run->who = id;
}

int64_t login_wait(struct logins *logins, const char *address, struct str name)
{
    int64_t by_address = logins_wait(logins, address);
    int64_t by_name = name.p != NULL ? logins_name_wait(logins, name) : 0;
    return by_address > by_name ? by_address : by_name;
}

/* What was sent as a name may be a password that got into the wrong place: only what is a name is told. */
static struct str shown(struct str name)
{
    if (name.p == NULL)
        return STR("by link");
    return account_is_name(name) ? name : STR("?");
}

void login_failed(struct logins *logins, const char *address, const char *listener, struct str name)
{
    bool limit = logins_failed(logins, address);
    bool locked = name.p != NULL && logins_name_failed(logins, name);
    logins_count(logins, LOGIN_WRONG);
    log_warn("server", "a login failed", LOG_S("account", shown(name)), LOG_STR("peer", address),
             LOG_STR("listener", listener));
    if (limit)
        log_warn("server", "too many failed logins from one address: it has to wait",
                 LOG_STR("peer", address), LOG_I64("failures", LOGIN_FAILURES_MAX),
                 LOG_I64("seconds", LOGIN_WINDOW_MS / 1000));
    if (locked)
        log_warn("server", "too many failed logins to one account: it has to wait",
                 LOG_S("account", shown(name)), LOG_I64("failures", LOGIN_NAME_FAILURES_MAX),
                 LOG_I64("seconds", LOGIN_NAME_WINDOW_MS / 1000));
}

/* --- at the head ---------------------------------------------------------------------------------------- */

/* The account that counts, or one without password. */
static int look_up(struct run *run, struct str name, struct account *out, struct err *e)
{
    struct account found = {0};
    int rc = ERR_NOT_FOUND;
    if (account_is_name(name))
        rc = store_account_by_name(exchange_loop_ctx(run->x), &run->x->arena, name.p, &found, e);
    if (rc != 0 && rc != ERR_NOT_FOUND)
        return rc;
    *out = rc == 0 && found.disabled_at == 0 ? found : (struct account){.password = NULL};
    return 0;
}

static enum login_begun fail(struct run *run)
{
    run_refuse_err(run);
    return LOGIN_REFUSED;
}

static enum login_begun recall(struct run *run, struct login *l, const struct account *account)
{
    struct server *s = run->server;
    struct err *e = &run->call.err;
    enum who role;
    if (logins_mark(s->logins, l->name, l->password, l->phc, l->changed_at, &l->mark, e) != 0)
        return fail(run);
    if (!logins_good(s->logins, &l->mark))
        return LOGIN_WAITS;
    if (role_parse(str_of(account->role), &role, e) != 0)
        return fail(run);
    become(run, l->name, role);
    login_end(run);
    logins_count(s->logins, LOGIN_CACHED);
    return LOGIN_KNOWN;
}

enum login_begun login_begin(struct run *run)
{
    struct exchange *x = run->x;
    struct err *e = &run->call.err;
    struct str name, password;
    if (!run->server->config.accounts || (run->who.who & WHO_READERS) != 0)
        return LOGIN_NOT_ASKED; /* an operator's certificate says already who it is */
    int rc = basic_read(&x->req, &x->arena, &name, &password, e);
    if (rc < 0)
        return fail(run);
    if (rc == 0)
        return LOGIN_NOT_ASKED;
    int64_t wait = logins_wait(run->server->logins, run->who.address);
    if (wait > 0) {
        refuse_waiting(run, wait);
        return LOGIN_REFUSED;
    }
    struct login *l = arena_new(&x->arena, struct login);
    struct account account;
    rc = l != NULL ? look_up(run, name, &account, e) : err_set(e, ERR_NOMEM, "no memory to check a password");
    if (rc != 0)
        return fail(run);
    *l = (struct login){
        .name = name, .password = password, .phc = account.password, .changed_at = account.changed_at};
    run->login = l;
    enum login_begun begun = l->phc != NULL ? recall(run, l, &account) : LOGIN_WAITS;
    wait = begun == LOGIN_WAITS ? logins_name_wait(run->server->logins, name) : 0;
    if (wait == 0)
        return begun;
    refuse_waiting(run, wait);
    return LOGIN_REFUSED;
}

/* --- in the lane for passwords, and back ---------------------------------------------------------------- */

/* It may have been disabled, or got another password or role, while this one was checked. */
static void settle_right(struct run *run, struct login *l)
{
    struct account now;
    struct err *e = &run->call.err;
    enum who role;
    int rc = look_up(run, l->name, &now, e);
    bool same = rc == 0 && now.password != NULL && strcmp(now.password, l->phc) == 0;
    if (rc == 0 && same)
        rc = role_parse(str_of(now.role), &role, e);
    if (rc != 0) {
        run_fail(run);
    } else if (!same) {
        refuse_wrong(run);
        exchange_reply(run->x);
    } else {
        logins_add_good(run->server->logins, &l->mark);
        logins_count(run->server->logins, LOGIN_RIGHT);
        become(run, l->name, role);
        void (*then)(struct run *) = l->then;
        login_end(run);
        then(run);
    }
}

static void settle(struct exchange *x)
{
    struct run *run = x->app;
    struct login *l = run->login;
    if (l->rc != 0) {
        run_fail(run);
    } else if (l->right) {
        settle_right(run, l);
    } else {
        if (l->wait > 0) {
            refuse_waiting(run, l->wait);
        } else {
            login_failed(run->server->logins, run->who.address, x->peer->listener, l->name);
            refuse_wrong(run);
        }
        exchange_reply(x);
    }
}

static void verify(struct pool_job *job, struct db *db)
{
    (void)db;
    struct run *run = container_of(job, struct run, job);
    struct login *l = run->login;
    struct logins *logins = run->server->logins;
    if (atomic_load_explicit(&run->x->gone, memory_order_relaxed)) {
        exchange_reply(run->x); /* nobody waits for it any more */
        return;
    }
    /* What queued behind others of its kind need not be hashed: they were good, or too many were wrong. */
    if (l->phc != NULL && logins_good(logins, &l->mark))
        l->right = true;
    else if ((l->wait = login_wait(logins, run->who.address, l->name)) == 0)
        l->rc = password_verify(l->password, l->phc, &l->right, &run->call.err);
    exchange_call(run->x, settle);
}

void login_check(struct run *run, void (*then)(struct run *run))
{
    run->login->then = then;
    run->job.run = verify;
    if (pool_submit(run->server->password, &run->job, &run->call.err) != 0)
        run_fail(run);
}

void login_end(struct run *run)
{
    if (run->login == NULL)
        return;
    struct str password = run->login->password;
    if (password.n > 0)
        explicit_bzero((char *)(uintptr_t)password.p, password.n);
    run->login = NULL;
}
