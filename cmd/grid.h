/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grid: a table of text with aligned columns.
 *
 *   struct grid g = GRID_INIT(columns);             // struct grid_column columns[]
 *   grid_add(&g, GRID_PLAIN, "%s", name);           // a cell; row by row
 *   grid_print(&out, &g, &view);
 *   grid_release(&g);
 *
 * What would steer a terminal is taken out of each cell (people.h). A failed allocation shows as buf_ok()
 * of what was printed to. Thread: one at a time.
 */
#ifndef GOFER_CMD_GRID_H
#define GOFER_CMD_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"

enum grid_style { GRID_PLAIN, GRID_GOOD, GRID_DOUBTFUL, GRID_BAD };

struct grid_column {
	const char *title;
	bool right; /* numbers */
};

struct grid_cell;

struct grid {
	const struct grid_column *columns; /* borrowed */
	size_t columns_count;
	struct grid_cell *cells;
	size_t count, capacity;
	bool failed;
};

#define GRID_INIT(columns) \
	{ \
		columns, sizeof(columns) / sizeof(*(columns)), NULL, 0, 0, false \
	}

/* Where it is to be seen. All 0: a file. */
struct grid_view {
	bool colour;
	unsigned width; /* of a line; 0: any */
	size_t rows;    /* with the titles; 0: any */
};

void grid_add(struct grid *g, enum grid_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Appends titles and rows; what there is no room for is cut. */
void grid_print(struct buf *out, const struct grid *g, const struct grid_view *view);
void grid_release(struct grid *g);

/* Appends one line, cut to the view's width, and a line break. */
void grid_print_line(struct buf *out, const char *text, enum grid_style style,
                     const struct grid_view *view);

#endif
