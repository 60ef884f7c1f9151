/* The memory of exchanges: loops keep some and use them again. */
#include "net/exchange.h"

#include <stdlib.h>

#include "net/conn.h"

static void exchange_free(struct exchange *x)
{
    http_parser_free(x->parser);
    arena_fini(&x->arena);
    free(x);
}

static struct http_limits limits_of(const struct loop *l)
{
    return (struct http_limits){.head_max = l->limits.head_bytes, .target_max = l->limits.target_bytes};
}

static struct exchange *exchange_new(const struct loop *l)
{
    const struct http_limits limits = limits_of(l);
    struct exchange *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    arena_init(&x->arena, l->app->arena_max);
    x->parser = http_parser_new(&limits);
    if (x->parser == NULL) {
        exchange_free(x);
        return NULL;
    }
    return x;
}

/* Field by field: emptying the whole would cost more than many a request does. */
struct exchange *exchange_begin(struct conn *c)
{
    struct loop *l = c->loop;
    struct exchange *x = l->spare_count > 0 ? l->spare[--l->spare_count] : exchange_new(l);
    if (x == NULL)
        return NULL;
    x->peer = &c->peer;
    x->body_max = x->body_seen = 0;
    x->began_us = uv_hrtime() / 1000;
    x->app = NULL;
    atomic_init(&x->gone, false);
    x->conn = c;
    buf_init(&x->body, 0);
    list_init(&x->msg.link);
    x->news = EXCHANGE_NOTHING;
    x->call = NULL;
    x->file_result = 0;
    x->spooling = x->complete = x->refused = x->streaming = x->sending = false;
    http_response_init(&x->res);
    const struct http_limits limits = limits_of(l); /* SIGHUP may have changed them */
    http_parser_set_limits(x->parser, &limits);
    http_parser_begin(x->parser, &x->req, &x->arena);
    return x;
}

void exchange_end(struct loop *l, struct exchange *x)
{
    http_response_fini(&x->res);
    http_parser_end(x->parser);
    buf_fini(&x->body);
    if (l->spare_count == LOOP_EXCHANGES_KEPT) {
        exchange_free(x);
        return;
    }
    arena_recycle(&x->arena);
    l->spare[l->spare_count++] = x;
}

void exchange_drop_spare(struct loop *l)
{
    while (l->spare_count > 0)
        exchange_free(l->spare[--l->spare_count]);
}
