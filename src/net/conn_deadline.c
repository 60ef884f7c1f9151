#include "net/conn.h"

#include "base/log.h"

#define LINGER_MS 5000

static int64_t limit_of(const struct loop *l, enum phase phase)
{
    switch (phase) {
    case PHASE_HANDSHAKE:
        return l->limits.handshake_ms;
    case PHASE_IDLE:
        return l->limits.idle_ms;
    case PHASE_HEADER:
        return l->limits.header_ms;
    case PHASE_BODY:
        return l->limits.body_ms;
    case PHASE_WRITE:
        return l->limits.write_ms;
    case PHASE_LINGER:
        return LINGER_MS;
    case PHASE_NONE:
    case PHASES:
        break;
    }
    return INT64_MAX;
}

/* A body or a reader that moved enough bytes since the deadline was set gets another. */
static bool earned_more(struct conn *c)
{
    if (c->phase != PHASE_BODY && c->phase != PHASE_WRITE)
        return false;
    uint64_t needed = c->loop->limits.bytes_per_second * (uint64_t)limit_of(c->loop, c->phase) / 1000;
    if (c->phase_bytes < needed)
        return false;
    list_remove(&c->phase_link);
    c->phase_began_ms = c->loop->now_ms;
    c->phase_bytes = 0;
    list_add_tail(&c->loop->phases[c->phase], &c->phase_link);
    return true;
}

static void too_late(struct conn *c)
{
    static const enum close_reason reasons[PHASES] = {
        [PHASE_HANDSHAKE] = CLOSE_HANDSHAKE_SLOW, [PHASE_IDLE] = CLOSE_IDLE,
        [PHASE_HEADER] = CLOSE_HEADER_SLOW,       [PHASE_BODY] = CLOSE_BODY_SLOW,
        [PHASE_WRITE] = CLOSE_WRITE_SLOW,
    };
    switch (c->phase) {
    case PHASE_HEADER:
    case PHASE_BODY:
        c->reason = reasons[c->phase];
        conn_refuse(c, 408, "the request came too slowly; send it again on a new connection");
        conn_drive(c);
        return;
    case PHASE_IDLE:
        c->reason = CLOSE_IDLE;
        conn_set_state(c, CONN_CLOSING);
        conn_drive(c);
        return;
    case PHASE_LINGER:
        conn_close(c, c->reason);
        return;
    default:
        conn_close(c, reasons[c->phase]);
    }
}

void conn_check_deadlines(struct loop *l)
{
    for (int phase = PHASE_NONE + 1; phase < PHASES; phase++) {
        int64_t limit = limit_of(l, (enum phase)phase);
        /* The list is in the order of the deadlines; whoever is dealt with leaves it or goes to its end. */
        while (!list_empty(&l->phases[phase])) {
            struct conn *c = container_of(l->phases[phase].next, struct conn, phase_link);
            if (l->now_ms - c->phase_began_ms < limit)
                break;
            if (!earned_more(c))
                too_late(c);
        }
    }
}

void conn_close_all(struct loop *l, bool all)
{
    for (int phase = 0; phase < PHASES; phase++) {
        list_for_each_safe(it, next, &l->phases[phase])
        {
            struct conn *c = container_of(it, struct conn, phase_link);
            if (all)
                conn_close(c, CLOSE_DRAIN);
            else if (c->state == CONN_IDLE) {
                c->reason = CLOSE_DRAIN;
                conn_set_state(c, CONN_CLOSING);
                conn_drive(c);
            }
        }
    }
}
