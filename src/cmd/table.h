/*
 * Tables for people: columns as wide as their widest cell, the last one cut to the terminal's width. Cells are
 * escaped (text_escape), so that text from a device cannot write to the terminal.
 */
#ifndef PQOTA_CMD_TABLE_H
#define PQOTA_CMD_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define TABLE_COLUMNS_MAX 12
#define TABLE_UNLIMITED 0 /* a width: nothing is cut */

enum table_align { TABLE_LEFT, TABLE_RIGHT };

struct table_column {
    const char *title; /* NULL for the columns of a list of properties, which has no head */
    enum table_align align;
};

struct table_row;

struct table {
    struct arena *arena; /* borrowed: holds the cells */
    const struct table_column *columns;
    size_t count;
    struct table_row *first, *last;
    size_t rows;
    size_t filled;  /* cells of the last row that are set */
    bool exhausted; /* the arena had no more room */
};

void table_init(struct table *t, struct arena *arena, const struct table_column *columns, size_t count);
/* The next cell, from left to right; begins a new row when the last one is full. An empty text shows "-". */
void table_cell(struct table *t, struct str text);
void table_cell_z(struct table *t, const char *text);
void table_cellf(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* width: the terminal's columns or TABLE_UNLIMITED. ERR_NOMEM when cells did not fit into the arena. */
int table_print(const struct table *t, FILE *to, size_t width) MUST_CHECK;

/* Columns of the terminal behind a stream; TABLE_UNLIMITED when it is none. */
size_t table_terminal_width(FILE *to);

#endif
