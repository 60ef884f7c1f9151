/* Name and password at a real listener, by the real curl: what runs before they are known, and what does
   not. */
#include "../pki/fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "ota/accounts.h"
#include "ota/principal.h"
#include "server/dispatch.h"
#include "server/login_table.h"
#include "server/server.h"
#include "store/accounts.h"
#include "store/db.h"

/* "password", cheaply: a known answer of argon2's reference implementation. */
#define PHC "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
/* "differentpassword", likewise from its test.c. */
#define PHC_OTHER "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94"

static struct fixture *fx;
static struct server s;
static char where[64];
static atomic_int heads, files, writes, reads;

/* --- routes ------------------------------------------------------------------------------------------- */

static int tell(struct call *c)
{
    reads++;
    const char *text = arena_printf(c->arena, "%s %s", c->who->id, identity_role(c->who));
    http_reply(c->res, 200, "text/plain", str_of(text));
    return CALL_NEXT;
}

static int look(struct call *c)
{
    (void)c;
    heads++;
    return CALL_NEXT;
}

static int take(struct call *c)
{
    files++;
    assert_non_null(c->spool);
    http_reply(c->res, 200, "text/plain", str_of(c->who->id));
    return CALL_NEXT;
}

static int change(struct call *c)
{
    writes++;
    http_reply_empty(c->res, 204);
    return CALL_NEXT;
}

static const struct route rows[] = {
    {HTTP_GET, "/m/who", WHO_READERS, BODY_NONE, 0, {{LANE_READ, tell}}},
    {HTTP_PUT, "/m/file", WHO_WRITERS, BODY_SPOOL, 0, {{LANE_HEAD, look}, {LANE_FILE, take}}},
    {HTTP_POST, "/m/write", WHO_ADMIN, BODY_BYTES, 100, {{LANE_WRITE, change}}},
};
static const struct route native_rows[] = {
    {HTTP_GET, "/n/who", WHO_READERS | WHO_ANYONE, BODY_NONE, 0, {{LANE_READ, tell}}},
};

/* --- the server ----------------------------------------------------------------------------------------- */

static int make_accounts(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return db_exec(db,
                   "INSERT INTO account (name, role, password, created_at, created_by, changed_at) VALUES"
                   " ('vera', 'viewer', '" PHC "', 1, 'x', 1), ('otto', 'operator', '" PHC "', 1, 'x', 1),"
                   " ('anna', 'admin', '" PHC "', 1, 'x', 1);"
                   "INSERT INTO account VALUES (NULL, 'dora', 'admin', '" PHC "', 1, 'x', 1, 2)",
                   e);
}

static int run_sql(struct db *db, void *arg, struct err *e)
{
    return db_exec(db, arg, e);
}

static void sql(const char *text)
{
    struct err e = {0};
    assert_int_equal(store_write_now(s.store, run_sql, (void *)(uintptr_t)text, &e), 0);
}

static struct pool *pool(const char *name, size_t queue_max)
{
    struct pool *p = NULL;
    struct err e = {0};
    const struct pool_config c = {.name = name,
                                  .threads = 1,
                                  .queue_max = queue_max,
                                  .store = strcmp(name, "query") == 0 ? s.store : NULL};
    assert_int_equal(pool_new(&c, &p, &e), 0);
    return p;
}

static int setup_with(void **state, struct str settings)
{
    struct err e = {0};
    assert_int_equal(fx_setup(state), 0);
    fx = *state;
    log_setup(LOG_DEBUG, LOG_LOGFMT, open("log", O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
    s = (struct server){.clock = &clock_system};
    heads = files = writes = reads = 0;
    fx_write("conf", settings);
    assert_int_equal(config_read("conf", &fx->arena, &s.config, &e), 0);
    const struct store_options options = {.dir = s.config.data_dir, .clock = s.clock};
    assert_int_equal(store_open(&options, &s.store, &e), 0);
    s.ota = (struct ota){.store = s.store, .clock = s.clock};
    assert_int_equal(principals_new(&s.ota.principals, &e), 0);
    assert_int_equal(logins_new(s.clock, &s.logins, &e), 0);
    assert_int_equal(store_write_now(s.store, make_accounts, NULL, &e), 0);
    s.query = pool("query", 10);
    s.file = pool("file", 10);
    s.password = pool("password", 2);
    s.routes.tables[0] = (struct route_table){.rows = rows, .count = 3, .face = FACE_MANAGEMENT};
    s.routes.tables[1] = (struct route_table){.rows = native_rows, .count = 1};
    s.routes.count = 2;
    const struct net_app app = dispatch_app(&s);
    const struct net_listen listen = {.kind = NET_PLAIN, .name = "plain", .address = "127.0.0.1:0"};
    const struct net_config config = {.loops = 1,
                                      .listens = &listen,
                                      .listen_count = 1,
                                      .limits = server_net_limits(&s.config),
                                      .app = &app,
                                      .clock = s.clock};
    assert_int_equal(net_new(&config, &s.net, &e), 0);
    assert_int_equal(net_start(s.net, &e), 0);
    assert_int_equal(net_address(s.net, "plain", where, sizeof where), 0);
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, STR("[server]\n"));
}

static int setup_without_accounts(void **state)
{
    return setup_with(state, STR("[accounts]\nenabled = no\n"));
}

static int teardown(void **state)
{
    net_stop(s.net);
    pool_free(s.query);
    pool_free(s.password);
    pool_free(s.file);
    net_free(s.net);
    store_close(s.store);
    principals_free(s.ota.principals);
    logins_free(s.logins);
    return fx_teardown(state);
}

/* The status that curl got; what came is in the files head and body. */
static int curl(const char *options, const char *path)
{
    assert_int_equal(
        fx_run(fx, "curl -s -m 20 -o body -D head -w '%%{http_code}' %s http://%s%s", options, where, path),
        0);
    uint64_t status = 0;
    assert_int_equal(str_to_u64(str_of(fx->out), 999, &status), 0);
    return (int)status;
}

static bool has(const char *file, const char *text)
{
    struct str all = fx_read(fx, file);
    return memmem(all.p, all.n, text, strlen(text)) != NULL;
}

static uint64_t counted(enum login_result r)
{
    return logins_counted(s.logins, r);
}

/* --- who ------------------------------------------------------------------------------------------------ */

static void a_right_password_is_the_account(void **state)
{
    (void)state;
    assert_int_equal(curl("-u vera:password", "/m/who"), 200);
    assert_true(has("body", "vera viewer"));
    assert_int_equal(counted(LOGIN_RIGHT), 1);
    assert_int_equal(curl("-u vera:password", "/m/who"), 200);
    assert_int_equal(counted(LOGIN_RIGHT), 1); /* not hashed again */
    assert_int_equal(counted(LOGIN_CACHED), 1);
    assert_int_equal(curl("-u otto:password", "/m/who"), 200);
    assert_true(has("body", "otto operator"));
    assert_int_equal(counted(LOGIN_RIGHT), 2);
}

static void wrong_unknown_and_disabled_look_the_same(void **state)
{
    (void)state;
    static const char *const bad[] = {"-u vera:Password", "-u vera:", "-u nobody:password",
                                      "-u dora:password", "-u 'v/era:password'"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(curl(bad[i], "/m/who"), 401);
        assert_true(has("head", "WWW-Authenticate: Basic realm=\"pqota\", charset=\"UTF-8\""));
        assert_true(has("body", "the name or the password is wrong, or the account is disabled"));
    }
    assert_int_equal(counted(LOGIN_WRONG), 5);
    assert_int_equal(curl("", "/m/who"), 401);
    assert_int_equal(curl("-H 'Authorization: Basic !'", "/m/who"), 401);
    assert_int_equal(curl("-H 'Authorization: Bearer x'", "/m/who"), 401);
    assert_int_equal(counted(LOGIN_WRONG), 5);
    assert_int_equal(reads, 0);
    assert_true(has("log", "account=vera peer=127.0.0.1"));
    assert_false(has("log", "Password"));
    assert_false(has("log", "v/era"));
}

static void a_role_that_is_too_low_is_told_after_the_password(void **state)
{
    (void)state;
    assert_int_equal(curl("-u otto:wrong -d x", "/m/write"), 401);
    assert_int_equal(curl("-u otto:password -d x", "/m/write"), 403);
    assert_int_equal(curl("-u otto:password -d x", "/m/write"), 403); /* known by then */
    assert_int_equal(writes, 0);
    assert_int_equal(curl("-u anna:password -d x", "/m/write"), 204);
    assert_int_equal(curl("-u anna:password -d x", "/m/write"), 204);
    assert_int_equal(writes, 2);
}

static void a_change_holds_at_the_next_request(void **state)
{
    (void)state;
    assert_int_equal(curl("-u anna:password", "/m/who"), 200);
    sql("UPDATE account SET role = 'viewer', changed_at = changed_at + 1 WHERE name = 'anna'");
    assert_int_equal(curl("-u anna:password -d x", "/m/write"), 403);
    assert_int_equal(curl("-u anna:password", "/m/who"), 200);
    assert_true(has("body", "anna viewer"));
    sql("UPDATE account SET password = '" PHC_OTHER
        "' WHERE name = 'anna'"); /* not even changed_at says so */
    assert_int_equal(curl("-u anna:password", "/m/who"), 401);
    sql("UPDATE account SET password = '" PHC "' WHERE name = 'anna'");
    assert_int_equal(curl("-u anna:password", "/m/who"), 200);
    sql("UPDATE account SET disabled_at = 1 WHERE name = 'anna'");
    assert_int_equal(curl("-u anna:password", "/m/who"), 401);
    sql("UPDATE account SET disabled_at = NULL WHERE name = 'anna'");
    sql("DELETE FROM account WHERE name = 'anna'");
    assert_int_equal(curl("-u anna:password", "/m/who"), 401);
}

/* A body may take its time: what counts is who one is when it is written. */
static void a_change_holds_while_a_body_is_on_its_way(void **state)
{
    (void)state;
    static const char head[] =
        "POST /m/write HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
        "Authorization: Basic YW5uYTpwYXNzd29yZA==\r\n\r\n";
    static const char *const changes[] = {"UPDATE account SET role = 'operator' WHERE name = 'anna'",
                                          "UPDATE account SET disabled_at = 1 WHERE name = 'anna'"};
    assert_int_equal(curl("-u anna:password", "/m/who"),
                     200); /* known from here on: no check holds the head up */
    for (size_t i = 0; i < 2; i++) {
        sql("UPDATE account SET role = 'admin' WHERE name = 'anna'");
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        uint64_t port = 0;
        assert_int_equal(str_to_u64(str_of(strchr(where, ':') + 1), 65535, &port), 0);
        to.sin_port = htons((uint16_t)port);
        auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
        assert_int_equal(write(fd, head, sizeof head - 1), sizeof head - 1);
        char answer[512] = "";
        assert_int_equal(read(fd, answer, sizeof "HTTP/1.1 100 Continue\r\n\r\n" - 1), 25);
        sql(changes[i]);
        assert_int_equal(write(fd, "abc", 3), 3);
        assert_true(read(fd, answer, sizeof answer - 1) > 12);
        if (memcmp(answer + 9, i == 0 ? "403" : "401", 3) != 0)
            fail_msg("%s", answer);
    }
    assert_int_equal(writes, 0);
}

/* --- before a password is known ------------------------------------------------------------------------- */

static struct timespec spooled_at(void)
{
    struct stat st;
    assert_int_equal(stat("data/tmp", &st), 0);
    return st.st_mtim;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void an_upload_is_not_written_before(void **state)
{
    (void)state;
    assert_int_equal(fx_run(fx, "head -c 3000000 /dev/urandom > large; printf small > small; : > empty"), 0);
    struct timespec before = spooled_at();
    static const char *const files_sent[] = {"large", "small", "empty"};
    char options[128];
    for (size_t i = 0; i < 3; i++) {
        snprintf(options, sizeof options, "-u otto:wrong -T %s", files_sent[i]);
        assert_int_equal(curl(options, "/m/file"), 401);
        assert_int_equal(
            fx_run(fx,
                   "curl -s -m 20 -o body -D head -w '%%{http_code}' -u otto:wrong -T - -H Expect: "
                   "http://%s/m/file < %s",
                   where, files_sent[i]),
            0);
        fx_expect(fx, "401"); /* chunked */
        snprintf(options, sizeof options, "-u vera:password -T %s", files_sent[i]);
        assert_int_equal(curl(options, "/m/file"), 403);
    }
    assert_int_equal(heads, 0);
    assert_true(same_time(before, spooled_at()));
    for (size_t i = 0; i < 3; i++) {
        snprintf(options, sizeof options, "-u otto:password -T %s", files_sent[i]);
        assert_int_equal(curl(options, "/m/file"), 200);
        assert_true(has("body", "otto"));
    }
    assert_int_equal(heads, 3);
    assert_int_equal(files, 3);
    assert_false(same_time(before, spooled_at())); /* the test can fail */
    assert_int_equal(counted(LOGIN_RIGHT), 2);     /* vera and otto, once each */
}

static void too_many_make_the_address_wait(void **state)
{
    (void)state;
    for (int i = 0; i < LOGIN_FAILURES_MAX; i++)
        assert_int_equal(curl("-u vera:wrong", "/m/who"), 401);
    assert_int_equal(curl("-u vera:wrong", "/m/who"), 429);
    assert_true(has("head", "Retry-After: "));
    assert_int_equal(curl("-u vera:password", "/m/who"), 429);
    assert_int_equal(curl("", "/m/who"), 401);
    assert_int_equal(curl("-u vera:wrong", "/n/who"), 200); /* other interfaces are not concerned */
    assert_int_equal(counted(LOGIN_LIMITED), 2);
    assert_int_equal(counted(LOGIN_WRONG), LOGIN_FAILURES_MAX);
    assert_true(has("log", "too many failed logins from one address"));
}

struct gate {
    struct pool_job job;
    pthread_mutex_t lock;
};

static void pass(struct pool_job *job, struct db *db)
{
    (void)db;
    struct gate *g = container_of(job, struct gate, job);
    pthread_mutex_lock(&g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void a_full_queue_says_when_to_come_back(void **state)
{
    (void)state;
    struct gate g[3] = {0};
    struct err e = {0};
    for (int i = 0; i < 3; i++) {
        g[i].job.run = pass;
        pthread_mutex_init(&g[i].lock, NULL);
        pthread_mutex_lock(&g[i].lock);
    }
    assert_int_equal(pool_submit(s.password, &g[0].job, &e), 0);
    while (pool_waiting(s.password) > 0)
        sched_yield();
    assert_int_equal(pool_submit(s.password, &g[1].job, &e), 0);
    assert_int_equal(pool_submit(s.password, &g[2].job, &e), 0);
    assert_int_equal(curl("-u vera:password", "/m/who"), 503);
    assert_true(has("head", "Retry-After: 1"));
    for (int i = 0; i < 3; i++)
        pthread_mutex_unlock(&g[i].lock);
    while (pool_waiting(s.password) > 0)
        sched_yield();
    assert_int_equal(curl("-u vera:password", "/m/who"), 200);
    pool_free(s.password); /* its thread is past the gates */
    s.password = NULL;
}

static void a_page_of_another_site_does_nothing(void **state)
{
    (void)state;
    assert_int_equal(curl("-u anna:password -d x -H 'Sec-Fetch-Site: cross-site'", "/m/write"), 403);
    assert_int_equal(curl("-u anna:password -d x -H 'Sec-Fetch-Site: same-site'", "/m/write"), 403);
    assert_int_equal(writes, 0);
    assert_int_equal(curl("-u anna:password -d x -H 'Sec-Fetch-Site: same-origin'", "/m/write"), 204);
    assert_int_equal(curl("-u anna:password -H 'Sec-Fetch-Site: cross-site'", "/m/who"),
                     200); /* nobody reads it */
}

static void accounts_can_be_switched_off(void **state)
{
    (void)state;
    assert_int_equal(curl("-u vera:password", "/m/who"), 401);
    assert_false(has("head", "WWW-Authenticate"));
    assert_int_equal(counted(LOGIN_RIGHT) + counted(LOGIN_WRONG), 0);
}

#define EACH(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(a_right_password_is_the_account),
        EACH(wrong_unknown_and_disabled_look_the_same),
        EACH(a_role_that_is_too_low_is_told_after_the_password),
        EACH(a_change_holds_at_the_next_request),
        EACH(a_change_holds_while_a_body_is_on_its_way),
        EACH(an_upload_is_not_written_before),
        EACH(too_many_make_the_address_wait),
        EACH(a_full_queue_says_when_to_come_back),
        EACH(a_page_of_another_site_does_nothing),
        cmocka_unit_test_setup_teardown(accounts_can_be_switched_off, setup_without_accounts, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
