#include "cmd/progress.h"

#include <stdio.h>
#include <string.h>

#include "cmd/grid.h"
#include "cmd/text.h"

#define EVERY_MS 100
#define RATE_AFTER_MS 500 /* a rate over less than this says nothing */
#define LABEL_MAX 32
#define BAR_MIN 8
#define BAR_MAX 40

void progress_start(struct progress *p, const struct clock *clock, const char *label, int64_t total,
                    int64_t first)
{
    *p = (struct progress){.clock = clock, .label = label, .total = total, .first = first};
    p->started = clock_mono_ms(clock);
    p->shown = p->started - EVERY_MS;
    p->width = grid_terminal_width(stderr);
}

static void add_bar(char *out, size_t columns, int64_t done, int64_t total)
{
    size_t full = total > 0 ? (size_t)((double)done / (double)total * (double)columns) : columns;
    out[0] = ' ';
    out[1] = '[';
    memset(out + 2, '.', columns);
    memset(out + 2, '#', full < columns ? full : columns);
    out[2 + columns] = ']';
    out[3 + columns] = '\0';
}

char *progress_line(const struct progress *p, int64_t done, int64_t now_ms, size_t width,
                    char out[PROGRESS_WIDTH_MAX])
{
    if (width > PROGRESS_WIDTH_MAX / 2)
        width = PROGRESS_WIDTH_MAX / 2; /* columns; a label may take several bytes each */
    if (done > p->total)
        done = p->total;
    char have[TEXT_SHORT_MAX], all[TEXT_SHORT_MAX], rate[TEXT_SHORT_MAX], left[TEXT_SHORT_MAX], figures[160];
    int percent = p->total > 0 ? (int)((double)done / (double)p->total * 100) : 100;
    int n = snprintf(figures, sizeof figures, " %3d%%  %s of %s", percent, text_size(done, have),
                     text_size(p->total, all));
    int64_t ms = now_ms - p->started;
    if (ms >= RATE_AFTER_MS && done > p->first) {
        double per_s = (double)(done - p->first) / (double)ms * 1000;
        snprintf(figures + n, sizeof figures - (size_t)n, "  %s/s  %s left", text_size((int64_t)per_s, rate),
                 text_clock((int64_t)((double)(p->total - done) / per_s), left));
    }
    size_t label_n = text_fit(p->label, LABEL_MAX), label_w = text_width(p->label);
    if (label_w > LABEL_MAX)
        label_w = LABEL_MAX;
    size_t need = label_w + strlen(figures) + 3; /* " [" and "]" */
    char bar[BAR_MAX + 4] = "";
    if (width >= need + BAR_MIN)
        add_bar(bar, width - need < BAR_MAX ? width - need : BAR_MAX, done, p->total);
    snprintf(out, PROGRESS_WIDTH_MAX, "%.*s%s%s", (int)label_n, p->label, bar, figures);
    out[text_fit(out, width)] = '\0';
    return out;
}

void progress_update(struct progress *p, int64_t done)
{
    if (p->width == 0)
        return;
    int64_t now = clock_mono_ms(p->clock);
    if (now - p->shown < EVERY_MS)
        return;
    p->shown = now;
    char line[PROGRESS_WIDTH_MAX];
    fprintf(stderr, "\r\033[K%s", progress_line(p, done, now, p->width - 1, line));
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->width > 0) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    p->width = 0;
}
