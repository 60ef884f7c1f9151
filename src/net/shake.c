#include "net/shake.h"

#include "base/log.h"
#include "net/conn.h"

#define LIGHT_US 2000         /* for resumptions, a turn */
#define TURNS_MAX 4           /* without a step of a full handshake while resumptions keep coming */
#define INTERVAL_MAX_US 50000 /* a pause of the whole machine says nothing about the next one */
#define INTERVAL_US 2000      /* between two full ones, as long as nothing is known */

void shakes_init(struct shakes *s)
{
    list_init(&s->light);
    list_init(&s->second);
    list_init(&s->first);
    s->interval_us = INTERVAL_US;
}

bool shakes_wait(const struct shakes *s)
{
    return !list_empty(&s->light) || !list_empty(&s->second) || !list_empty(&s->first);
}

void shake_forget(struct conn *c)
{
    if (list_empty(&c->shake_link))
        return;
    list_remove(&c->shake_link);
    if (c->shake != SHAKE_WAITS_FULL)
        return;
    if (--c->loop->shakes.waiting == 0)
        c->loop->shakes.begun_us = 0;
    stat_add(&c->loop->stats.handshakes_waiting, (uint64_t)-1);
}

static void queue(struct conn *c, struct list *where)
{
    list_add_tail(where, &c->shake_link);
    loop_spin(c->loop);
}

/* A client has little patience: half of what its own part may take. */
static bool in_time(const struct loop *l)
{
    const struct shakes *s = &l->shakes;
    return s->waiting < l->limits.handshakes_waiting &&
           (int64_t)(s->waiting + 1) * s->interval_us < l->limits.handshake_ms * 1000 / 2;
}

static void turn_away(struct conn *c)
{
    stat_add(&c->loop->stats.handshakes_turned_away, 1);
    if (loop_may_complain(c->loop))
        log_warn("net", "handshakes are turned away: more full ones wait than can be served in time",
                 LOG_STR("listener", c->peer.listener), LOG_I64("waiting", (int64_t)c->loop->shakes.waiting));
    stream_turn_away(&c->stream);
    conn_close(c, CLOSE_BUSY);
}

static void meet(struct conn *c)
{
    struct shakes *s = &c->loop->shakes;
    switch (stream_peek_hello(&c->stream)) {
    case TLS_HELLO_WAIT:
        break;
    case TLS_HELLO_GONE:
        err_set(&c->error, ERR_IO, "the client left before it said anything");
        stat_add(&c->loop->stats.handshakes_failed, 1);
        conn_close(c, CLOSE_HANDSHAKE);
        break;
    case TLS_HELLO_RESUMES:
        c->shake = SHAKE_UNDERWAY;
        c->shakes_fully = false;
        queue(c, &s->light);
        break;
    case TLS_HELLO_FULL:
        if (!in_time(c->loop)) {
            turn_away(c);
            break;
        }
        c->shake = SHAKE_WAITS_FULL;
        c->shakes_fully = true;
        s->waiting++;
        stat_add(&c->loop->stats.handshakes_waiting, 1);
        queue(c, &s->first);
        break;
    }
}

void shake_hear(struct conn *c)
{
    struct shakes *s = &c->loop->shakes;
    bool queued = !list_empty(&c->shake_link);
    if (c->shake == SHAKE_HELLO)
        meet(c);
    else if (!queued)
        queue(c, c->shakes_fully ? &s->second : &s->light);
    else if (c->shake == SHAKE_WAITS_FULL && c->hup)
        conn_close(c, CLOSE_HANDSHAKE); /* its client gave up */
}

static void step(struct conn *c)
{
    if (c->shake == SHAKE_WAITS_FULL)
        conn_restart_deadline(c); /* what it waited for us is not its own */
    shake_forget(c);
    c->shake = SHAKE_UNDERWAY;
    conn_drive(c);
}

static struct conn *next_of(struct list *l)
{
    return list_empty(l) ? NULL : container_of(l->next, struct conn, shake_link);
}

/* How fast the queue moves, other work included: at the next one to begin. */
static void measure(struct shakes *s, uint64_t now)
{
    if (s->begun_us != 0) {
        int64_t us = (int64_t)(now - s->begun_us);
        s->interval_us += ((us < INTERVAL_MAX_US ? us : INTERVAL_MAX_US) - s->interval_us) / 8;
    }
    s->begun_us = now;
}

void shakes_run(struct loop *l)
{
    struct shakes *s = &l->shakes;
    if (!shakes_wait(s))
        return;
    l->now_ms = clock_mono_ms(l->clock);
    uint64_t began = uv_hrtime() / 1000, now = began;
    for (struct conn *c; now - began < LIGHT_US && (c = next_of(&s->light)) != NULL; now = uv_hrtime() / 1000)
        step(c);
    if (!list_empty(&s->light) && ++s->turns_without < TURNS_MAX)
        return;
    s->turns_without = 0;
    struct conn *c = next_of(&s->second);
    if (c == NULL) {
        c = next_of(&s->first);
        if (c != NULL)
            measure(s, now);
    }
    if (c != NULL)
        step(c);
}
