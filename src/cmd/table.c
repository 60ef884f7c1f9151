#include "cmd/table.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/text.h"

#define GAP 2           /* columns between two columns */
#define LAST_WIDTH_MIN 8 /* the last column is not cut below this */

struct table_row {
    struct table_row *next;
    char *cells[TABLE_COLUMNS_MAX];
};

void table_init(struct table *t, struct arena *arena, const struct table_column *columns, size_t count)
{
    if (count > TABLE_COLUMNS_MAX)
        count = TABLE_COLUMNS_MAX;
    *t = (struct table){.arena = arena, .columns = columns, .count = count, .filled = count};
}

static struct table_row *current_row(struct table *t)
{
    if (t->filled < t->count)
        return t->last;
    struct table_row *r = arena_new(t->arena, struct table_row);
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

void table_cell(struct table *t, struct str text)
{
    struct table_row *r = t->exhausted ? NULL : current_row(t);
    char *cell = r != NULL ? text_escape(text.n > 0 ? text : STR("-"), t->arena) : NULL;
    if (cell == NULL) {
        t->exhausted = true;
        return;
    }
    r->cells[t->filled++] = cell;
}

void table_cell_z(struct table *t, const char *text)
{
    table_cell(t, str_of(text));
}

void table_cellf(struct table *t, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    table_cell_z(t, text);
}

static void measure(const struct table *t, bool head, size_t widths[TABLE_COLUMNS_MAX])
{
    for (size_t i = 0; i < t->count; i++) {
        widths[i] = head ? text_width(t->columns[i].title) : 0;
        for (const struct table_row *r = t->first; r != NULL; r = r->next) {
            size_t w = r->cells[i] != NULL ? text_width(r->cells[i]) : 0;
            if (w > widths[i])
                widths[i] = w;
        }
    }
}

static void print_row(const struct table *t, char *const *cells, const size_t widths[], size_t last_max, FILE *to)
{
    for (size_t i = 0; i < t->count; i++) {
        const char *text = cells[i] != NULL ? cells[i] : "";
        size_t w = text_width(text), pad = widths[i] > w ? widths[i] - w : 0;
        bool last = i + 1 == t->count;
        if (t->columns[i].align == TABLE_RIGHT)
            fprintf(to, "%*s", (int)pad, "");
        if (last && w > last_max)
            fprintf(to, "%.*s…", (int)text_fit(text, last_max - 1), text);
        else
            fputs(text, to);
        if (!last)
            fprintf(to, "%*s", (int)(GAP + (t->columns[i].align == TABLE_LEFT ? pad : 0)), "");
    }
    fputc('\n', to);
}

int table_print(const struct table *t, FILE *to, size_t width)
{
    if (t->exhausted)
        return ERR_NOMEM;
    if (t->rows == 0)
        return 0;
    size_t widths[TABLE_COLUMNS_MAX];
    bool head = t->columns[0].title != NULL;
    measure(t, head, widths);
    size_t before = 0, last_max = SIZE_MAX;
    for (size_t i = 0; i + 1 < t->count; i++)
        before += widths[i] + GAP;
    if (width != TABLE_UNLIMITED)
        last_max = width > before + LAST_WIDTH_MIN ? width - before : LAST_WIDTH_MIN;
    if (head) {
        char *titles[TABLE_COLUMNS_MAX];
        for (size_t i = 0; i < t->count; i++)
            titles[i] = (char *)(uintptr_t)t->columns[i].title;
        print_row(t, titles, widths, last_max, to);
    }
    for (const struct table_row *r = t->first; r != NULL; r = r->next)
        print_row(t, r->cells, widths, last_max, to);
    return 0;
}

size_t table_terminal_width(FILE *to)
{
    struct winsize ws;
    int fd = fileno(to);
    if (fd < 0 || !isatty(fd) || ioctl(fd, TIOCGWINSZ, &ws) != 0 || ws.ws_col == 0)
        return TABLE_UNLIMITED;
    return ws.ws_col;
}
