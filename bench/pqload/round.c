/* A round lets each slot do one operation, a few at once. Idle mode does one after another as it is told, or
   a stretch in which operations are due at even distances; each says when it is over. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pqload/load.h"
#include "pqload/result.h"

#define INPUT_MAX 256

static void take_command(struct load *l, const char *text);

/* One command at a time: the next is sent when the one before was told to be over. */
static void on_input(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    char text[INPUT_MAX];
    ssize_t n = read(STDIN_FILENO, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    take_command(poll->data, text);
}

static void listen_to_input(struct load *l)
{
    if (uv_poll_start(&l->input, UV_READABLE, on_input) != 0)
        load_stop(l);
}

/* --- stretches --- */

static void stretch_begin(struct load *l, const char *text)
{
    double rate, seconds;
    struct err e = {0};
    if (options_parse_stretch(text, &rate, &seconds, &e) != 0) {
        l->rc = e.code;
        l->error = e;
        load_stop(l);
        return;
    }
    uint64_t now = uv_hrtime();
    l->stretch = (struct stretch){.begin = now, .errors = l->counts.errors.count};
    l->next_due = now;
    l->end = now + (uint64_t)(seconds * 1e9);
    l->step = (uint64_t)(1e9 / rate);
}

/* What is due is done, or waited for in vain. */
void stretch_check(struct load *l)
{
    uint64_t now = uv_hrtime(), patience = (uint64_t)(l->options->timeout * 1e9);
    bool over = l->next_due >= l->end && l->busy == 0;
    if (l->phase == LOAD_OVER || now < l->end || (!over && now < l->end + patience))
        return;
    uint64_t undone = l->busy + (l->next_due < l->end ? (l->end - l->next_due) / l->step : 0);
    l->stretch.end = l->end;
    l->step = l->end = 0;
    struct err e = {0};
    if (result_print_stretch(l, undone, stdout, &e) != 0) {
        l->rc = e.code;
        l->error = e;
        load_stop(l);
    }
}

/* --- rounds --- */

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
    if (l->options->mode == MODE_IDLE)
        uv_poll_stop(&l->input);
    l->in_round = true;
    l->round_left = l->options->connections;
}

static void end_round(struct load *l)
{
    l->in_round = false;
    if (l->phase == LOAD_OPENING) {
        load_opened(l);
        return;
    }
    printf("{\"connections\":%llu,\"errors\":%llu}\n", (unsigned long long)l->options->connections,
           (unsigned long long)l->counts.errors.count);
    fflush(stdout);
    listen_to_input(l);
}

void round_dispatch(struct load *l)
{
    uint64_t now = uv_hrtime();
    while (l->round_left > 0 && l->round_busy < LOAD_ROUND_MAX && !list_empty(&l->waiting) &&
           l->phase != LOAD_OVER) {
        struct slot *s = container_of(list_pop(&l->waiting), struct slot, link);
        l->round_left--;
        l->round_busy++;
        s->in_round = true;
        slot_begin(s, now);
    }
    if (l->in_round && l->round_left == 0 && l->round_busy == 0 && l->phase != LOAD_OVER)
        end_round(l);
}

/* --- what is told --- */

static void take_command(struct load *l, const char *text)
{
    static const char poll[] = "poll ";
    uint64_t now = uv_hrtime();
    if (l->step != 0 && strcmp(text, "stop\n") == 0)
        l->end = now < l->end ? now : l->end;
    else if (l->step == 0 && strcmp(text, "ping\n") == 0)
        round_begin(l);
    else if (l->step == 0 && strncmp(text, poll, strlen(poll)) == 0)
        stretch_begin(l, text + strlen(poll));
    else
        load_stop(l);
}
