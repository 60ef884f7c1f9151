/*
 * Tables for people: columns as wide as their widest cell, the last one cut to the terminal's width. Cells
 * are escaped (text_escape), so that text from a device cannot write to the terminal.
 */
#ifndef PQOTA_CMD_GRID_H
#define PQOTA_CMD_GRID_H

#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define GRID_COLUMNS_MAX 12
#define GRID_UNLIMITED 0 /* a width: nothing is cut */

enum grid_align { GRID_LEFT, GRID_RIGHT };

struct grid_column {
    const char *title; /* NULL for the columns of a list of properties, which has no head */
    enum grid_align align;
};

struct grid_row;

struct grid {
    struct arena *arena; /* borrowed: holds the cells */
    const struct grid_column *columns;
    size_t count;
    struct grid_row *first, *last;
    size_t rows;
    size_t filled;  /* cells of the last row that are set */
    bool exhausted; /* the arena had no more room */
};

void grid_init(struct grid *t, struct arena *arena, const struct grid_column *columns, size_t count);
/* The next cell, from left to right; begins a new row when the last one is full. An empty text shows "-". */
void grid_cell(struct grid *t, struct str text);
void grid_cell_z(struct grid *t, const char *text);
void grid_cellf(struct grid *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* width: the terminal's columns or GRID_UNLIMITED. ERR_NOMEM when cells did not fit into the arena. */
int grid_print(const struct grid *t, FILE *to, size_t width) MUST_CHECK;

/* Columns of the terminal behind a stream; GRID_UNLIMITED when it is none. */
size_t grid_terminal_width(FILE *to);

#endif
