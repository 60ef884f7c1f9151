/* Idle mode: a round lets each slot do one operation, a few at once, and says when it is over. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pqload/load.h"

#define INPUT_MAX 256

/* One command at a time: the next is sent when the round before was told to be over. */
static void on_input(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct load *l = poll->data;
    char text[INPUT_MAX];
    ssize_t n = read(STDIN_FILENO, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    if (n > 0 && strcmp(text, "ping\n") == 0)
        round_begin(l);
    else
        load_stop(l);
}

int round_init(struct load *l, struct err *e)
{
    int rc = uv_poll_init(&l->uv, &l->input, STDIN_FILENO);
    if (rc != 0)
        return err_set(e, ERR_IO, "standard input cannot be waited for (is it a pipe or a terminal?): %s",
                       uv_strerror(rc));
    l->phase = LOAD_MEASURE;
    l->begin = uv_hrtime();
    round_begin(l);
    return 0;
}

/* While it lasts nobody listens to standard input. */
void round_begin(struct load *l)
{
    uv_poll_stop(&l->input);
    l->in_round = true;
    l->round_left = l->options->connections;
}

static void end_round(struct load *l)
{
    l->in_round = false;
    printf("{\"connections\":%zu,\"errors\":%llu}\n", l->options->connections,
           (unsigned long long)l->counts.error_count);
    fflush(stdout);
    if (uv_poll_start(&l->input, UV_READABLE, on_input) != 0)
        load_stop(l);
}

void round_dispatch(struct load *l)
{
    uint64_t now = uv_hrtime();
    while (l->round_left > 0 && l->round_busy < LOAD_OPENING_MAX && !list_empty(&l->waiting) &&
           l->phase != LOAD_OVER) {
        struct slot *s = container_of(list_pop(&l->waiting), struct slot, link);
        l->round_left--;
        l->round_busy++;
        slot_begin(s, now);
    }
    if (l->in_round && l->round_left == 0 && l->round_busy == 0 && l->phase != LOAD_OVER)
        end_round(l);
}
