#include "cmd/grid.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/text.h"

#define GAP 2            /* columns between two columns */
#define LAST_WIDTH_MIN 8 /* the last column is not cut below this */

struct grid_row {
    struct grid_row *next;
    char *cells[GRID_COLUMNS_MAX];
};

void grid_init(struct grid *t, struct arena *arena, const struct grid_column *columns, size_t count)
{
    if (count > GRID_COLUMNS_MAX)
        count = GRID_COLUMNS_MAX;
    *t = (struct grid){.arena = arena, .columns = columns, .count = count, .filled = count};
}

static struct grid_row *current_row(struct grid *t)
{
    if (t->filled < t->count)
        return t->last;
    struct grid_row *r = arena_new(t->arena, struct grid_row);
    if (r == NULL)
        return NULL;
    if (t->last != NULL)
        t->last->next = r;
    else
        t->first = r;
    t->last = r;
    t->rows++;
    t->filled = 0;
    return r;
}

void grid_cell(struct grid *t, struct str text)
{
    struct grid_row *r = t->exhausted ? NULL : current_row(t);
    char *cell = r != NULL ? text_escape(text.n > 0 ? text : STR("-"), t->arena) : NULL;
    if (cell == NULL) {
        t->exhausted = true;
        return;
    }
    r->cells[t->filled++] = cell;
}

void grid_cell_z(struct grid *t, const char *text)
{
    grid_cell(t, str_of(text));
}

void grid_cellf(struct grid *t, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    grid_cell_z(t, text);
}

static void measure(const struct grid *t, bool head, size_t widths[GRID_COLUMNS_MAX])
{
    for (size_t i = 0; i < t->count; i++) {
        widths[i] = head ? text_width(t->columns[i].title) : 0;
        for (const struct grid_row *r = t->first; r != NULL; r = r->next) {
            size_t w = r->cells[i] != NULL ? text_width(r->cells[i]) : 0;
            if (w > widths[i])
                widths[i] = w;
        }
    }
}

static void print_row(const struct grid *t, char *const *cells, const size_t widths[], size_t last_max,
                      FILE *to)
{
    for (size_t i = 0; i < t->count; i++) {
        const char *text = cells[i] != NULL ? cells[i] : "";
        size_t w = text_width(text), pad = widths[i] > w ? widths[i] - w : 0;
        bool last = i + 1 == t->count;
        if (t->columns[i].align == GRID_RIGHT)
            fprintf(to, "%*s", (int)pad, "");
        if (last && w > last_max)
            fprintf(to, "%.*s…", (int)text_fit(text, last_max - 1), text);
        else
            fputs(text, to);
        if (!last)
            fprintf(to, "%*s", (int)(GAP + (t->columns[i].align == GRID_LEFT ? pad : 0)), "");
    }
    fputc('\n', to);
}

int grid_print(const struct grid *t, FILE *to, size_t width)
{
    if (t->exhausted)
        return ERR_NOMEM;
    if (t->rows == 0)
        return 0;
    size_t widths[GRID_COLUMNS_MAX];
    bool head = t->columns[0].title != NULL;
    measure(t, head, widths);
    size_t before = 0, last_max = SIZE_MAX;
    for (size_t i = 0; i + 1 < t->count; i++)
        before += widths[i] + GAP;
    if (width != GRID_UNLIMITED)
        last_max = width > before + LAST_WIDTH_MIN ? width - before : LAST_WIDTH_MIN;
    if (head) {
        char *titles[GRID_COLUMNS_MAX];
        for (size_t i = 0; i < t->count; i++)
            titles[i] = (char *)(uintptr_t)t->columns[i].title;
        print_row(t, titles, widths, last_max, to);
    }
    for (const struct grid_row *r = t->first; r != NULL; r = r->next)
        print_row(t, r->cells, widths, last_max, to);
    return 0;
}

size_t grid_terminal_width(FILE *to)
{
    struct winsize ws;
    int fd = fileno(to);
    if (fd < 0 || !isatty(fd) || ioctl(fd, TIOCGWINSZ, &ws) != 0 || ws.ws_col == 0)
        return GRID_UNLIMITED;
    return ws.ws_col;
}
