/*
 * Whose handshake is computed when. The loop, the sockets and TLS are the real ones; the test turns the loop
 * itself, and the clocks stand still except for what it says that a step takes.
 */
#include "net/shake.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"
#include "tls_test.h"

#define GUESTS 24
#define LIGHT_US 2000 /* shake.c: for resumptions, a turn */

/* A client: a capital letter asks for a full handshake, a small one resumes. */
struct guest {
    char name;
    int fd, server_fd;
    struct tls_conn *tls;
};

static struct rig {
    struct tls_sessions *sessions;
    struct tls_ctx *server, *client, *returning;
    struct net_app app;
    struct clock clock;
    int64_t now_ms;
    uint64_t hrtime_us, step_us; /* what each step takes */
    atomic_size_t open;
    struct loop loop;
    struct listener listener;
    struct guest guests[GUESTS];
    size_t guest_count;
    struct stream_ops ops;                                               /* TLS's, but that a step is noted */
    enum stream_step (*handshake)(struct stream *stream, struct err *e); /* TLS's own */
    char steps[64]; /* one letter each, in the order in which they were made */
} r;

/* In libuv's place: how long a step takes is the test's to say. */
uint64_t uv_hrtime(void)
{
    return r.hrtime_us * 1000;
}

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return r.now_ms;
}

static enum stream_step note_step(struct stream *stream, struct err *e)
{
    size_t i = r.guest_count;
    while (i > 0 && r.guests[i - 1].server_fd != stream->fd) /* the last: numbers are used again */
        i--;
    assert_true(i > 0);
    size_t n = strlen(r.steps);
    assert_true(n + 1 < sizeof r.steps);
    r.steps[n] = r.guests[i - 1].name;
    r.hrtime_us += r.step_us;
    return r.handshake(stream, e);
}

static int rig_start(void **state)
{
    (void)state;
    struct err e = {0};
    r = (struct rig){.hrtime_us = 1000000, .now_ms = 1000000};
    assert_int_equal(tls_sessions_new(GUESTS, 3600, &r.sessions, &e), 0);
    struct tls_config sc = server_config(), cc = client_config();
    sc.sessions = r.sessions;
    sc.read_ahead = true;
    sc.hold_ticket = true;
    r.server = make_ctx(&sc);
    r.client = make_ctx(&cc);
    cc.remember = true;
    r.returning = make_ctx(&cc);
    r.app.arena_max = 65536;
    r.clock = (struct clock){.unix_ms = now_ms, .mono_ms = now_ms};
    struct loop *l = &r.loop;
    l->app = &r.app;
    l->clock = &r.clock;
    l->limits = (struct net_limits){.connections = GUESTS,
                                    .connections_per_address = GUESTS,
                                    .handshakes_waiting = GUESTS,
                                    .handshake_ms = 10000,
                                    .idle_ms = 10000};
    l->addresses = address_counts_new();
    assert_non_null(l->addresses);
    l->open = &r.open;
    assert_int_equal(loop_init(l, &e), 0);
    watch_start(l);
    r.listener = (struct listener){.loop = l, .kind = NET_TLS, .name = "tls", .tls = r.server, .fd = -1};
    return 0;
}

static int rig_stop(void **state)
{
    (void)state;
    conn_close_all(&r.loop, true);
    conn_free_buried(&r.loop);
    assert_int_equal(atomic_load(&r.open), 0);
    assert_int_equal(r.loop.shakes.waiting, 0);
    assert_int_equal(r.loop.stats.handshakes_waiting, 0);
    for (size_t i = 0; i < r.guest_count; i++) {
        tls_conn_free(r.guests[i].tls);
        if (r.guests[i].fd >= 0)
            close(r.guests[i].fd);
    }
    loop_fini(&r.loop);
    address_counts_free(r.loop.addresses);
    tls_ctx_free(r.server);
    tls_ctx_free(r.client);
    tls_ctx_free(r.returning);
    tls_sessions_free(r.sessions);
    return 0;
}

/* --- what happens ------------------------------------------------------------------------------------- */

static void hear(void)
{
    uv_run(&r.loop.uv, UV_RUN_NOWAIT);
}

static void turn(void)
{
    conn_free_buried(&r.loop);
    shakes_run(&r.loop);
}

/* The steps since the beginning are these. */
static void assert_steps(const char *steps)
{
    assert_string_equal(r.steps, steps);
}

/* After which the clients that return have a session to offer. */
static void visit(void)
{
    struct pair p;
    pair_open(&p, r.server, r.returning, "localhost");
    pair_talk(&p);
    assert_shaken(&p);
    pair_close(&p);
}

/* Of the connection that was opened last, if it was not turned away. */
static void note_steps(int fd)
{
    const struct list *all = &r.loop.phases[PHASE_HANDSHAKE];
    if (list_empty(all))
        return;
    struct conn *c = container_of(all->prev, struct conn, phase_link);
    if (c->fd != fd)
        return;
    r.ops = *c->stream.ops;
    r.handshake = r.ops.handshake;
    r.ops.handshake = note_step;
    c->stream.ops = &r.ops;
}

/* As listener.c takes one that has sent its first message. */
static void arrives(char name)
{
    bool resumes = name >= 'a';
    const struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_storage from = {0};
    struct err e = {0};
    int fd[2];
    if (resumes)
        visit();
    assert_true(r.guest_count < GUESTS);
    struct guest *g = &r.guests[r.guest_count++];
    socket_pair(fd);
    *g = (struct guest){.name = name, .fd = fd[1], .server_fd = fd[0]};
    assert_int_equal(tls_conn_new(resumes ? r.returning : r.client, g->fd, "localhost", &g->tls, &e), 0);
    assert_int_equal(tls_handshake(g->tls, &e), TLS_WANT_READ);
    memcpy(&from, &in, sizeof in);
    const struct address_key key = address_key_of(&from);
    assert_true(address_counts_take(r.loop.addresses, &key, GUESTS));
    atomic_fetch_add(&r.open, 1);
    assert_int_equal(conn_open(&r.listener, g->server_fd, &from, &e), 0);
    note_steps(g->server_fd);
    hear(); /* of what was there when it was opened */
}

static struct guest *find(char name)
{
    for (size_t i = 0; i < r.guest_count; i++)
        if (r.guests[i].name == name)
            return &r.guests[i];
    fail_msg("%c is not here", name);
    return NULL;
}

/* Has read the server's half, and sends its own. */
static void goes_on(char name)
{
    struct err e = {0};
    if (tls_handshake(find(name)->tls, &e) != TLS_DONE)
        fail_msg("%c: %s", name, e.text);
    hear();
}

static void leaves(char name)
{
    struct guest *g = find(name);
    close(g->fd);
    g->fd = -1;
    hear();
}

static void assert_waiting(size_t n)
{
    assert_int_equal(r.loop.shakes.waiting, n);
    assert_int_equal(r.loop.stats.handshakes_waiting, n);
}

/* --- the order ---------------------------------------------------------------------------------------- */

static void resumptions_go_first(void **state)
{
    (void)state;
    arrives('A');
    arrives('B');
    arrives('a');
    arrives('b');
    assert_waiting(2);
    assert_steps("");
    turn(); /* and one step of a full one */
    assert_steps("abA");
    turn();
    assert_steps("abAB");
    assert_waiting(0);
    goes_on('A');
    goes_on('B');
    goes_on('b');
    goes_on('a');
    turn();
    assert_steps("abABbaA");
    turn();
    assert_steps("abABbaAB");
    assert_false(shakes_wait(&r.loop.shakes));
    assert_int_equal(r.loop.stats.handshakes_resumed, 2);
    assert_int_equal(r.loop.stats.handshakes_full, 2);
    assert_int_equal(r.loop.stats.handshakes_failed, 0);
}

static void full_ones_have_their_turn(void **state)
{
    (void)state;
    r.step_us = LIGHT_US; /* a turn has time for one resumption */
    arrives('A');
    arrives('B');
    arrives('a');
    for (char name = 'b'; name <= 'h'; name++) {
        arrives(name); /* so that always another one waits */
        turn();
    }
    assert_steps("abcdAefg");
    arrives('i');
    turn();
    assert_steps("abcdAefghB");
    turn(); /* the last resumption: nobody would be put off by a full one */
    arrives('C');
    turn();
    assert_steps("abcdAefghBiC");
}

static void half_done_ones_go_before_new_ones(void **state)
{
    (void)state;
    arrives('A');
    arrives('B');
    arrives('C');
    turn();
    assert_steps("A");
    goes_on('A');
    turn();
    assert_steps("AA");
    turn();
    turn();
    assert_steps("AABC");
    arrives('D');
    goes_on('C');
    goes_on('B');
    for (int i = 0; i < 3; i++)
        turn();
    assert_steps("AABCCBD");
    assert_int_equal(r.loop.stats.handshakes_full, 3);
}

/* --- who is not served --------------------------------------------------------------------------------- */

static void who_left_costs_nothing(void **state)
{
    (void)state;
    arrives('A');
    arrives('B');
    arrives('C');
    assert_waiting(3);
    leaves('B');
    assert_waiting(2);
    assert_int_equal(r.loop.stats.closed[CLOSE_HANDSHAKE], 1);
    assert_int_equal(atomic_load(&r.open), 2);
    turn();
    turn();
    assert_steps("AC");
    assert_waiting(0);
    arrives('D');
    arrives('E');
    turn();
    assert_int_not_equal(r.loop.shakes.begun_us, 0);
    leaves('E');
    assert_waiting(0);
    assert_int_equal(r.loop.shakes.begun_us, 0); /* nobody waits: the time until the next one says nothing */
    assert_false(shakes_wait(&r.loop.shakes));
    turn();
    assert_steps("ACD");
    goes_on('D');
    turn();
    assert_steps("ACDD");
    assert_int_equal(r.loop.stats.handshakes_full, 1);
}

static void assert_turned_away(char name, uint64_t so_far)
{
    struct err e = {0};
    assert_int_equal(r.loop.stats.handshakes_turned_away, so_far);
    assert_int_equal(r.loop.stats.closed[CLOSE_BUSY], so_far);
    assert_int_equal(tls_handshake(find(name)->tls, &e), TLS_FAILED);
    assert_says(e.text, "too busy");
}

static void too_many_are_turned_away(void **state)
{
    (void)state;
    r.loop.limits.handshakes_waiting = 2;
    arrives('A');
    arrives('B');
    arrives('C');
    assert_turned_away('C', 1);
    assert_waiting(2);
    arrives('a'); /* that is not what a resumption waits for */
    turn();
    assert_steps("aA");
    arrives('D');
    assert_waiting(2);
    arrives('E');
    assert_turned_away('E', 2);
    leaves('B');
    arrives('F');
    assert_waiting(2);
    turn();
    turn();
    assert_steps("aADF");
    assert_int_equal(r.loop.stats.handshakes_turned_away, 2);
}

/* As many wait as can begin in half of the deadline, at the pace that is measured. */
static void who_could_not_be_served_in_time_is_turned_away(void **state)
{
    (void)state;
    r.loop.limits.handshake_ms = 20; /* each is thought to take 2 ms at first */
    for (char name = 'A'; name <= 'D'; name++)
        arrives(name);
    assert_waiting(4);
    arrives('E');
    assert_turned_away('E', 1);
    r.step_us = 8000;
    turn();
    turn(); /* the average is 2.75 ms now */
    assert_waiting(2);
    arrives('F');
    assert_waiting(3);
    arrives('G');
    assert_turned_away('G', 2);
}

static void waiting_for_us_does_not_count(void **state)
{
    (void)state;
    arrives('A');
    r.now_ms += 9000;
    turn();
    assert_steps("A");
    r.now_ms += 9000;
    r.loop.now_ms = r.now_ms;
    conn_check_deadlines(&r.loop);
    assert_int_equal(atomic_load(&r.open), 1);
    r.now_ms += 1000;
    r.loop.now_ms = r.now_ms;
    conn_check_deadlines(&r.loop);
    assert_int_equal(r.loop.stats.closed[CLOSE_HANDSHAKE_SLOW], 1);
    assert_int_equal(atomic_load(&r.open), 0);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, rig_start, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(resumptions_go_first),
        RUN(full_ones_have_their_turn),
        RUN(half_done_ones_go_before_new_ones),
        RUN(who_left_costs_nothing),
        RUN(too_many_are_turned_away),
        RUN(who_could_not_be_served_in_time_is_turned_away),
        RUN(waiting_for_us_does_not_count),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
