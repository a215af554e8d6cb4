/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/grid.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/people.h"

#define GAP 2
#define TITLE "\033[1m"
#define RESET "\033[0m"

struct grid_cell {
	char *text; /* harmless */
	unsigned width;
	enum grid_style style;
};

static const char *const colours[] = {
	[GRID_PLAIN] = "",
	[GRID_GOOD] = "\033[32m",
	[GRID_DOUBTFUL] = "\033[33m",
	[GRID_BAD] = "\033[31m",
};

static bool make_room(struct grid *g)
{
	size_t capacity = g->capacity ? 2 * g->capacity : 64;
	struct grid_cell *cells;

	if (g->count < g->capacity)
		return true;
	cells = reallocarray(g->cells, capacity, sizeof(*cells));
	if (!cells)
		return false;
	g->cells = cells;
	g->capacity = capacity;
	return true;
}

void grid_add(struct grid *g, enum grid_style style, const char *format, ...)
{
	struct grid_cell cell = {.style = style};
	struct buf safe = BUF_INIT;
	char *raw = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&raw, format, ap) < 0)
		raw = NULL;
	va_end(ap);
	people_line(&safe, raw ? raw : "", PEOPLE_WHOLE);
	cell.width = people_width(buf_text(&safe));
	cell.text = raw ? buf_take(&safe, NULL) : NULL;
	if (cell.text && make_room(g)) {
		g->cells[g->count++] = cell;
	} else {
		g->failed = true;
		free(cell.text);
	}
	buf_release(&safe);
	free(raw);
}

void grid_release(struct grid *g)
{
	for (size_t i = 0; i < g->count; i++)
		free(g->cells[i].text);
	free(g->cells);
	g->cells = NULL;
	g->count = g->capacity = 0;
}

static unsigned column_width(const struct grid *g, size_t column)
{
	unsigned width = people_width(g->columns[column].title);

	for (size_t i = column; i < g->count; i += g->columns_count) {
		if (g->cells[i].width > width)
			width = g->cells[i].width;
	}
	return width;
}

/* One line in the making. */
struct line {
	struct buf *out;
	const struct grid_view *view;
	unsigned room;   /* characters that still may come */
	unsigned spaces; /* that are due before the next one; none at the end of a line */
};

static void put(struct line *l, const char *text, unsigned width, const char *colour)
{
	bool coloured = l->view->colour && *colour;

	if (!width)
		return;
	for (; l->spaces && l->room; l->spaces--, l->room--)
		buf_putc(l->out, ' ');
	if (!l->room)
		return;
	if (coloured)
		buf_puts(l->out, colour);
	people_line(l->out, text, l->room);
	if (coloured)
		buf_puts(l->out, RESET);
	l->room -= width < l->room ? width : l->room;
}

static void put_cell(struct line *l, const char *text, unsigned width, const char *colour,
                     unsigned column, bool right)
{
	if (right)
		l->spaces += column - width;
	put(l, text, width, colour);
	if (!right)
		l->spaces += column - width;
	l->spaces += GAP;
}

static struct line begin_line(struct buf *out, const struct grid_view *view)
{
	return (struct line){out, view, view->width ? view->width : UINT_MAX, 0};
}

static void print_row(struct buf *out, const struct grid *g, const struct grid_view *view,
                      const unsigned *widths, const struct grid_cell *cells)
{
	struct line l = begin_line(out, view);

	for (size_t i = 0; i < g->columns_count; i++) {
		const struct grid_column *column = &g->columns[i];
		const char *text = cells ? cells[i].text : column->title;
		unsigned width = cells ? cells[i].width : people_width(text);

		put_cell(&l, text, width, cells ? colours[cells[i].style] : TITLE, widths[i],
		         column->right);
	}
	buf_putc(out, '\n');
}

void grid_print(struct buf *out, const struct grid *g, const struct grid_view *view)
{
	unsigned *widths = calloc(g->columns_count, sizeof(*widths));
	size_t rows = g->count / g->columns_count;

	if (!widths || g->failed) {
		out->failed = true;
		free(widths);
		return;
	}
	for (size_t i = 0; i < g->columns_count; i++)
		widths[i] = column_width(g, i);
	if (view->rows && rows + 1 > view->rows)
		rows = view->rows - 1;
	print_row(out, g, view, widths, NULL);
	for (size_t i = 0; i < rows; i++)
		print_row(out, g, view, widths, g->cells + i * g->columns_count);
	free(widths);
}

void grid_print_line(struct buf *out, const char *text, enum grid_style style,
                     const struct grid_view *view)
{
	struct line l = begin_line(out, view);

	put(&l, text, people_width(text), colours[style]);
	buf_putc(out, '\n');
}
